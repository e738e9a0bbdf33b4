//! Entities as replies show them: budgets and rate limits in place, with what was used of them at this moment.

use std::sync::Arc;

use engine::control::{Control, Entry};
use engine::ledger::Ledger;
use policy::declare::entity::Kind;
use policy::id::{BudgetId, RateLimitId};
use policy::limit::{Accounts, Algorithm, Budget, Mode, RateLimit};
use policy::money::NanoUsd;
use policy::snapshot::Snapshot;
use policy::window::{Now, utc_text};
use serde_json::{Map, Value, json};

/// What is in force and what was used, at one moment.
pub(crate) struct Lens {
    snapshot: Arc<Snapshot>,
    ledger: Arc<Ledger>,
    now: Now,
}

impl Lens {
    pub(crate) fn of(control: &Control) -> Self {
        Self { snapshot: control.snapshot(), ledger: Arc::clone(control.ledger()), now: control.now() }
    }

    /// An entity, with its limits.
    pub(crate) fn show(&self, entry: &Entry) -> Value {
        let mut fields = self.document(entry);
        let source = if entry.is_from_file { "file" } else { "api" };
        fields.insert("source".to_owned(), json!(source));
        fields.insert("created_at".to_owned(), json!(utc_text(entry.created_ms)));
        fields.insert("updated_at".to_owned(), json!(utc_text(entry.updated_ms)));
        Value::Object(fields)
    }

    /// What it declares, without saying when it was made.
    pub(crate) fn document(&self, entry: &Entry) -> Map<String, Value> {
        let mut fields = match serde_json::from_str(&entry.document) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        match entry.kind {
            Kind::Provider => {
                fields.insert("name".to_owned(), json!(entry.id));
            }
            Kind::Budget => fields.extend(self.budget(&entry.id)),
            Kind::RateLimit => fields.extend(self.rate_limit(&entry.id)),
            Kind::VirtualKey | Kind::Team | Kind::Customer | Kind::ProviderLimits | Kind::ModelConfig => {
                self.expand(&mut fields);
                for config in fields.get_mut("provider_configs").and_then(Value::as_array_mut).into_iter().flatten() {
                    if let Some(config) = config.as_object_mut() {
                        self.expand(config);
                    }
                }
            }
            _ => {}
        }
        fields
    }

    /// Puts what the ids stand for beside them.
    fn expand(&self, fields: &mut Map<String, Value>) {
        let ids = fields.get("budget_ids").and_then(Value::as_array);
        let ids = ids.into_iter().flatten().filter_map(Value::as_str);
        let budgets: Vec<_> = ids.map(|id| Value::Object(self.budget(id))).collect();
        fields.insert("budgets".to_owned(), Value::Array(budgets));
        let limit = fields.get("rate_limit_id").and_then(Value::as_str).map(|id| Value::Object(self.rate_limit(id)));
        fields.insert("rate_limit".to_owned(), limit.unwrap_or_default());
    }

    /// A budget and what was used of it.
    pub(crate) fn budget(&self, id: &str) -> Map<String, Value> {
        match self.snapshot.budget(&BudgetId::from(id)) {
            Some(budget) => self.budget_fields(budget),
            None => Map::from_iter([("id".to_owned(), json!(id))]),
        }
    }

    fn budget_fields(&self, budget: &Budget) -> Map<String, Value> {
        let standing = self.ledger.at(self.now).of_budget(budget);
        let resets_at = (standing.resets_at_ms > 0).then(|| utc_text(standing.resets_at_ms));
        fields(json!({
            "id": budget.id.as_str(),
            "max_limit": usd(budget.limit),
            "reset_duration": budget.window.every.to_string(),
            "calendar_aligned": budget.window.calendar_aligned,
            "timezone": budget.window.zone.iana_name().unwrap_or("UTC"),
            "mode": if budget.mode == Mode::Hard { "hard" } else { "soft" },
            "current_usage": usd(standing.spent),
            "reserved": usd(standing.held),
            "resets_at": resets_at,
        }))
    }

    /// A rate limit and what was used of it.
    pub(crate) fn rate_limit(&self, id: &str) -> Map<String, Value> {
        match self.snapshot.rate_limit(&RateLimitId::from(id)) {
            Some(limit) => self.rate_limit_fields(limit),
            None => Map::from_iter([("id".to_owned(), json!(id))]),
        }
    }

    fn rate_limit_fields(&self, limit: &RateLimit) -> Map<String, Value> {
        let standing = self.ledger.at(self.now).of_rate_limit(limit);
        fields(json!({
            "id": limit.id.as_str(),
            "token_max_limit": limit.tokens.map(|quota| quota.most),
            "token_reset_duration": limit.tokens.map(|quota| quota.window.to_string()),
            "token_current_usage": standing.tokens.used,
            "request_max_limit": limit.requests.map(|quota| quota.most),
            "request_reset_duration": limit.requests.map(|quota| quota.window.to_string()),
            "request_current_usage": standing.requests.used,
            "max_concurrent_requests": limit.concurrent,
            "concurrent_requests": standing.concurrent,
            "algorithm": if limit.algorithm == Algorithm::Fixed { "fixed" } else { "rolling" },
        }))
    }
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Dollars as a number: what is exact to the nano-dollar is shown so up to some millions.
pub(crate) fn usd(amount: NanoUsd) -> Value {
    amount.to_string().parse::<f64>().map(Value::from).unwrap_or_default()
}
