//! From the bodies of requests to the policy after them.

use std::collections::HashMap;

use policy::declare::entity::{Kind, merge};
use policy::money::NanoUsd;

use super::entities::{VOCABULARY, env};
use super::*;

/// What is stored, and what is in force of it.
#[derive(Default)]
struct Store {
    rows: HashMap<(Kind, String), String>,
    models: HashMap<(Kind, String), Model>,
    snapshot: Snapshot,
}

impl Store {
    fn try_write(&mut self, kind: Kind, id: &str, body: &str) -> Result<Edited, EditError> {
        let at = (kind, id.to_owned());
        let row = |kind: Kind, id: &str| self.rows.get(&(kind, id.to_owned())).cloned();
        let body = merge(kind, id, self.rows.get(&at).map(String::as_str), body, &row).unwrap();
        let edited = edit(&self.snapshot, body, 0, self.models.get(&at), &env, &VOCABULARY)?;
        self.snapshot = edited.snapshot.clone();
        if let Shape::ModelConfig(config) = &edited.shape {
            self.models.insert(at, (config.provider.clone(), config.model.clone()));
        }
        for one in &edited.written {
            self.rows.insert((one.kind, one.id.to_string()), one.document.clone());
        }
        for (kind, id) in &edited.removed {
            self.rows.remove(&(*kind, id.to_string()));
        }
        Ok(edited)
    }

    fn write(&mut self, kind: Kind, id: &str, body: &str) -> Edited {
        self.try_write(kind, id, body).unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn limits(&self) -> Vec<String> {
        let budgets = self.snapshot.budgets().map(|one| format!("{} {}", one.id, one.limit.0));
        let mut all: Vec<_> = budgets.chain(self.snapshot.rate_limits().map(|one| one.id.to_string())).collect();
        all.sort();
        all
    }
}

#[test]
fn an_entity_and_its_limits_are_created_changed_and_let_go() {
    let mut store = Store::default();
    let done = store.write(
        Kind::Team,
        "ml",
        r#"{"name": "ML", "budgets": [{"max_limit": 1, "reset_duration": "1d"}, {"max_limit": 2, "reset_duration": "1M"}],
            "rate_limit": {"max_concurrent_requests": 3}}"#,
    );
    let kinds: Vec<_> = done.written.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Budget, Kind::Budget, Kind::RateLimit, Kind::Team]);
    assert_eq!(store.limits(), ["team:ml", "team:ml/1M 2000000000", "team:ml/1d 1000000000"]);

    let done = store.write(
        Kind::Team,
        "ml",
        r#"{"rate_limit": null, "budgets": [{"max_limit": 5, "reset_duration": "daily"}]}"#,
    );
    assert_eq!(done.removed, [(Kind::Budget, "team:ml/1M".into()), (Kind::RateLimit, "team:ml".into())]);
    assert_eq!(store.limits(), ["team:ml/1d 5000000000"]);
    let team = store.snapshot.team(&"ml".into()).unwrap();
    assert_eq!((&*team.name, team.limits.budgets.len(), &team.limits.rate_limit), ("ML", 1, &None));
}

#[test]
fn a_limit_that_another_entity_names_stays_when_its_owner_lets_it_go() {
    let mut store = Store::default();
    store.write(Kind::Team, "ml", r#"{"name": "ML", "budget": {"max_limit": 1, "reset_duration": "1d"}}"#);
    store.write(Kind::Customer, "acme", r#"{"name": "Acme", "budget_ids": ["team:ml/1d"]}"#);
    let done = store.write(Kind::Team, "ml", r#"{"budget": null}"#);
    assert_eq!(done.removed, []);
    assert_eq!(store.limits(), ["team:ml/1d 1000000000"]);
}

#[test]
fn mistakes_in_limits_are_told_where_they_stand_in_the_body_and_nothing_changes() {
    let mut store = Store::default();
    store.write(Kind::Provider, "openai", r#"{"keys": [{"name": "main", "value": "sk"}]}"#);
    let before = store.snapshot.revision();
    let body = r#"{"name": "vk", "value": "token", "team_id": "none", "rate_limit": {"request_max_limit": 0},
        "provider_configs": [{"provider": "openai", "key_ids": ["mian"], "wieght": 1,
            "budgets": [{"max_limit": 1, "reset_duration": "1d"}, {"max_limit": -1, "reset_duration": "1x"}]}]}"#;
    let Err(EditError::Wrong(problems)) = store.try_write(Kind::VirtualKey, "vk", body) else { panic!("not wrong") };
    let mut told: Vec<_> = problems.iter().map(|one| one.to_string()).collect();
    told.sort();
    assert_eq!(
        told,
        [
            "provider_configs[0].budgets[1].max_limit = -1: must not be negative",
            "provider_configs[0].budgets[1].reset_duration = \"1x\": \
             expected a whole number and one of s m h d w M Q Y, as in \"30s\" or \"1M\"",
            "provider_configs[0].key_ids[0] = \"mian\": provider `openai` has no key of this name; did you mean `main`?",
            "provider_configs[0].wieght: unknown field; did you mean `weight`?",
            "rate_limit.request_max_limit = 0: expected a whole number, at least 1",
            "rate_limit.request_reset_duration: required with `request_max_limit`, but missing",
            "team_id = \"none\": no team has this id",
        ]
    );
    assert_eq!(store.snapshot.revision(), before);
}

#[test]
fn what_contradicts_the_policy_in_force_changes_nothing() {
    let mut store = Store::default();
    store.write(Kind::VirtualKey, "a", r#"{"name": "a", "value": "same"}"#);
    let error = store.try_write(Kind::VirtualKey, "b", r#"{"name": "b", "value": "same"}"#).unwrap_err();
    assert_eq!(error.to_string(), "virtual key `b`: virtual key `a` has the same value");
    assert_eq!(store.snapshot.key_count(), 1);
}

#[test]
fn a_key_keeps_what_it_spends_with_a_provider_when_its_share_changes() {
    let mut store = Store::default();
    store.write(Kind::Provider, "openai", r#"{"keys": [{"name": "main", "value": "sk"}]}"#);
    let config = |most: u32, weight: u32| {
        format!(
            r#"{{"name": "vk", "value": "token", "provider_configs": [{{"provider": "openai", "weight": {weight},
                "budgets": [{{"max_limit": {most}, "reset_duration": "1M"}}]}}]}}"#
        )
    };
    store.write(Kind::VirtualKey, "vk", &config(1, 1));
    let done = store.write(Kind::VirtualKey, "vk", &config(7, 2));
    assert_eq!(done.removed, []);
    let key = store.snapshot.key("vk").unwrap();
    let id = &key.providers[0].limits.budgets[0];
    assert_eq!(id.as_str(), "provider_config:vk/openai/1M");
    assert_eq!(store.snapshot.budget(id).unwrap().limit, NanoUsd(7_000_000_000));
}
