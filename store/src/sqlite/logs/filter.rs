//! From filters to conditions. What is asked for is never part of a statement, only which columns it is asked of.

use rusqlite::types::Value;

use crate::CallStatus;
use crate::logs::tables::{Of, Scan};
use crate::logs::{LogFilter, LogId, Order, Within};
use crate::number::column;

/// Conditions that are joined by `AND`, and what they are about.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    text: String,
    pub(super) values: Vec<Value>,
}

/// How rows are looked at.
#[derive(Debug)]
pub(super) struct Looked {
    /// Which index leads to them.
    pub(super) index: &'static str,
    /// Which rows are looked at.
    pub(super) at: Conditions,
    /// Which of them are meant.
    pub(super) meant: Conditions,
}

impl Conditions {
    /// The conditions; where there are none, one that is always met.
    pub(super) fn text(&self) -> &str {
        if self.text.is_empty() { "1" } else { &self.text }
    }

    pub(super) fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        if !self.text.is_empty() {
            self.text.push_str(" AND ");
        }
        self.text.push_str(condition);
        self.values.extend(values);
    }

    fn add_any<'a>(&mut self, name: &str, words: impl ExactSizeIterator<Item = &'a str>) {
        if words.len() > 0 {
            let marks = vec!["?"; words.len()].join(", ");
            self.add(&format!("{name} IN ({marks})"), words.map(|word| Value::Text(word.to_owned())));
        }
    }

    fn add_within(&mut self, name: &str, within: Within) {
        if let Some(least) = within.least {
            self.add(&format!("{name} >= ?"), [Value::Integer(column(least))]);
        }
        if let Some(most) = within.most {
            self.add(&format!("{name} <= ?"), [Value::Integer(column(most))]);
        }
    }

    fn add_alike(&mut self, [providers, models, operations]: [&[String]; 3], statuses: &[CallStatus]) {
        self.add_any("provider", providers.iter().map(String::as_str));
        self.add_any("model", models.iter().map(String::as_str));
        self.add_any("operation", operations.iter().map(String::as_str));
        self.add_any("status", statuses.iter().map(|status| status.as_str()));
    }

    /// Of rows of sums.
    pub(super) fn of_sums(of: &Of<'_>) -> Self {
        let mut conditions = Self::default();
        if let Some((kind, owners)) = of.owners {
            conditions.add("owner_kind = ?", [Value::Text(kind.as_str().to_owned())]);
            conditions.add_any("owner", owners.iter().map(String::as_str));
        }
        conditions.add_alike([of.providers, of.models, of.operations], of.statuses);
        conditions
    }
}

impl Looked {
    pub(super) fn of(scan: &Scan<'_>) -> Self {
        let (index, mut at) = way(scan.filter);
        let places = |at_ms| Value::Integer(column(LogId::least_at(at_ms).0));
        if let Some(from_ms) = scan.filter.from_ms {
            at.add("place >= ?", [places(from_ms)]);
        }
        if let Some(to_ms) = scan.filter.to_ms {
            at.add("place < ?", [places(to_ms)]);
        }
        if let Some(after) = scan.after {
            let behind = if scan.order == Order::NewestFirst { "place < ?" } else { "place > ?" };
            at.add(behind, [Value::Integer(column(after.0))]);
        }
        Self { index, at, meant: meant(scan.filter) }
    }
}

/// The index where a filter lets fewest through, and the condition that leads into it.
fn way(filter: &LogFilter) -> (&'static str, Conditions) {
    let mut at = Conditions::default();
    let LogFilter { request_id, keys, models, statuses, .. } = filter;
    let text = |text: &String| [Value::Text(text.clone())];
    let only =
        |texts: &[String]| if let [only] = texts { Some(only.clone()).filter(|only| !only.is_empty()) } else { None };
    let index = if let Some(id) = request_id.as_ref().filter(|id| !id.is_empty()) {
        at.add("request_id = ? AND request_id <> ''", text(id));
        "INDEXED BY request_logs_by_request_id"
    } else if let Some(key) = only(keys) {
        at.add("virtual_key = ? AND virtual_key <> ''", text(&key));
        "INDEXED BY request_logs_by_key"
    } else if !statuses.is_empty() && !statuses.contains(&CallStatus::Success) {
        at.add("status <> 'success'", []);
        "INDEXED BY request_logs_by_failure"
    } else if let Some(model) = only(models) {
        at.add("model = ? AND model <> ''", text(&model));
        "INDEXED BY request_logs_by_model"
    } else {
        "NOT INDEXED"
    };
    (index, at)
}

fn meant(filter: &LogFilter) -> Conditions {
    let mut meant = Conditions::default();
    meant.add_alike([&filter.providers, &filter.models, &filter.operations], &filter.statuses);
    meant.add_any("virtual_key", filter.keys.iter().map(String::as_str));
    meant.add_any("team", filter.teams.iter().map(String::as_str));
    meant.add_any("customer", filter.customers.iter().map(String::as_str));
    if let Some(id) = &filter.request_id {
        meant.add("request_id = ?", [Value::Text(id.clone())]);
    }
    meant.add_within("latency_us", filter.latency_us);
    meant.add_within("total_tokens", filter.tokens);
    meant.add_within("cost_nano", filter.cost_nano);
    if let Some(search) = filter.search.as_ref().filter(|search| !search.is_empty()) {
        // No pattern, so there is nothing in it to escape.
        let told = "coalesce(detail ->> '$.reason_text', '')";
        let places = ["request_id", "model", "model_asked", told].map(|place| format!("instr(lower({place}), ?) > 0"));
        let search = Value::Text(search.to_ascii_lowercase());
        meant.add(&format!("({})", places.join(" OR ")), vec![search; places.len()]);
    }
    meant
}
