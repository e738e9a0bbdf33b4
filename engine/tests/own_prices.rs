//! From an override in a configuration to the accounts: held and charged is what the override says, on each of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use engine::hold::Sending;
use engine::ledger::{self, Ledger};
use policy::catalog::Catalog;
use policy::declare::{Vocabulary, read};
use policy::demand::Demand;
use policy::limit::{Accounts, BudgetStanding};
use policy::money::NanoUsd;
use policy::request::{Dialect, Operation, Request};
use policy::route::health::AllWell;
use policy::route::{Caller, Circumstances, Dice, Walk, plan};
use policy::snapshot::Snapshot;
use policy::usage::{Metered, Usage, UsageSource};
use policy::window::Now;
use serde_json::{Value, json};

const LIST: &str = r#"{"m": {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 1000,
    "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}"#;

struct First;

impl Dice for First {
    fn below(&mut self, _bound: u64) -> u64 {
        0
    }
}

/// A key of a team, openai with two keys, and these overrides.
fn world(overrides: &Value) -> Snapshot {
    let budgets = ["key", "team", "provider", "model"];
    let budgets = budgets.map(|id| json!({"id": id, "max_limit": 1000, "reset_duration": "1d"}));
    let config = json!({
        "providers": {"openai": {"keys": [{"name": "main", "value": "sk"}, {"name": "eu", "value": "sk", "weight": null}]}},
        "governance": {
            "budgets": budgets,
            "teams": [{"id": "ml", "name": "ML", "budget_id": "team"}],
            "providers": [{"name": "openai", "budget_id": "provider"}],
            "model_configs": [{"id": "m", "model_name": "m", "provider": "openai", "budget_id": "model"}],
            "virtual_keys": [{"id": "vk", "name": "vk", "value": "t", "team_id": "ml", "budget_id": "key",
                "allow_all_providers": true}],
            "pricing_overrides": overrides,
        },
    });
    let vocabulary = Vocabulary {
        vendors: &["openai"],
        without_address: &[],
        self_hosted: &[],
        vendors_later: &[],
        check_base_url: |_, _| Ok(()),
    };
    let (file, warnings) =
        read(&config.to_string(), |_| None, &vocabulary).unwrap_or_else(|error| panic!("{error:#?}"));
    assert_eq!(warnings, []);
    let mut catalog = Catalog::default();
    catalog.extend_from_json(LIST).unwrap();
    engine::compile::compile(&file, Arc::new(catalog)).unwrap()
}

/// The balance of each account that a call of the key touches: while it is under way, and after it was settled with ten tokens
/// of input and five of output.
fn balances(overrides: &Value) -> Vec<(BudgetStanding, BudgetStanding)> {
    let world = world(overrides);
    let caller = Caller { key: world.key("vk").cloned(), own_credential: None };
    let demand = Demand { text_bytes: 5_000, max_output: Some(100), choices: 1, ..Demand::default() };
    let request = Request { demand, ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, "m") };
    let mut circumstances = Circumstances { health: &AllWell, accounts: &(), dice: &mut First, seen: &mut () };
    let plan = plan(&world, caller.clone(), &request, &mut circumstances).unwrap();
    let walk = Walk::begin(plan, &mut circumstances);
    let (attempt, asked) = (walk.attempt().unwrap(), &walk.target().unwrap().model);

    let (ledger, now) = (Ledger::new(None, 1), Now::default());
    let wanted = ledger::Request {
        snapshot: &world,
        caller: &caller,
        asked,
        attempt,
        more_input: 0,
        may_clamp: false,
        is_admitted: false,
        now,
    };
    let (hold, _admission) = ledger.hold(&wanted).unwrap();
    let standings = || -> Vec<_> { world.budgets().map(|budget| ledger.at(now).of_budget(budget)).collect() };
    let held = standings();
    let usage = Usage { input: 10, output: 5, ..Usage::default() };
    let sent = hold.dispatch(&Sending { caller: &caller, attempt, admission: None, at_ms: 0 }).unwrap();
    sent.settle(&Metered { usage, source: UsageSource::Reported }, attempt.price(), 0);
    held.into_iter().zip(standings()).collect()
}

/// An override of both prices, in thousandths of a millionth of a dollar.
fn own(fields: &Value, input: u64, output: u64) -> Value {
    let nano = |amount: u64| format!("{amount}e-9");
    let patch = format!(r#"{{"input_cost_per_token": {}, "output_cost_per_token": {}}}"#, nano(input), nano(output));
    let mut one = json!({"id": format!("{input}"), "name": "own", "pattern": "m", "pricing_patch": patch});
    one.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    one
}

fn assert_priced(overrides: &Value, input: u64, output: u64) {
    let accounts = balances(overrides);
    assert_eq!(accounts.len(), 4, "key, team, provider, model");
    for (held, settled) in accounts {
        assert_eq!((held.held, held.spent), (NanoUsd(6_024 * input + 100 * output), NanoUsd::ZERO), "{overrides}");
        assert_eq!((settled.held, settled.spent), (NanoUsd::ZERO, NanoUsd(10 * input + 5 * output)), "{overrides}");
    }
}

#[test]
fn each_scopes_price_is_held_and_charged_on_every_account() {
    assert_priced(&json!([]), 1_000, 2_000);
    let of_key = json!({"scope_kind": "virtual_key", "virtual_key_id": "vk"});
    let scopes = [
        json!({}),
        json!({"scope_kind": "provider", "provider_id": "openai"}),
        json!({"scope_kind": "provider_key", "provider_key_id": "main"}),
        of_key,
        json!({"scope_kind": "virtual_key_provider", "virtual_key_id": "vk", "provider_id": "openai"}),
        json!({"scope_kind": "virtual_key_provider_key", "virtual_key_id": "vk", "provider_key_id": "main"}),
    ];
    let mut all = Vec::new();
    for (scope, place) in scopes.iter().zip(1_u64..) {
        let one = own(scope, place * 100, place * 1_000);
        assert_priced(&json!([one]), place * 100, place * 1_000);
        // With all that are less specific beside it, it still counts.
        all.push(one);
        assert_priced(&json!(all), place * 100, place * 1_000);
    }
}

#[test]
fn another_keys_price_is_not_charged() {
    let of_other = own(&json!({"scope_kind": "provider_key", "provider_key_id": "eu"}), 1, 1);
    assert_priced(&json!([of_other]), 1_000, 2_000);
}

#[test]
fn free_is_free() {
    assert_priced(&json!([own(&json!({}), 0, 0)]), 0, 0);
}
