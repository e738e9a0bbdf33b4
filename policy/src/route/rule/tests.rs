use super::*;
use crate::key::{KeyTokens, VirtualKey};
use crate::request::{Dialect, Operation, OperationSet, Request};
use crate::route::Weight;
use crate::snapshot::{ApplyError, Change};

fn rule(id: &str, scope: RuleScope, expression: &str) -> Rule {
    Rule {
        id: id.into(),
        name: id.into(),
        scope,
        priority: 0,
        order: 0,
        condition: Arc::new(Condition::compile(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))),
        targets: vec![RuleTarget { provider: None, model: Some("m".into()), credential: None, weight: Weight::ONE }],
        fallbacks: None,
        is_chained: false,
        balance: None,
        failures: Failures::default(),
    }
}

fn key(id: &str, name: &str, team: Option<&str>, customer: Option<&str>) -> Arc<VirtualKey> {
    Arc::new(VirtualKey {
        id: id.into(),
        name: name.into(),
        tokens: KeyTokens::new(),
        is_active: true,
        expires_at_ms: None,
        team: team.map(Into::into),
        customer: customer.map(Into::into),
        providers: Vec::new(),
        unlisted_providers: true,
        operations: OperationSet::ALL,
        balance: None,
        limits: crate::limit::Limits::default(),
    })
}

/// Key `a` is of team `ml` of customer `acme`; key `b` is of customer `other`; key `c` is of nobody.
fn world(rules: impl IntoIterator<Item = Rule>) -> Snapshot {
    let customer = |id: &str| {
        Change::PutCustomer(Arc::new(Customer {
            id: id.into(),
            name: id.to_uppercase().into(),
            limits: crate::limit::Limits::default(),
        }))
    };
    let team = Team {
        id: "ml".into(),
        name: "ML".into(),
        customer: Some("acme".into()),
        limits: crate::limit::Limits::default(),
    };
    let changes = [
        customer("acme"),
        customer("other"),
        Change::PutTeam(Arc::new(team)),
        Change::PutVirtualKey(key("a", "Anna", Some("ml"), None)),
        Change::PutVirtualKey(key("b", "Bert", None, Some("other"))),
        Change::PutVirtualKey(key("c", "Carl", None, None)),
    ];
    let rules = rules.into_iter().map(|rule| Change::PutRule(Arc::new(rule)));
    changes.into_iter().chain(rules).fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
}

#[derive(Default)]
struct Seen(Vec<(String, Match)>);

impl Observer for Seen {
    fn considered(&mut self, rule: &Arc<Rule>, result: Match) {
        self.0.push((rule.id.to_string(), result));
    }
}

/// The rule that matches for a key, and the rules that were considered.
fn ask(snapshot: &Snapshot, key: &str, request: &Request<'_>) -> (Option<String>, Vec<(String, Match)>) {
    let caller = Caller { key: snapshot.key(key).cloned(), own_credential: None };
    let content = Content::of(request);
    let facts = Facts {
        model: request.model,
        provider: "",
        operation: request.operation,
        content: &content,
        used: &Used::default(),
    };
    let mut seen = Seen::default();
    let found = snapshot.rules().first_match(&Who::of(snapshot, &caller), &facts, &mut seen);
    let silent = snapshot.rules().first_match(&Who::of(snapshot, &caller), &facts, &mut ());
    assert_eq!(found.as_ref().map(|rule| &rule.id), silent.as_ref().map(|rule| &rule.id));
    (found.map(|rule| rule.id.to_string()), seen.0)
}

fn chat(model: &str) -> Request<'_> {
    Request::new(Dialect::OpenAi, Operation::ChatCompletion, model)
}

fn first(snapshot: &Snapshot, key: &str, model: &str) -> Option<String> {
    ask(snapshot, key, &chat(model)).0
}

#[test]
fn scopes_are_asked_from_the_key_to_everybody() {
    let snapshot = world([
        rule("global", RuleScope::Global, "true"),
        rule("customer", RuleScope::Customer("acme".into()), "model != 'global'"),
        rule("team", RuleScope::Team("ml".into()), "model in ['key', 'team']"),
        rule("key", RuleScope::VirtualKey("a".into()), "model == 'key'"),
        rule("other", RuleScope::Customer("other".into()), "model == 'other'"),
    ]);
    for asked in ["key", "team", "customer", "global"] {
        assert_eq!(first(&snapshot, "a", asked).as_deref(), Some(asked));
    }
    assert_eq!(first(&snapshot, "b", "other").as_deref(), Some("other"));
    assert_eq!(first(&snapshot, "b", "key").as_deref(), Some("global"));
    assert_eq!(first(&snapshot, "c", "key").as_deref(), Some("global"));
    assert_eq!(first(&snapshot, "nobody", "key").as_deref(), Some("global"));
}

#[test]
fn within_a_scope_priority_comes_before_order_and_order_before_the_id() {
    let at =
        |id: &str, priority: i32, order: u32| Rule { priority, order, ..rule(id, RuleScope::Global, "model == 'x'") };
    let snapshot = world([at("e", 5, 0), at("d", 0, 9), at("b", 0, 2), at("c", 0, 2), at("a", -1, 9)]);
    let order: Vec<_> = ask(&snapshot, "a", &chat("y")).1.into_iter().map(|(id, _)| id).collect();
    assert_eq!(order, ["a", "b", "c", "d", "e"]);
    assert_eq!(first(&snapshot, "a", "x").as_deref(), Some("a"));
}

#[test]
fn every_rule_up_to_the_first_that_matches_is_seen_with_its_result() {
    let snapshot = world([
        Rule { order: 0, ..rule("no", RuleScope::Global, "model == 'other'") },
        Rule { order: 1, ..rule("failed", RuleScope::Global, "request_body.n > 1") },
        Rule { order: 2, ..rule("yes", RuleScope::Global, "model == 'm'") },
        Rule { order: 3, ..rule("never", RuleScope::Global, "true") },
    ]);
    let request = Request { body: br#"{"n": "many"}"#, ..chat("m") };
    for _ in 0..3 {
        let (found, seen) = ask(&snapshot, "a", &request);
        assert_eq!(found.as_deref(), Some("yes"));
        assert_eq!(seen, [("no".into(), Match::No), ("failed".into(), Match::Failed), ("yes".into(), Match::Yes)]);
    }
    let failures = |id: &str| snapshot.rules().get(id).unwrap().failures.count();
    // Each of the three was asked twice: once seen, once not.
    assert_eq!((failures("no"), failures("failed"), failures("yes")), (0, 6, 0));
}

#[test]
fn what_fails_whoever_asks_is_counted_each_time() {
    let snapshot = world([rule("failed", RuleScope::Global, "int(model) > 1")]);
    for _ in 0..5 {
        assert_eq!(first(&snapshot, "a", "no-number"), None);
    }
    assert_eq!(snapshot.rules().get("failed").unwrap().failures.count(), 10);
    assert_eq!(first(&snapshot, "a", "7").as_deref(), Some("failed"));
}

#[test]
fn what_is_remembered_of_one_question_is_not_the_answer_to_another() {
    let snapshot = world([
        Rule { order: 0, ..rule("embedding", RuleScope::Global, "request_type == 'embedding' && model == 'm'") },
        Rule { order: 1, ..rule("anna", RuleScope::Global, "virtual_key_name == 'Anna' && team_name == 'ML'") },
        Rule { order: 2, ..rule("tools", RuleScope::Global, "has(request_body.tools)") },
        Rule { order: 3, ..rule("acme", RuleScope::Global, "customer_id == 'acme' || customer_name == 'OTHER'") },
    ]);
    let tools = Request { body: br#"{"tools": []}"#, ..chat("m") };
    let embedding = Request::new(Dialect::OpenAi, Operation::Embedding, "m");
    for _ in 0..2 {
        assert_eq!(ask(&snapshot, "a", &chat("m")).0.as_deref(), Some("anna"));
        assert_eq!(ask(&snapshot, "b", &chat("m")).0.as_deref(), Some("acme"));
        assert_eq!(ask(&snapshot, "b", &tools).0.as_deref(), Some("tools"));
        assert_eq!(ask(&snapshot, "c", &chat("m")).0, None);
        assert_eq!(ask(&snapshot, "c", &embedding).0.as_deref(), Some("embedding"));
    }
}

#[test]
fn a_name_that_changes_is_asked_for_anew() {
    let before = world([rule("anna", RuleScope::Global, "virtual_key_name == 'Anna'")]);
    assert_eq!(first(&before, "a", "m").as_deref(), Some("anna"));
    let after = before.apply(Change::PutVirtualKey(key("a", "Antonia", Some("ml"), None))).unwrap();
    assert_eq!(first(&after, "a", "m"), None);
    assert_eq!(first(&before, "a", "m").as_deref(), Some("anna"));
}

#[test]
fn a_rule_that_changes_replaces_the_old_one_wherever_it_was() {
    let before = world([rule("r", RuleScope::Global, "model == 'x'"), rule("s", RuleScope::Global, "model == 'y'")]);
    assert_eq!(first(&before, "a", "x").as_deref(), Some("r"));
    let moved = rule("r", RuleScope::VirtualKey("b".into()), "model == 'x'");
    let after = before.apply(Change::PutRule(Arc::new(moved))).unwrap();
    assert_eq!(first(&after, "a", "x"), None);
    assert_eq!(first(&after, "b", "x").as_deref(), Some("r"));
    assert!(Arc::ptr_eq(before.rules().get("s").unwrap(), after.rules().get("s").unwrap()), "the others stay compiled");
    let gone = after.apply(Change::RemoveRule("r".into())).unwrap();
    assert_eq!(first(&gone, "b", "x"), None);
    assert_eq!(first(&gone, "b", "y").as_deref(), Some("s"));
    assert_eq!(first(&before, "a", "x").as_deref(), Some("r"), "the old snapshot is as it was");
}

#[test]
fn whose_rule_it_is_must_exist_and_stays() {
    let snapshot = world([]);
    let put = |scope: RuleScope| snapshot.apply(Change::PutRule(Arc::new(rule("r", scope, "true"))));
    let refused = |scope| put(scope).unwrap_err();
    assert_eq!(refused(RuleScope::Team("x".into())), ApplyError::NoSuchTeam("x".into()));
    assert_eq!(refused(RuleScope::Customer("x".into())), ApplyError::NoSuchCustomer("x".into()));
    assert_eq!(refused(RuleScope::VirtualKey("x".into())), ApplyError::NoSuchVirtualKey("x".into()));

    let in_use = ApplyError::InUse("routing rule `r`".into());
    let of_key = put(RuleScope::VirtualKey("c".into())).unwrap();
    assert_eq!(of_key.apply(Change::RemoveVirtualKey("c".into())).unwrap_err(), in_use);
    assert!(of_key.apply(Change::PutVirtualKey(key("c", "Carla", None, None))).is_ok());
    let free = of_key.apply(Change::RemoveRule("r".into())).unwrap();
    assert!(free.apply(Change::RemoveVirtualKey("c".into())).is_ok());

    let alone = snapshot.apply(Change::RemoveVirtualKey("b".into())).unwrap();
    let of_customer = rule("r", RuleScope::Customer("other".into()), "true");
    let of_customer = alone.apply(Change::PutRule(Arc::new(of_customer))).unwrap();
    assert_eq!(of_customer.apply(Change::RemoveCustomer("other".into())).unwrap_err(), in_use);

    let alone = snapshot.apply(Change::RemoveVirtualKey("a".into())).unwrap();
    let of_team = alone.apply(Change::PutRule(Arc::new(rule("r", RuleScope::Team("ml".into()), "true")))).unwrap();
    assert_eq!(of_team.apply(Change::RemoveTeam("ml".into())).unwrap_err(), in_use);
}

#[test]
fn a_scope_takes_so_many_rules_and_no_more() {
    let mut set = RuleSet::default();
    let condition = Arc::new(Condition::compile("model == 'x'").unwrap());
    let one = |id: usize, scope: RuleScope| {
        let condition = Arc::clone(&condition);
        Arc::new(Rule { condition, ..rule(&format!("r{id}"), scope, "") })
    };
    for id in 0..MOST_RULES {
        set.put(one(id, RuleScope::Global)).unwrap();
    }
    let error = set.put(one(MOST_RULES, RuleScope::Global)).unwrap_err();
    assert_eq!(error.to_string(), "the global scope has 1000 rules already, and may not have more");
    assert_eq!(set.iter().count(), MOST_RULES);
    set.put(one(0, RuleScope::Global)).unwrap();
    set.put(one(MOST_RULES, RuleScope::Team("ml".into()))).unwrap();
    set.remove(&"r1".into());
    set.put(one(1, RuleScope::Global)).unwrap();
    assert_eq!(set.of_scope(&RuleScope::Global).len(), MOST_RULES);
}

#[test]
fn names_that_callers_make_up_are_answered_rightly_though_not_all_are_remembered() {
    let snapshot = world([rule("r", RuleScope::Global, "model.startsWith('yes')")]);
    let long = "yes".repeat(1_000);
    for index in 0..10_000 {
        let (yes, no) = (format!("yes-{index}"), format!("no-{index}"));
        assert_eq!(first(&snapshot, "a", &yes).as_deref(), Some("r"));
        assert_eq!(first(&snapshot, "a", &no), None);
    }
    assert_eq!(first(&snapshot, "a", &long).as_deref(), Some("r"));
}

mod agreement {
    //! Remembered or not, the answer is the same.

    use proptest::prelude::*;

    use super::*;

    const EXPRESSIONS: [&str; 8] = [
        "true",
        "model == 'a'",
        "model.startsWith('b') || provider == 'p'",
        "request_type == 'embedding'",
        "virtual_key_name == 'Anna'",
        "team_id == 'ml'",
        "request_body.n > 1",
        "int(model) == 1",
    ];

    fn scope(index: usize) -> RuleScope {
        match index {
            0 => RuleScope::VirtualKey("a".into()),
            1 => RuleScope::Team("ml".into()),
            2 => RuleScope::Customer("acme".into()),
            _ => RuleScope::Global,
        }
    }

    proptest! {
        #[test]
        fn first_match_is_what_asking_one_by_one_gives(
            written in prop::collection::vec((0_usize..4, 0_usize..8, -1_i32..2), 1..12),
            asked in prop::collection::vec((0_usize..4, 0_usize..4, any::<bool>(), any::<bool>()), 1..20),
        ) {
            let rules = written.iter().zip(0..).map(|((whose, expression, priority), order)| Rule {
                priority: *priority,
                order,
                ..rule(&format!("r{order}"), scope(*whose), EXPRESSIONS[*expression])
            });
            let snapshot = world(rules);
            for (key, model, is_embedding, has_body) in asked {
                let operation = if is_embedding { Operation::Embedding } else { Operation::ChatCompletion };
                let body: &[u8] = if has_body { br#"{"n": 2}"# } else { b"" };
                let request = Request { body, operation, ..chat(["a", "b", "1", "c"][model]) };
                let key = ["a", "b", "c", "nobody"][key];
                let caller = Caller { key: snapshot.key(key).cloned(), own_credential: None };
                let who = Who::of(&snapshot, &caller);
                let content = Content::of(&request);
                let facts = Facts { model: request.model, provider: "", operation, content: &content, used: &Used::default() };
                let mut all: Vec<_> = snapshot.rules().iter().collect();
                let rank = |rule: &Rule| (0..4).find(|index| scope(*index) == rule.scope).unwrap();
                all.sort_by_key(|rule| (rank(rule), rule.priority, rule.order));
                let is_mine = |rule: &Rule| rule.scope == RuleScope::Global || key == "a";
                let expected = all.into_iter().find(|rule| {
                    is_mine(rule) && rule.condition.evaluate(&who, &facts) == Match::Yes
                });
                prop_assert_eq!(ask(&snapshot, key, &request).0, expected.map(|rule| rule.id.to_string()));
            }
        }
    }
}
