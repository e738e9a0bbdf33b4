//! From filters to conditions. What is asked for is never part of a statement, only which columns it is asked of.

use tokio_postgres::types::ToSql;

use crate::CallStatus;
use crate::logs::tables::Of;
use crate::logs::{LogFilter, Within};
use crate::number::column;
use crate::postgres::text::{hash_of, text};

/// Conditions, and the values that they name by their numbers.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Which rows are looked at.
    at: Vec<String>,
    /// Which of them are meant.
    meant: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Asked {
    /// Of rows. An index leads to those that are looked at, in the order of their places.
    pub(super) fn of_rows(filter: &LogFilter) -> Self {
        let mut asked = Self::default();
        asked.take_way(filter);
        asked.mean_alike([&filter.providers, &filter.models, &filter.operations], &filter.statuses);
        asked.mean_any("virtual_key", &filter.keys);
        asked.mean_any("team", &filter.teams);
        asked.mean_any("customer", &filter.customers);
        if let Some(id) = &filter.request_id {
            let id = asked.value(text(id).into_owned());
            asked.meant.push(format!("request_id = {id}"));
        }
        asked.mean_within("latency_us", filter.latency_us);
        asked.mean_within("total_tokens", filter.tokens);
        asked.mean_within("cost_nano", filter.cost_nano);
        if let Some(search) = filter.search.as_ref().filter(|search| !search.is_empty()) {
            asked.mean_found(search);
        }
        asked
    }

    /// Of sums.
    pub(super) fn of_sums(of: &Of<'_>) -> Self {
        let mut asked = Self::default();
        if let Some((kind, owners)) = of.owners {
            let kind = asked.value(kind.as_str());
            let hashes = asked.value(owners.iter().map(|owner| hash_of([owner])).collect::<Vec<_>>());
            asked.meant.push(format!("owner_kind = {kind} AND owner_hash = ANY({hashes})"));
        }
        asked.mean_alike([of.providers, of.models, of.operations], of.statuses);
        asked
    }

    pub(super) fn at(&self) -> String {
        all_of(&self.at)
    }

    pub(super) fn meant(&self) -> String {
        all_of(&self.meant)
    }

    pub(super) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }

    /// Adds a value. Gives its number.
    fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// The condition that leads into the index where a filter lets fewest through. Those indexes are in the order of places as well, so
    /// none of the others is ever the better way.
    fn take_way(&mut self, filter: &LogFilter) {
        let LogFilter { request_id, keys, models, statuses, .. } = filter;
        let only = |texts: &[String]| if let [only] = texts { Some(only.clone()) } else { None };
        let way = if let Some(id) = request_id.clone().filter(|id| !id.is_empty()) {
            ("request_id", id)
        } else if let Some(key) = only(keys).filter(|key| !key.is_empty()) {
            ("virtual_key", key)
        } else if !statuses.is_empty() && !statuses.contains(&CallStatus::Success) {
            return self.at.push("status <> 'success'".to_owned());
        } else if let Some(model) = only(models).filter(|model| !model.is_empty()) {
            ("model", model)
        } else {
            return;
        };
        let (name, value) = (way.0, self.value(text(&way.1).into_owned()));
        let same = format!("substr({name}, 1, 200) = substr({value}::text, 1, 200)");
        self.at.push(format!("{same} AND {name} = {value} AND {name} <> ''"));
    }

    fn mean_alike(&mut self, [providers, models, operations]: [&[String]; 3], statuses: &[CallStatus]) {
        self.mean_any("provider", providers);
        self.mean_any("model", models);
        self.mean_any("operation", operations);
        self.mean_any("status", &statuses.iter().map(ToString::to_string).collect::<Vec<_>>());
    }

    fn mean_any(&mut self, name: &str, words: &[String]) {
        if !words.is_empty() {
            let words = self.value(words.iter().map(|word| text(word).into_owned()).collect::<Vec<_>>());
            self.meant.push(format!("{name} = ANY({words})"));
        }
    }

    fn mean_within(&mut self, name: &str, within: Within) {
        for (end, sign) in [(within.least, ">="), (within.most, "<=")] {
            if let Some(end) = end {
                let end = self.value(column(end));
                self.meant.push(format!("{name} {sign} {end}"));
            }
        }
    }

    /// No pattern, so there is nothing in it to escape. The columns are in the collation `C`: only ASCII has small letters there.
    fn mean_found(&mut self, search: &str) {
        let search = self.value(text(&search.to_ascii_lowercase()).into_owned());
        let places = ["request_id", "model", "model_asked", "reason_text"];
        let places = places.map(|place| format!("strpos(lower({place}), {search}) > 0"));
        self.meant.push(format!("({})", places.join(" OR ")));
    }
}

fn all_of(conditions: &[String]) -> String {
    if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") }
}
