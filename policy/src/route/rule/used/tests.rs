use std::cell::RefCell;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::super::health::AllWell;
use super::super::super::tests::accounts::{Readings, budget, changed, limits, of_model, of_provider, rate_limit, usd};
use super::super::super::tests::{Seeded, credential, key, listed, provider};
use super::super::super::{Caller, Circumstances, Weight, plan};
use super::super::{Failures, Rule, RuleScope, RuleTarget};
use super::*;
use crate::catalog::Catalog;
use crate::key::{ProviderAccess, VirtualKey};
use crate::limit::{Accounts, Budget, BudgetStanding, RateLimit, RateStanding};
use crate::list::AllowList;
use crate::request::{Dialect, Operation, Request};
use crate::route::expr::Condition;
use crate::snapshot::{Change, Customer, Snapshot, Team};

/// Sends a call to `to/m`.
fn rule(order: u32, expression: &str, to: &str) -> Rule {
    let target =
        RuleTarget { provider: Some(to.into()), model: Some("m".into()), credential: None, weight: Weight::ONE };
    Rule {
        id: format!("r{order}").into(),
        name: "a rule".into(),
        scope: RuleScope::Global,
        priority: 0,
        order,
        condition: Arc::new(Condition::compile(expression).unwrap()),
        targets: vec![target],
        fallbacks: Some(Arc::from([])),
        is_chained: false,
        balance: None,
        failures: Failures::default(),
    }
}

/// Providers `a`, `b` and `c` that serve any model. Everything has a budget and a rate limit of its own, which
/// are named after it.
fn world(rules: impl IntoIterator<Item = Rule>) -> Snapshot {
    let serves = |name: &str, order| provider(name, "openai", order, vec![credential("main", AllowList::All, &[])]);
    let both = |name: &str| [budget(name, 100), rate_limit(&format!("rl-{name}"), 1_000, 10_000, 0)];
    let all = ["key", "team", "customer", "config", "provider", "model", "any"].iter().flat_map(|name| both(name));
    let of = |name: &str| limits(&[name], &format!("rl-{name}"));
    let customer = Customer { id: "customer".into(), name: "Customer".into(), limits: of("customer") };
    let team = Team { id: "team".into(), name: "Team".into(), customer: Some("customer".into()), limits: of("team") };
    let rest = [
        Change::PutCustomer(Arc::new(customer)),
        Change::PutTeam(Arc::new(team)),
        of_provider("a", of("provider")),
        of_model("a", "m", of("model")),
        of_model("", "m", of("any")),
    ];
    let providers = [serves("a", 0), serves("b", 1), serves("c", 2)];
    let rules = rules.into_iter().map(|rule| Change::PutRule(Arc::new(rule)));
    changed(Snapshot::default(), providers.into_iter().chain(all).chain(rest).chain(rules))
}

fn caller() -> Caller {
    let access = |name: &str| listed(name, AllowList::All, Some("1"));
    let a = ProviderAccess { limits: limits(&["config"], "rl-config"), ..access("a") };
    let mut caller = key(vec![a, access("b"), access("c")]);
    let plain = (**caller.key.as_ref().unwrap()).clone();
    let own = VirtualKey { limits: limits(&["key"], "rl-key"), team: Some("team".into()), ..plain };
    caller.key = Some(Arc::new(own));
    caller
}

/// The provider that a call is sent to, or `-` where it is refused, and the rules that matched.
fn sent(world: &Snapshot, caller: Caller, model: &str, accounts: &dyn Accounts) -> (String, usize) {
    let request = Request::new(Dialect::OpenAi, Operation::ChatCompletion, model);
    let mut now = Circumstances { health: &AllWell, accounts, dice: &mut Seeded(7), seen: &mut () };
    plan(world, caller, &request, &mut now)
        .map_or_else(|_| ("-".to_owned(), 0), |plan| (plan.targets[0].provider.name.to_string(), plan.rules.len()))
}

fn matches(expression: &str, caller: Caller, model: &str, accounts: &dyn Accounts) -> bool {
    let matched = sent(&world([rule(0, expression, "c")]), caller, model, accounts).1;
    matched > 0
}

#[test]
fn any_kind_of_number_can_be_compared_with() {
    let half = Readings::default().budget("key", 50, 0, 60);
    for (expression, expected) in [
        ("budget_used > 49", true),
        ("budget_used > 49.9", true),
        ("budget_used >= 50", true),
        ("budget_used == 50", true),
        ("budget_used == 50.0", true),
        ("50u <= budget_used", true),
        ("49 < budget_used && budget_used < 51", true),
        ("budget_used > 50", false),
        ("budget_used > 50.0", false),
        ("double(51) < budget_used", false),
        ("budget_used in [50.0]", true),
        ("budget_used + 10.0 > 59.0", true),
        ("tokens_used > 0 || requests_used > 0", false),
        ("type(budget_used) == double", true),
        ("int(budget_used) == 50", true),
    ] {
        assert_eq!(matches(expression, caller(), "m", &half), expected, "{expression}");
    }
}

#[test]
fn what_is_reserved_counts_and_more_than_all_can_be_used() {
    let readings = Readings::default().budget("key", 79, 2, 60).rate("rl-key", [1_500, 5_000, 0, 0], 60);
    assert!(matches("budget_used == 81", caller(), "m", &readings));
    assert!(matches("requests_used == 150 && tokens_used == 50", caller(), "m", &readings));
}

#[test]
fn each_level_can_be_the_tightest() {
    for level in ["key", "team", "customer"] {
        let readings = Readings::default().budget(level, 90, 0, 60).rate(&format!("rl-{level}"), [9, 800, 0, 0], 60);
        for model in ["m", "b/m", "a/m"] {
            let expression = "budget_used == 90 && tokens_used == 8 && requests_used == 0.9";
            assert!(matches(expression, caller(), model, &readings), "{level} {model}");
        }
    }
}

#[test]
fn limits_of_a_provider_and_its_model_count_where_the_provider_is_named() {
    for level in ["config", "provider", "model", "any"] {
        let readings = Readings::default().budget(level, 90, 0, 60).rate(&format!("rl-{level}"), [900, 0, 0, 0], 60);
        let both = "budget_used == 90 && requests_used == 90";
        assert!(matches(both, caller(), "a/m", &readings), "{level}");
        assert!(!matches("budget_used > 0 || requests_used > 0", caller(), "m", &readings), "{level}: nobody is named");
        let of_b = matches(both, caller(), "b/m", &readings);
        assert_eq!(of_b, level == "any", "{level}");
    }
}

#[test]
fn a_model_counts_under_its_name_in_the_price_list_too() {
    let prices = r#"{"base": {"litellm_provider":"openai","mode":"chat","input_cost_per_token":1e-06,
        "output_cost_per_token":2e-06}}"#;
    let mut catalog = Catalog::default();
    catalog.extend_from_json(prices).unwrap();
    let world = changed(
        world([rule(0, "budget_used == 40", "c")]),
        [Change::Catalog(Arc::new(catalog)), budget("x", 10), of_model("", "base", limits(&["x"], ""))],
    );
    let readings = Readings::default().budget("x", 4, 0, 60);
    assert_eq!(sent(&world, caller(), "a/base-latest", &readings).1, 1);
}

#[test]
fn where_there_is_no_limit_nothing_is_used() {
    let nothing = "budget_used == 0.0 && tokens_used == 0.0 && requests_used == 0.0";
    let full = Readings::default().budget("key", 100, 0, 60);
    assert!(matches(nothing, Caller::default(), "m", &full));
    assert!(matches(nothing, caller(), "a/m", &()));
}

#[test]
fn a_budget_of_nothing_is_used_up() {
    let world = changed(
        world([rule(0, "budget_used == 100", "c")]),
        [budget("none", 0), of_provider("b", limits(&["none"], ""))],
    );
    assert_eq!(sent(&world, caller(), "b/m", &()).1, 1);
}

#[test]
fn a_rule_can_send_calls_elsewhere_before_a_budget_is_spent() {
    let world = world([rule(0, "budget_used > 80", "b"), rule(1, "budget_used <= 80", "c")]);
    for (spent, to) in [(0, "c"), (80, "c"), (81, "b"), (100, "b"), (80, "c")] {
        let readings = Readings::default().budget("team", spent, 0, 60);
        assert_eq!(sent(&world, caller(), "m", &readings), (to.to_owned(), 1), "{spent}: answers are not remembered");
    }
}

#[test]
fn a_chained_rule_sees_what_is_used_of_the_provider_it_chose() {
    let first = Rule { is_chained: true, ..rule(0, "provider == ''", "a") };
    let world = world([first, rule(1, "provider == 'a' && requests_used > 80", "b")]);
    let busy = Readings::default().rate("rl-provider", [801, 0, 0, 0], 60);
    assert_eq!(sent(&world, caller(), "m", &busy), ("b".to_owned(), 2));
    assert_eq!(sent(&world, caller(), "m", &()), ("a".to_owned(), 1));
}

/// Counts how often each budget is read, and reads more with each time.
#[derive(Debug, Default)]
struct Restless(RefCell<u64>);

impl Accounts for Restless {
    fn of_budget(&self, budget: &Budget) -> BudgetStanding {
        let mut count = self.0.borrow_mut();
        if budget.id.as_str() != "key" {
            return BudgetStanding::default();
        }
        *count += 1;
        BudgetStanding { spent: usd(40 * *count), ..BudgetStanding::default() }
    }

    fn of_rate_limit(&self, _limit: &RateLimit) -> RateStanding {
        RateStanding::default()
    }
}

#[test]
fn all_rules_of_a_request_see_the_same_reading() {
    let chained = Rule { is_chained: true, ..rule(1, "budget_used == 40 && provider == ''", "b") };
    let world =
        world([rule(0, "budget_used > 40", "a"), chained, rule(2, "budget_used == 40 && provider == 'b'", "c")]);
    let accounts = Restless::default();
    assert_eq!(sent(&world, caller(), "m", &accounts), ("c".to_owned(), 2));
    assert_eq!(*accounts.0.borrow(), 1, "it is read once");
}

#[test]
fn nothing_is_read_for_rules_that_do_not_ask() {
    let world = world([rule(0, "model == 'x'", "b"), rule(1, "virtual_key_id == 'x'", "c")]);
    let accounts = Restless::default();
    sent(&world, caller(), "m", &accounts);
    assert_eq!(*accounts.0.borrow(), 0);
}

proptest! {
    #[test]
    fn percents_are_those_of_the_fullest(
        spent in prop::collection::vec((0_u64..=300, 0_u64..=50), 3),
        counts in prop::collection::vec((0_u64..=3_000, 0_u64..=30_000), 3),
    ) {
        let mut readings = Readings::default();
        for (index, level) in ["key", "team", "customer"].iter().enumerate() {
            let (requests, tokens) = counts[index];
            readings = readings
                .budget(level, spent[index].0, spent[index].1, 60)
                .rate(&format!("rl-{level}"), [requests, tokens, 0, 0], 60);
        }
        let (world, caller) = (world([]), caller());
        let of_caller = OfCaller::new(Books { snapshot: &world, caller: &caller, accounts: &readings });
        let wanted = Wanted::named(&world, "m");
        let budget = spent.iter().map(|(spent, held)| spent + held).max().unwrap();
        let tokens = counts.iter().map(|(_, tokens)| tokens).max().unwrap();
        let requests = counts.iter().map(|(requests, _)| requests).max().unwrap();
        let percents = Used::of(&of_caller, &wanted).percents();
        // To the millionth: 1 % of the limits is 1 dollar, 100 tokens, 10 requests.
        let exact = [budget * 1_000_000, tokens * 10_000, requests * 100_000];
        let text = |share: u64| format!("{}.{:06}", share / 1_000_000, share % 1_000_000);
        prop_assert_eq!(percents.map(|percent| format!("{percent:.6}")), exact.map(text));
    }
}

#[test]
fn amounts_of_any_size_have_a_percentage() {
    assert_eq!(share(u64::MAX, 1), u64::MAX);
    assert_eq!(share(u64::MAX, u64::MAX), 100 * PERCENT);
    assert_eq!(share(u64::MAX - 1, u64::MAX), 100 * PERCENT - 1, "it is not full");
    assert_eq!((share(0, 0), share(0, 1)), (100 * PERCENT, 0));
}
