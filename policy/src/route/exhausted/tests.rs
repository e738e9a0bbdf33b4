use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::health::AllWell;
use super::super::rule::{Failures, Rule, RuleScope, RuleTarget};
use super::super::tests::accounts::{Readings, budget, changed, limits, of_model, of_provider, rate_limit};
use super::super::tests::{Seeded, credential, key, listed, provider};
use super::super::{Circumstances, DropReason, Plan, Weight, plan};
use super::*;
use crate::catalog::Catalog;
use crate::decision::{Reason, Refusal};
use crate::key::{ProviderAccess, VirtualKey};
use crate::list::AllowList;
use crate::provider::Secret;
use crate::request::{Dialect, Operation, Request};
use crate::route::expr::Condition;
use crate::snapshot::Change;

/// Three providers that serve `m`; `a` has a second credential that calls it `m-eu`.
fn world(changes: impl IntoIterator<Item = Change>) -> Snapshot {
    let own = || credential("main", AllowList::only(["m"]), &[]);
    let second = credential("eu", AllowList::only(["m"]), &[("m", "m-eu")]);
    let providers = [
        provider("a", "openai", 0, vec![own(), second]),
        provider("b", "openai", 1, vec![own()]),
        provider("c", "openai", 2, vec![own()]),
    ];
    changed(Snapshot::default(), providers.into_iter().chain(changes))
}

fn request(model: &str) -> Request<'_> {
    Request::new(Dialect::OpenAi, Operation::ChatCompletion, model)
}

fn planned(world: &Snapshot, caller: Caller, request: &Request<'_>, accounts: &dyn Accounts) -> Result<Plan, Refusal> {
    let mut now = Circumstances { health: &AllWell, accounts, dice: &mut Seeded(7), seen: &mut () };
    plan(world, caller, request, &mut now)
}

/// The providers of an anonymous call's plan, and those that were dropped.
fn tried(world: &Snapshot, accounts: &dyn Accounts) -> (String, String) {
    let plan = planned(world, Caller::default(), &request("m"), accounts).unwrap();
    let tried = plan.targets.iter().map(|target| target.provider.name.as_str());
    let dropped = plan.dropped.iter().inspect(|dropped| assert_eq!(dropped.reason, DropReason::Exhausted));
    (tried.collect(), dropped.map(|dropped| dropped.provider.as_str()).collect())
}

fn both(tried: &str, dropped: &str) -> (String, String) {
    (tried.to_owned(), dropped.to_owned())
}

#[test]
fn a_target_whose_budget_is_spent_is_dropped() {
    let world = world([budget("b-month", 10), of_provider("b", limits(&["b-month"], ""))]);
    assert_eq!(tried(&world, &()), both("abc", ""));
    assert_eq!(tried(&world, &Readings::default().budget("b-month", 9, 1, 60)), both("abc", ""), "1 is only reserved");
    assert_eq!(tried(&world, &Readings::default().budget("b-month", 10, 0, 60)), both("ac", "b"));
    assert_eq!(tried(&world, &Readings::default().budget("b-month", 12, 0, 60)), both("ac", "b"));
}

#[test]
fn a_budget_of_nothing_is_exhausted_before_anything_is_spent() {
    let world = world([budget("none", 0), of_provider("a", limits(&["none"], ""))]);
    assert_eq!(tried(&world, &()), both("bc", "a"));
}

#[test]
fn one_spent_budget_of_several_is_enough() {
    let world = world([budget("day", 1), budget("month", 10), of_provider("a", limits(&["day", "month"], ""))]);
    assert_eq!(tried(&world, &Readings::default().budget("month", 10, 0, 60)), both("bc", "a"));
}

#[test]
fn a_target_whose_quota_or_concurrency_is_reached_is_dropped() {
    let world = world([rate_limit("rl", 10, 1_000, 5), of_provider("c", limits(&[], "rl"))]);
    let with = |counts| tried(&world, &Readings::default().rate("rl", counts, 60));
    assert_eq!(with([9, 999, 999, 4]), both("abc", ""));
    for counts in [[10, 0, 0, 0], [0, 1_000, 0, 0], [0, 1_000, 1_000, 0], [0, 0, 0, 5]] {
        assert_eq!(with(counts), both("ab", "c"), "{counts:?}");
    }
}

#[test]
fn a_models_limits_count_with_and_without_its_provider() {
    let spent = Readings::default().budget("x", 5, 0, 60);
    let limit = |provider: &str| world([budget("x", 5), of_model(provider, "m", limits(&["x"], ""))]);
    assert_eq!(tried(&limit("b"), &spent), both("ac", "b"));
    let all = planned(&limit(""), Caller::default(), &request("m"), &spent).unwrap_err();
    assert_eq!(all.reason, Reason::BudgetExceeded);
    assert!(all.message.contains("of model `m`"), "{}", all.message);
}

#[test]
fn a_target_is_dropped_when_all_of_its_credentials_names_are_exhausted() {
    let resolved = || [budget("x", 5), of_model("a", "m-eu", limits(&["x"], ""))];
    let spent = Readings::default().budget("x", 5, 0, 60);
    assert_eq!(tried(&world(resolved()), &spent), both("abc", ""), "`main` calls it `m`");
    let alone = credential("eu", AllowList::only(["m"]), &[("m", "m-eu")]);
    let world = changed(world(resolved()), [provider("a", "openai", 0, vec![alone])]);
    assert_eq!(tried(&world, &spent), both("bc", "a"));
}

#[test]
fn a_model_is_limited_under_its_name_in_the_price_list() {
    let mut catalog = Catalog::default();
    let prices = r#"{"listed": {"litellm_provider":"openai","mode":"chat","input_cost_per_token":1e-06,
        "output_cost_per_token":2e-06}}"#;
    catalog.extend_from_json(prices).unwrap();
    let main = credential("main", AllowList::only(["m"]), &[("m", "listed")]);
    let changes = [
        Change::Catalog(Arc::new(catalog)),
        provider("a", "openai", 0, vec![main]),
        budget("x", 5),
        of_model("", "listed", limits(&["x"], "")),
    ];
    assert_eq!(tried(&world(changes), &Readings::default().budget("x", 5, 0, 60)), both("bc", "a"));
}

fn with_access(limits_of_b: crate::limit::Limits, of_key: crate::limit::Limits) -> Caller {
    let access = |name: &str| listed(name, AllowList::All, Some("1"));
    let b = ProviderAccess { limits: limits_of_b, ..access("b") };
    let mut caller = key(vec![access("a"), b, access("c")]);
    let own = VirtualKey { limits: of_key, ..(**caller.key.as_ref().unwrap()).clone() };
    caller.key = Some(Arc::new(own));
    caller
}

#[test]
fn what_a_key_may_spend_at_a_provider_takes_only_that_one_out() {
    let world = world([budget("config", 5)]);
    let caller = with_access(limits(&["config"], ""), limits(&[], ""));
    let spent = Readings::default().budget("config", 5, 0, 60);
    let plan = planned(&world, caller, &request("m"), &spent).unwrap();
    assert!(plan.targets.iter().all(|target| target.provider.name.as_str() != "b") && plan.targets.len() == 2);
}

#[test]
fn the_callers_own_limits_are_left_to_the_hold() {
    let world = world([budget("key", 5)]);
    let caller = with_access(limits(&[], ""), limits(&["key"], ""));
    let spent = Readings::default().budget("key", 5, 0, 60);
    assert_eq!(planned(&world, caller, &request("m"), &spent).unwrap().targets.len(), 3);
}

#[test]
fn calls_that_cost_nothing_use_exhausted_targets() {
    let world = world([budget("none", 0), of_provider("a", limits(&["none"], ""))]);
    let request = Request::new(Dialect::OpenAi, Operation::CountTokens, "a/m");
    assert_eq!(planned(&world, Caller::default(), &request, &()).unwrap().targets.len(), 1);
}

#[test]
fn a_callers_own_credential_goes_nowhere_else_when_its_target_is_exhausted() {
    let world = world([budget("none", 0), of_provider("a", limits(&["none"], ""))]);
    let own = Caller { key: None, own_credential: Some(Secret::new("sk-proj-x")) };
    let refusal = planned(&world, own.clone(), &request("m"), &()).unwrap_err();
    assert_eq!(refusal.message, "budget `none` of provider `a` is 0.00 USD: it lets nothing through");
    let free = planned(&changed(world, [of_provider("a", limits(&[], ""))]), own, &request("m"), &()).unwrap();
    assert_eq!(free.targets[0].provider.name.as_str(), "a");
}

#[test]
fn a_fallback_that_is_exhausted_is_passed_over() {
    let world = world([budget("none", 0), of_provider("b", limits(&["none"], ""))]);
    let fallbacks = ["b/m".to_owned(), "c/m".to_owned()];
    let request = Request { fallbacks: Some(&fallbacks), ..request("a/m") };
    let plan = planned(&world, Caller::default(), &request, &()).unwrap();
    assert_eq!(plan.targets.iter().map(|one| one.provider.name.as_str()).collect::<String>(), "ac");
    assert_eq!(plan.dropped[0].reason, DropReason::Exhausted);
}

fn split(weights: [(&str, &str); 3]) -> Change {
    let target = |(provider, weight): (&str, &str)| RuleTarget {
        provider: Some(provider.into()),
        model: None,
        credential: None,
        weight: Weight::from_text(weight).unwrap(),
    };
    Change::PutRule(Arc::new(Rule {
        id: "split".into(),
        name: "split".into(),
        scope: RuleScope::Global,
        priority: 0,
        order: 0,
        condition: Arc::new(Condition::always()),
        targets: weights.map(target).into(),
        fallbacks: Some(Arc::from([])),
        is_chained: false,
        balance: None,
        failures: Failures::default(),
    }))
}

/// How often each provider comes first in so many plans.
fn firsts(world: &Snapshot, caller: &Caller, plans: u32, accounts: &dyn Accounts) -> BTreeMap<String, u32> {
    let mut firsts = BTreeMap::new();
    let mut dice = Seeded(3);
    for _ in 0..plans {
        let mut now = Circumstances { health: &AllWell, accounts, dice: &mut dice, seen: &mut () };
        let plan = plan(world, caller.clone(), &request("m"), &mut now).unwrap();
        *firsts.entry(plan.targets[0].provider.name.to_string()).or_default() += 1;
    }
    firsts
}

#[test]
fn the_weights_of_the_others_are_shared_anew_inside_rules_and_without() {
    let limit = || [budget("none", 0), of_provider("b", limits(&["none"], ""))];
    let ruled = world(limit().into_iter().chain([split([("a", "0.3"), ("b", "0.6"), ("c", "0.1")])]));
    let weighted = key([("a", "3"), ("b", "6"), ("c", "1")].map(|(n, w)| listed(n, AllowList::All, Some(w))).into());
    for (world, caller) in [(ruled, Caller::default()), (world(limit()), weighted)] {
        let firsts = firsts(&world, &caller, 4_000, &());
        assert_eq!(firsts.keys().collect::<Vec<_>>(), ["a", "c"]);
        assert!((2_850..3_150).contains(&firsts["a"]), "{firsts:?}");
    }
}

#[test]
fn sessions_of_the_others_stay_where_they_are() {
    let caller = key(["a", "b", "c"].map(|name| listed(name, AllowList::All, Some("1"))).into());
    let limit = || [budget("x", 5), of_provider("b", limits(&["x"], ""))];
    let (world, spent) = (world(limit()), Readings::default().budget("x", 5, 0, 60));
    let mut homes = BTreeSet::new();
    for session in 0..60 {
        let headers = [("x-bf-session-id", format!("s{session}"))];
        let headers: BTreeMap<_, _> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let home = |accounts: &dyn Accounts| {
            let fields = Headers(&headers);
            let request = Request { headers: &fields, ..request("m") };
            planned(&world, caller.clone(), &request, accounts).unwrap().targets[0].provider.name.clone()
        };
        let before = home(&());
        if before.as_str() != "b" {
            assert_eq!(home(&spent), before);
        }
        homes.insert(before.to_string());
    }
    assert_eq!(homes.len(), 3);
}

#[derive(Debug)]
struct Headers<'a>(&'a BTreeMap<&'a str, &'a str>);

impl crate::request::Fields for Headers<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).copied()
    }

    fn each(&self, see: &mut dyn FnMut(&str, &str)) {
        self.0.iter().for_each(|(name, value)| see(name, value));
    }
}

#[test]
fn the_refusal_is_that_of_the_target_that_is_free_soonest() {
    let world = world([
        budget("month", 10),
        rate_limit("hour", 10, 0, 0),
        of_provider("a", limits(&["month"], "")),
        of_provider("b", limits(&[], "hour")),
        of_provider("c", limits(&["month"], "hour")),
    ]);
    let readings = Readings::default().budget("month", 10, 0, 86_400).rate("hour", [10, 0, 0, 0], 42);
    let refusal = planned(&world, Caller::default(), &request("m"), &readings).unwrap_err();
    assert_eq!(refusal.reason, Reason::RequestLimited);
    assert_eq!(
        refusal.message,
        "rate limit `hour` of provider `b`: 10 of 10 requests in 1h are used; the next is free in 42 s"
    );
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(42)));
    assert_eq!(refusal.limits.unwrap().requests.as_ref().unwrap().left, 0);
    let later = readings.rate("hour", [10, 0, 0, 0], 86_401);
    let refusal = planned(&world, Caller::default(), &request("m"), &later).unwrap_err();
    assert_eq!(
        refusal.message,
        "budget `month` of provider `a` is spent: 10.00 of 10.00 USD used, 0.00 reserved; it resets at 2026-11-22T12:00:00Z"
    );
    assert_eq!((refusal.reason.status(), refusal.retry_after), (402, Some(Duration::from_secs(86_400))));
}

#[test]
fn each_kind_of_exhaustion_has_its_reason() {
    let world = world([rate_limit("rl", 10, 1_000, 5), of_provider("a", limits(&[], "rl"))]);
    let cases = [
        ([10, 0, 0, 0], Reason::RequestLimited, 42),
        ([0, 1_000, 0, 0], Reason::TokenLimited, 42),
        ([10, 1_000, 0, 5], Reason::RateLimited, 42),
        ([0, 1_000, 1, 0], Reason::TokenLimited, 1),
        ([0, 0, 0, 5], Reason::ConcurrencyLimited, 1),
    ];
    for (counts, reason, wait_s) in cases {
        let readings = Readings::default().rate("rl", counts, 42);
        let refusal = planned(&world, Caller::default(), &request("a/m"), &readings).unwrap_err();
        assert_eq!((refusal.reason, refusal.retry_after), (reason, Some(Duration::from_secs(wait_s))), "{counts:?}");
    }
}

#[test]
fn exhausted_is_nearer_than_any_other_reason() {
    let denied = listed("a", AllowList::nothing(), Some("1"));
    let spent = ProviderAccess { limits: limits(&["x"], ""), ..listed("b", AllowList::All, Some("1")) };
    let world = world([budget("x", 5)]);
    let readings = Readings::default().budget("x", 5, 0, 20);
    let refusal = planned(&world, key(vec![spent, denied]), &request("m"), &readings).unwrap_err();
    assert!(
        refusal.message.starts_with("budget `x` of the virtual key's use of provider `b` is spent"),
        "{}",
        refusal.message
    );
    assert!(!refusal.is_final(), "it resets in 20 s");
}

#[test]
fn without_a_moment_nobody_is_told_how_long_to_wait_for_money() {
    #[derive(Debug)]
    struct Timeless(Readings);
    impl Accounts for Timeless {
        fn of_budget(&self, budget: &Budget) -> BudgetStanding {
            self.0.of_budget(budget)
        }
        fn of_rate_limit(&self, limit: &RateLimit) -> RateStanding {
            self.0.of_rate_limit(limit)
        }
    }
    let world = world([budget("x", 5), of_provider("a", limits(&["x"], ""))]);
    let readings = Timeless(Readings::default().budget("x", 5, 0, 20));
    let refusal = planned(&world, Caller::default(), &request("a/m"), &readings).unwrap_err();
    assert_eq!((refusal.reason, refusal.retry_after), (Reason::BudgetExceeded, None));
    assert!(refusal.message.ends_with("it resets at 2026-11-21T12:00:20Z"), "{}", refusal.message);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn exactly_those_are_planned_that_have_something_left(
        of_provider_spent in proptest::array::uniform3(0_u64..=6),
        of_model_used in proptest::array::uniform3(0_u64..=6),
        of_any_used in 0_u64..=6,
    ) {
        let names = ["a", "b", "c"];
        let each = names.iter().flat_map(|name| [
            budget(&format!("b-{name}"), 5),
            of_provider(name, limits(&[&format!("b-{name}")], "")),
            rate_limit(&format!("r-{name}"), 5, 0, 0),
            of_model(name, "m", limits(&[], &format!("r-{name}"))),
        ]);
        let any = [rate_limit("r-any", 0, 5, 0), of_model("", "m", limits(&[], "r-any"))];
        let second = credential("main", AllowList::only(["m"]), &[]);
        let world = changed(world(each.chain(any)), [provider("a", "openai", 0, vec![second])]);
        let mut readings = Readings::default().rate("r-any", [0, of_any_used, 0, 0], 9);
        let mut left = String::new();
        for (index, name) in names.iter().enumerate() {
            let (spent, used) = (of_provider_spent[index], of_model_used[index]);
            readings = readings.budget(&format!("b-{name}"), spent, 100, 9).rate(&format!("r-{name}"), [used, 0, 0, 0], 9);
            if spent < 5 && used < 5 && of_any_used < 5 {
                left.push_str(name);
            }
        }
        let plan = planned(&world, Caller::default(), &request("m"), &readings);
        let tried = |plan: Plan| plan.targets.iter().map(|one| one.provider.name.to_string()).collect::<String>();
        match plan {
            Ok(plan) => prop_assert_eq!(tried(plan), left),
            Err(refusal) => {
                prop_assert!(left.is_empty());
                prop_assert!(matches!(refusal.reason, Reason::BudgetExceeded | Reason::RequestLimited | Reason::TokenLimited));
            }
        }
    }
}
