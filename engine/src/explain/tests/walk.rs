//! What is told is what happens: random small worlds, their plans replayed.

use std::collections::BTreeMap;

use policy::provider::Provider;
use policy::route::health::{Mark, Reading, Route, State};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::*;

const PROVIDERS: [&str; 3] = ["a", "b", "c"];
const CREDENTIALS: [&str; 2] = ["one", "two"];
const MODELS: [&str; 3] = ["m", "n", "own"];

/// How each provider's credentials do.
#[derive(Clone, Debug)]
struct Readings(Vec<Reading>);

impl Health for Readings {
    fn reading(&self, route: Route<'_>) -> Reading {
        let place = |names: &[&str], name: &str| names.iter().position(|one| *one == name).unwrap();
        let provider = place(&PROVIDERS, route.provider.name.as_str());
        let credential = route.credential.name.as_str().trim_start_matches(['a', 'b', 'c', '-']);
        self.0[provider * CREDENTIALS.len() + place(&CREDENTIALS, credential)]
    }

    fn take_retry(&self, _provider: &Provider) -> bool {
        true
    }
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let states = vec![
        State::Up,
        State::Up,
        State::Up,
        State::Up,
        State::Up,
        State::Probe,
        State::Marked { until_ms: 5, mark: Mark::Throttled },
        State::Marked { until_ms: 3, mark: Mark::Refused },
        State::Down { until_ms: 7 },
    ];
    (select(states), select(vec![1_000_u16, 1_000, 300]), select(vec![0_u64, 1_000, 50_000]), 0..3_u32)
        .prop_map(|(state, share, latency_us, waiting)| Reading { state, share, latency_us, waiting, ..Reading::WELL })
}

fn any_provider(name: &'static str) -> impl Strategy<Value = Value> {
    let credential = move |credential: &'static str| {
        let models = subsequence(MODELS.to_vec(), 2..=3);
        (models, select(vec![json!(1), json!(1), json!(3), json!(0), Value::Null])).prop_map(move |(models, weight)| {
            json!({"name": format!("{name}-{credential}"), "value": "sk", "models": models, "weight": weight})
        })
    };
    (credential(CREDENTIALS[0]), credential(CREDENTIALS[1])).prop_map(|(one, two)| {
        json!({"keys": [one, two], "network_config": {"base_url": "http://localhost"},
            "custom_provider_config": {"base_provider_type": "openai"}})
    })
}

fn any_balance() -> impl Strategy<Value = &'static str> {
    select(vec!["weighted", "adaptive"])
}

fn any_target() -> impl Strategy<Value = Value> {
    let credential = prop::option::weighted(0.2, select(CREDENTIALS.to_vec()));
    (prop::option::of(select(PROVIDERS.to_vec())), prop::option::of(select(MODELS.to_vec())), credential).prop_map(
        |(provider, model, credential)| {
            let mut target = json!({"provider": provider.unwrap_or(""), "model": model.unwrap_or("")});
            if let Some((provider, credential)) = provider.zip(credential) {
                target["key_id"] = json!(format!("{provider}-{credential}"));
            }
            target
        },
    )
}

/// A rule, but for its id.
fn any_rule() -> impl Strategy<Value = Value> {
    let targets = prop::collection::vec(any_target(), 1..=3);
    let weights = select(vec![[json!(0.5), json!(0.3), json!(0.2)], [json!(1), json!(0), json!(0)]]);
    let fallbacks = prop::option::of(subsequence(vec!["b", "c", "a/n", "c/own"], 0..=2));
    let expression = select(vec!["", "model == 'm'", "provider == ''", "model != 'own'"]);
    let scope = select(vec![("global", ""), ("global", ""), ("team", "t"), ("virtual_key", "k"), ("customer", "u")]);
    let rest = (0..3, any::<bool>(), prop::option::of(any_balance()));
    (targets, weights, fallbacks, expression, scope, rest).prop_map(
        |(mut targets, weights, fallbacks, expression, (scope, scope_id), (priority, is_chained, balance))| {
            let weights = match targets.len() {
                1 => vec![json!(1)],
                2 => vec![json!(0.7), json!(0.3)],
                _ => weights.to_vec(),
            };
            for (target, weight) in targets.iter_mut().zip(weights) {
                target["weight"] = weight;
            }
            let mut rule = json!({"cel_expression": expression, "targets": targets, "scope": scope,
                "priority": priority, "chain_rule": is_chained});
            let others =
                [("fallbacks", fallbacks.map(|list| json!(list))), ("load_balancing", balance.map(|one| json!(one)))];
            let id = (!scope_id.is_empty()).then(|| json!(scope_id));
            for (name, value) in others.into_iter().chain([("scope_id", id)]) {
                if let Some(value) = value {
                    rule[name] = value;
                }
            }
            rule
        },
    )
}

fn any_key() -> impl Strategy<Value = Value> {
    let access = (select(vec![json!(1), json!(1), json!(2), json!(0), Value::Null]), any::<bool>());
    let accesses = prop::collection::vec(access, 3);
    (subsequence(vec![0, 1, 2], 2..=3), accesses, prop::option::of(any_balance())).prop_map(
        |(allowed, accesses, balance)| {
            let configs: Vec<_> = allowed
                .into_iter()
                .zip(accesses)
                .map(|(place, (weight, names_second)): (usize, _)| {
                    let provider = PROVIDERS[place];
                    let second = json!([format!("{provider}-one"), format!("{provider}-two")]);
                    let keys = if names_second { second } else { json!(["*"]) };
                    json!({"provider": provider, "weight": weight, "key_ids": keys})
                })
                .collect();
            let mut key =
                json!({"id": "k", "name": "k", "value": "token", "team_id": "t", "provider_configs": configs});
            if let Some(balance) = balance {
                key["load_balancing"] = json!(balance);
            }
            key
        },
    )
}

fn any_world() -> impl Strategy<Value = Snapshot> {
    let providers = (any_provider("a"), any_provider("b"), any_provider("c"));
    let rules = prop::collection::vec(any_rule(), 0..4);
    (providers, rules, any_key(), any_balance(), any::<bool>()).prop_map(
        |((a, b, c), mut rules, key, balance, sticks)| {
            for (rule, place) in rules.iter_mut().zip(0..) {
                rule["id"] = json!(format!("r{place}"));
                rule["name"] = json!(format!("r{place}"));
            }
            let file = json!({
                "client": {"load_balancing": balance, "prompt_cache_affinity": sticks},
                "providers": {"a": a, "b": b, "c": c},
                "governance": {"virtual_keys": [key], "routing_rules": rules,
                    "customers": [{"id": "u", "name": "u"}], "teams": [{"id": "t", "name": "t", "customer_id": "u"}]},
            });
            let vocabulary = Vocabulary {
                vendors: &["openai"],
                without_address: &[],
                self_hosted: &[],
                vendors_later: &[],
                check_base_url: |_, _| Ok(()),
            };
            let (file, _) =
                read(&file.to_string(), |_| None, &vocabulary).unwrap_or_else(|problems| panic!("{problems:#?}"));
            compile(&file, Arc::default()).unwrap()
        },
    )
}

/// A request: its model, the fallbacks that it names, and its body.
#[derive(Clone, Debug)]
struct Asked {
    model: &'static str,
    fallbacks: Option<Vec<String>>,
    body: Vec<u8>,
    is_anonymous: bool,
}

fn any_asked() -> impl Strategy<Value = Asked> {
    let fallbacks = prop::option::weighted(0.3, subsequence(vec!["b".to_owned(), "own".into(), "c/m".into()], 0..=2));
    let body = select(vec![Vec::new(), vec![b'x'; 3_000]]);
    (select(vec!["m", "m", "n", "n", "own", "a/m", "b/own", "other"]), fallbacks, body, prop::bool::weighted(0.3))
        .prop_map(|(model, fallbacks, body, is_anonymous)| Asked { model, fallbacks, body, is_anonymous })
}

/// An attempt by name: provider, model asked for, credential that a rule pinned, credential used.
type Named = [String; 4];

fn named(target: &Target, attempt: &Attempt) -> Named {
    let pinned = target.pinned.as_ref().map(ToString::to_string).unwrap_or_default();
    [target.provider.name.to_string(), target.model.to_string(), pinned, attempt.credential.name.to_string()]
}

/// What becomes of a call: its targets and its first attempt, `None` where it has none; or the refusal.
type Outcome = Result<(Plan, Option<Named>), Refusal>;

fn once(
    snapshot: &Snapshot,
    caller: &Caller,
    request: &Request<'_>,
    health: &Readings,
    dice: &mut SeededDice,
) -> Outcome {
    let mut now = Circumstances { health, accounts: &(), dice, seen: &mut () };
    match admit(snapshot, caller.clone(), request, &mut now) {
        Decision::Refuse(refusal) => Err(refusal),
        Decision::Admit(plan) => {
            let walk = Walk::begin(plan.clone(), &mut now);
            let first = walk.target().zip(walk.attempt()).map(|(target, attempt)| named(target, attempt));
            Ok((plan, first))
        }
    }
}

/// First attempts with how often each came; `None` counts the calls that were refused.
type Counts = BTreeMap<Option<Named>, u32>;

fn count(counts: &mut Counts, outcome: &Outcome) {
    let first = outcome.as_ref().ok().map(|(_, first)| first.clone().expect("a plan has a first attempt"));
    *counts.entry(first).or_default() += 1;
}

fn told_counts(told: &Explanation) -> Counts {
    let firsts = told.targets.iter().flat_map(|target| {
        let attempts = target.attempts.iter().filter(|attempt| attempt.times_first > 0);
        attempts.map(|one| (Some(named(&target.target, &one.attempt)), one.times_first))
    });
    firsts.chain(told.refusal.as_ref().map(|(_, times)| (None, *times))).collect()
}

fn targets(plan: &Plan) -> Vec<(String, String, Option<CredentialName>)> {
    let name = |one: &Target| (one.provider.name.to_string(), one.model.to_string(), one.pinned.clone());
    plan.targets.iter().map(name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Replayed with the dice of the explanation, the same plan and as many of each first attempt come out; with other
    /// dice, the same first attempts, but for rare ones.
    #[test]
    fn an_explanation_tells_what_plans_and_walks_do(
        snapshot in any_world(),
        readings in prop::collection::vec(any_reading(), PROVIDERS.len() * CREDENTIALS.len()),
        asked in any_asked(),
    ) {
        let health = Readings(readings);
        let caller = if asked.is_anonymous { Caller::default() } else { caller(&snapshot) };
        let request = Request {
            fallbacks: asked.fallbacks.as_deref(),
            body: &asked.body,
            ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, asked.model)
        };
        let books = Books { ledger: &Ledger::new(None, 0), now: Now::default() };
        let told = explain(&snapshot, &caller, &request, &health, books);
        let told_counts = told_counts(&told);

        let (mut dice, mut replayed) = (SeededDice::new(0), Counts::new());
        let mut planned = None;
        for _ in 0..told.plans {
            let outcome = once(&snapshot, &caller, &request, &health, &mut dice);
            count(&mut replayed, &outcome);
            planned = planned.or_else(|| outcome.ok().map(|(plan, _)| targets(&plan)));
        }
        prop_assert_eq!(&told_counts, &replayed);
        prop_assert_eq!(told.plan.as_ref().map(targets), planned);

        let mut others = Counts::new();
        for seed in 1..=2_000 {
            count(&mut others, &once(&snapshot, &caller, &request, &health, &mut SeededDice::new(seed)));
        }
        let is_rare = |(_, times): &(&_, &u32), of: u32| **times * 50 < of;
        for (first, times) in others.iter().filter(|one| !is_rare(one, 2_000)) {
            prop_assert!(told_counts.contains_key(first), "{times} times {first:?} is not told: {told_counts:?}");
        }
        for (first, times) in told_counts.iter().filter(|one| !is_rare(one, told.plans)) {
            prop_assert!(others.contains_key(first), "{first:?}, told {times} times, never comes: {others:?}");
        }
        if told.plans == 1 {
            prop_assert_eq!(others.keys().collect::<Vec<_>>(), told_counts.keys().collect::<Vec<_>>(), "there is no chance");
        }
    }
}
