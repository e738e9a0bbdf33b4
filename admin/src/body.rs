//! Bodies as they are written, without what only replies say: so that what was read may be changed and written back.

use policy::declare::entity::Kind;
use serde_json::{Map, Value};

/// Said of every entity.
const OF_ALL: [&str; 3] = ["source", "created_at", "updated_at"];
/// Said of a budget.
const OF_BUDGET: [&str; 3] = ["current_usage", "reserved", "resets_at"];
/// Said of a rate limit.
const OF_RATE_LIMIT: [&str; 3] = ["token_current_usage", "request_current_usage", "concurrent_requests"];

/// The body of an entity without what only replies say. One that says nothing of that kind stays as it is, to the letter.
pub(crate) fn written(kind: Kind, body: String) -> String {
    let Ok(Value::Object(before)) = serde_json::from_str(&body) else { return body };
    let mut after = before.clone();
    strip(kind, &mut after);
    if after == before { body } else { Value::Object(after).to_string() }
}

/// The same for a body that is read already.
pub(crate) fn strip(kind: Kind, body: &mut Map<String, Value>) {
    without(body, &OF_ALL);
    match kind {
        Kind::Budget => without(body, &OF_BUDGET),
        Kind::RateLimit => without(body, &OF_RATE_LIMIT),
        Kind::VirtualKey | Kind::Team | Kind::Customer | Kind::ProviderLimits | Kind::ModelConfig => {
            limited(body);
            for config in body.get_mut("provider_configs").and_then(Value::as_array_mut).into_iter().flatten() {
                config.as_object_mut().into_iter().for_each(limited);
            }
        }
        _ => {}
    }
}

/// Limits stand in replies twice: by their ids, and as what they are. The latter counts.
fn limited(body: &mut Map<String, Value>) {
    let budgets = body.get_mut("budgets").and_then(Value::as_array_mut).into_iter().flatten();
    let mut shown = Vec::new();
    for budget in budgets.filter_map(Value::as_object_mut) {
        let is_shown = OF_BUDGET.iter().all(|field| budget.contains_key(*field));
        shown.extend(budget.get("id").filter(|_| is_shown).cloned());
        without(budget, &OF_BUDGET);
    }
    if let Some(Value::Array(ids)) = body.get_mut("budget_ids") {
        ids.retain(|id| !shown.contains(id));
    }
    let limit = body.get_mut("rate_limit").and_then(Value::as_object_mut);
    let id = limit.and_then(|limit| {
        let is_shown = OF_RATE_LIMIT.iter().all(|field| limit.contains_key(*field));
        without(limit, &OF_RATE_LIMIT);
        limit.get("id").filter(|_| is_shown).cloned()
    });
    if id.is_some() && id.as_ref() == body.get("rate_limit_id") {
        body.remove("rate_limit_id");
    }
}

fn without(fields: &mut Map<String, Value>, names: &[&str]) {
    fields.retain(|name, _| !names.contains(&&**name));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_team(body: Value) -> Value {
        serde_json::from_str(&written(Kind::Team, body.to_string())).unwrap()
    }

    #[test]
    fn what_only_replies_say_is_passed_over() {
        let budget = json!({"id": "b", "max_limit": 5, "current_usage": 1, "reserved": 0, "resets_at": null});
        let limit = json!({"id": "l", "algorithm": "fixed", "token_current_usage": 0, "request_current_usage": 0,
            "concurrent_requests": 0});
        let shown = json!({"name": "t", "source": "file", "created_at": "x", "updated_at": "y", "budgets": [budget],
            "budget_ids": ["b", "c"], "rate_limit": limit, "rate_limit_id": "l"});
        let expected = json!({"name": "t", "budgets": [{"id": "b", "max_limit": 5}], "budget_ids": ["c"],
            "rate_limit": {"id": "l", "algorithm": "fixed"}});
        assert_eq!(of_team(shown), expected);
    }

    #[test]
    fn what_was_written_by_hand_is_what_it_was() {
        for body in [
            json!({"budgets": [{"id": "b", "max_limit": 5}], "budget_ids": ["b"]}),
            json!({"rate_limit": {"id": "l"}, "rate_limit_id": "l"}),
            json!({"budgets": 1, "rate_limit": [], "provider_configs": "x", "budget_ids": {}}),
        ] {
            assert_eq!(of_team(body.clone()), body);
        }
        let twice = r#"{"name": "a", "name": "b"}"#;
        assert_eq!(written(Kind::Team, twice.to_owned()), twice);
    }
}
