//! Whole plans under rules: what each rule of the documented pages does, and how rules, weights, chains and fallbacks meet.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::health::{AllWell, Health, Reading, Route, State};
use super::super::rule::{Failures, RuleScope};
use super::super::tests::{Seeded, credential, listed, provider};
use super::super::{Caller, Failure, Plan, Walk, plan};
use super::*;
use crate::decision::{Reason, Refusal};
use crate::key::{KeyTokens, VirtualKey};
use crate::list::AllowList;
use crate::provider::Provider;
use crate::request::{Dialect, Operation, OperationSet, Request};
use crate::route::expr::Condition;
use crate::settings::Settings;
use crate::snapshot::{Change, Snapshot, Team};

fn target(provider: &str, model: &str, weight: &str) -> RuleTarget {
    RuleTarget {
        provider: (!provider.is_empty()).then(|| provider.into()),
        model: (!model.is_empty()).then(|| model.into()),
        credential: None,
        weight: Weight::from_text(weight).unwrap(),
    }
}

fn rule(id: &str, expression: &str, targets: Vec<RuleTarget>, fallbacks: Option<&[&str]>) -> Rule {
    Rule {
        id: id.into(),
        name: id.into(),
        scope: RuleScope::Global,
        priority: 0,
        order: 0,
        condition: Arc::new(Condition::compile(expression).unwrap()),
        targets,
        fallbacks: fallbacks.map(|list| list.iter().map(|text| Box::from(*text)).collect()),
        is_chained: false,
        balance: None,
        failures: Failures::default(),
    }
}

const MODELS: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "llama-3.3-70b-versatile", "claude-x"];

/// Five providers whose credentials list the models, and the rules.
fn world(rules: Vec<Rule>) -> Snapshot {
    let serves = |name: &str, order| {
        let models = if name == "groq" { &MODELS[1..3] } else { &MODELS[..] };
        provider(name, "openai", order, vec![credential("main", AllowList::only(models.iter().copied()), &[])])
    };
    let names = ["openai", "anthropic", "azure", "groq", "bedrock"];
    let team = Change::PutTeam(Arc::new(Team {
        id: "team-ml".into(),
        name: "ML".into(),
        customer: None,
        limits: crate::limit::Limits::default(),
    }));
    let changes = names.iter().zip(0..).map(|(name, order)| serves(name, order)).chain([team]);
    let rules = rules.into_iter().map(|rule| Change::PutRule(Arc::new(rule)));
    changes.chain(rules).fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
}

fn request<'a>(model: &'a str, body: &'a str) -> Request<'a> {
    Request { body: body.as_bytes(), ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, model) }
}

fn planned(world: &Snapshot, caller: Caller, request: &Request<'_>, seed: u64) -> Result<Plan, Refusal> {
    let mut dice = Seeded(seed);
    plan(world, caller, request, &mut Circumstances { health: &AllWell, accounts: &(), dice: &mut dice, seen: &mut () })
}

fn targets(plan: &Plan) -> Vec<String> {
    plan.targets.iter().map(|target| format!("{}/{}", target.provider.name, target.model)).collect()
}

/// The targets of an anonymous call.
fn anonymous(world: &Snapshot, model: &str, body: &str) -> Vec<String> {
    targets(&planned(world, Caller::default(), &request(model, body), 7).unwrap())
}

fn caller(team: Option<&str>, providers: &[(&str, &str)]) -> Caller {
    let providers: Vec<_> = providers.iter().map(|(name, weight)| listed(name, AllowList::All, Some(weight))).collect();
    Caller {
        key: Some(Arc::new(VirtualKey {
            id: "vk".into(),
            name: "vk".into(),
            tokens: KeyTokens::new(),
            is_active: true,
            expires_at_ms: None,
            team: team.map(Into::into),
            customer: None,
            unlisted_providers: providers.is_empty(),
            providers,
            operations: OperationSet::ALL,
            balance: None,
            limits: crate::limit::Limits::default(),
        })),
        own_credential: None,
    }
}

#[test]
fn gpt_4o_is_redirected_to_azure() {
    let world = world(vec![rule(
        "route-gpt4-to-azure",
        "request.model == 'gpt-4o'",
        vec![target("azure", "gpt-4o", "1.0")],
        Some(&[]),
    )]);
    assert_eq!(anonymous(&world, "gpt-4o", "{}"), ["azure/gpt-4o"]);
    assert_eq!(anonymous(&world, "gpt-4o-mini", "{}")[0], "openai/gpt-4o-mini");
}

#[test]
fn traffic_is_split_70_to_30() {
    let split = vec![target("openai", "", "0.7"), target("anthropic", "", "0.3")];
    let world = world(vec![rule("route-cost-split", "true", split, None)]);
    let mut firsts = BTreeMap::<String, u32>::new();
    let mut dice = Seeded(1);
    for _ in 0..10_000 {
        let mut now = Circumstances { health: &AllWell, accounts: &(), dice: &mut dice, seen: &mut () };
        let plan = plan(&world, Caller::default(), &request("gpt-4o", "{}"), &mut now).unwrap();
        *firsts.entry(plan.targets[0].provider.name.to_string()).or_default() += 1;
        assert_eq!(plan.targets.len(), 4, "the rule's other target, and the others that serve the model, follow");
    }
    let openai = firsts["openai"];
    assert!((6_850..7_150).contains(&openai) && firsts.len() == 2, "{firsts:?}");
}

#[test]
fn a_provider_of_the_rule_that_fails_is_followed_by_the_rules_fallback() {
    let rule = rule("fallback-to-anthropic", "true", vec![target("openai", "", "1.0")], Some(&["anthropic"]));
    assert_eq!(anonymous(&world(vec![rule]), "gpt-4o", "{}"), ["openai/gpt-4o", "anthropic/gpt-4o"]);
}

#[test]
fn all_gpt_models_go_to_azure_and_else_to_openai() {
    let rule =
        rule("route-gpt-to-azure", "model.startsWith('gpt-')", vec![target("azure", "", "1.0")], Some(&["openai"]));
    let world = world(vec![rule]);
    assert_eq!(anonymous(&world, "gpt-4o-mini", "{}"), ["azure/gpt-4o-mini", "openai/gpt-4o-mini"]);
    assert_eq!(anonymous(&world, "claude-x", "{}")[0], "openai/claude-x");
}

#[test]
fn large_answers_of_one_model_go_to_another_provider_and_model() {
    let expression = "model == 'gpt-4o' && request_body.max_tokens > 4000";
    let to_groq = vec![target("groq", "llama-3.3-70b-versatile", "1.0")];
    let world = world(vec![rule("route-heavy-to-groq", expression, to_groq, Some(&["openai"]))]);
    // openai serves the rule's model too; where it did not, it would be asked for the client's.
    let expected = ["groq/llama-3.3-70b-versatile", "openai/llama-3.3-70b-versatile"];
    assert_eq!(anonymous(&world, "gpt-4o", r#"{"max_tokens":4001}"#), expected);
    assert_eq!(anonymous(&world, "gpt-4o", r#"{"max_tokens":4000}"#)[0], "openai/gpt-4o");
    assert_eq!(anonymous(&world, "gpt-4o", "{}")[0], "openai/gpt-4o");
}

#[test]
fn a_bare_fallback_that_does_not_serve_the_rules_model_is_asked_for_the_clients() {
    let to_own = vec![target("azure", "own-deployment", "1")];
    let world = world(vec![rule("own", "true", to_own, Some(&["groq", "openai"]))]);
    let azure = provider("azure", "openai", 2, vec![credential("main", AllowList::only(["own-deployment"]), &[])]);
    let world = world.apply(azure).unwrap();
    assert_eq!(anonymous(&world, "gpt-4o", "{}"), ["azure/own-deployment", "openai/gpt-4o"], "groq has neither");
}

#[test]
fn all_calls_of_a_team_go_to_bedrock() {
    let rule = Rule {
        scope: RuleScope::Team("team-ml".into()),
        ..rule("route-ml-team-bedrock", "true", vec![target("bedrock", "", "1.0")], Some(&["openai"]))
    };
    let world = world(vec![rule]);
    let of_team = planned(&world, caller(Some("team-ml"), &[]), &request("gpt-4o", "{}"), 1).unwrap();
    assert_eq!(targets(&of_team), ["bedrock/gpt-4o", "openai/gpt-4o"]);
    assert_eq!(of_team.rules.len(), 1);
    assert_eq!(anonymous(&world, "gpt-4o", "{}")[0], "openai/gpt-4o");
}

#[test]
fn targets_that_cannot_be_used_are_dropped_and_the_weights_of_the_others_count() {
    let split = vec![target("openai", "", "0.5"), target("nobody", "", "0.4"), target("groq", "", "0.1")];
    let world = world(vec![rule("split", "true", split, Some(&[]))]);
    for seed in 1..200 {
        let plan = planned(&world, Caller::default(), &request("gpt-4o", "{}"), seed).unwrap();
        assert_eq!(targets(&plan), ["openai/gpt-4o"]);
        let reasons: Vec<_> = plan.dropped.iter().map(|one| (one.provider.as_str(), one.reason)).collect();
        assert_eq!(reasons, [("nobody", DropReason::NotConfigured), ("groq", DropReason::NotServed)]);
    }
}

#[test]
fn a_rule_cannot_lead_where_the_key_may_not_go() {
    let world = world(vec![rule("to-azure", "true", vec![target("azure", "", "1")], None)]);
    let allowed = caller(None, &[("openai", "1")]);
    let plan = planned(&world, allowed, &request("gpt-4o", "{}"), 1).unwrap();
    assert_eq!(targets(&plan), ["openai/gpt-4o"], "the key's own provider follows");
    let world = self::world(vec![rule("to-azure", "true", vec![target("azure", "", "1")], Some(&[]))]);
    let refusal = planned(&world, caller(None, &[("openai", "1")]), &request("gpt-4o", "{}"), 1).unwrap_err();
    assert_eq!(refusal.reason, Reason::ProviderBlocked);
    assert!(refusal.message.contains("`azure`"), "{refusal}");
}

#[test]
fn a_pinned_credential_is_the_only_one() {
    let mut pinned = target("openai", "", "1");
    pinned.credential = Some("spare".into());
    let two = vec![credential("main", AllowList::only(MODELS), &[]), credential("spare", AllowList::only(MODELS), &[])];
    let world = world(vec![rule("pin", "true", vec![pinned], Some(&[]))]);
    let world = world.apply(provider("openai", "openai", 0, two)).unwrap();
    let plan = planned(&world, Caller::default(), &request("gpt-4o", "{}"), 3).unwrap();
    let mut dice = Seeded(3);
    let mut now = Circumstances { health: &AllWell, accounts: &(), dice: &mut dice, seen: &mut () };
    let mut walk = Walk::begin(plan, &mut now);
    assert_eq!(walk.attempt().unwrap().credential.name.as_str(), "spare");
    assert_eq!(walk.after(Failure::CredentialRefused, std::time::Duration::MAX, &mut now), None);
}

#[test]
fn a_chained_rule_asks_again_with_what_it_chose() {
    let first =
        Rule { is_chained: true, ..rule("rename", "model == 'fast'", vec![target("", "gpt-4o-mini", "1")], None) };
    let second = rule("route", "model == 'gpt-4o-mini'", vec![target("groq", "", "1")], Some(&[]));
    let world = world(vec![first, second]);
    let plan = planned(&world, Caller::default(), &request("fast", "{}"), 1).unwrap();
    assert_eq!(targets(&plan), ["groq/gpt-4o-mini"]);
    assert_eq!(plan.rules.iter().map(RuleId::as_str).collect::<Vec<_>>(), ["rename", "route"]);
}

#[test]
fn chains_that_never_end_are_ended() {
    let swap = |id: &str, from: &str, to: &str| Rule {
        is_chained: true,
        ..rule(id, &format!("model == '{from}'"), vec![target("", to, "1")], None)
    };
    let circle = world(vec![swap("a", "gpt-4o", "gpt-4o-mini"), swap("b", "gpt-4o-mini", "gpt-4o")]);
    let plan = planned(&circle, Caller::default(), &request("gpt-4o", "{}"), 1).unwrap();
    assert_eq!((plan.rules.len(), targets(&plan)[0].as_str()), (2, "openai/gpt-4o"), "the same state comes again");

    let steps: Vec<_> = (0..30).map(|n| swap(&format!("s{n:02}"), &format!("m{n}"), &format!("m{}", n + 1))).collect();
    let settings = Change::Settings(Arc::new(Settings::default()));
    let long = world(steps).apply(settings).unwrap();
    let refusal = planned(&long, Caller::default(), &request("m0", "{}"), 1).unwrap_err();
    assert!(refusal.message.contains("`m10`"), "ten rules deep: {refusal}");
}

#[test]
fn a_rules_fallbacks_come_before_the_requests_and_an_empty_list_ends_it() {
    let with = |fallbacks| world(vec![rule("r", "true", vec![target("azure", "", "1")], fallbacks)]);
    let named = ["bedrock/claude-x".to_owned(), "gpt-4o-mini".to_owned(), "unheard-of".to_owned()];
    let request = Request { fallbacks: Some(&named), ..request("gpt-4o", "{}") };
    let of = |world: &Snapshot| planned(world, Caller::default(), &request, 1).map(|plan| targets(&plan)).unwrap();
    assert_eq!(of(&with(Some(&["openai"]))), ["azure/gpt-4o", "openai/gpt-4o"]);
    assert_eq!(of(&with(Some(&[]))), ["azure/gpt-4o"]);
    assert_eq!(of(&with(None)), ["azure/gpt-4o", "bedrock/claude-x", "openai/gpt-4o-mini"]);
}

#[test]
fn who_names_the_provider_gets_no_other_unless_he_names_it() {
    let world = world(Vec::new());
    assert_eq!(anonymous(&world, "azure/gpt-4o", "{}"), ["azure/gpt-4o"]);
    let named = ["openai".to_owned()];
    let request = Request { fallbacks: Some(&named), ..request("azure/gpt-4o", "{}") };
    let plan = planned(&world, Caller::default(), &request, 1).unwrap();
    assert_eq!(targets(&plan), ["azure/gpt-4o", "openai/gpt-4o"]);
}

/// Some credentials' routes are down, some are marked.
#[derive(Debug)]
struct Weather(BTreeMap<String, State>);

impl Health for Weather {
    fn reading(&self, route: Route<'_>) -> Reading {
        let state = self.0.get(route.provider.name.as_str()).copied().unwrap_or(State::Up);
        Reading { state, ..Reading::WELL }
    }

    fn take_retry(&self, _provider: &Provider) -> bool {
        true
    }
}

#[test]
fn what_is_down_is_dropped_and_what_is_marked_comes_last() {
    let world = world(vec![rule("r", "true", vec![target("azure", "", "1")], Some(&["openai", "bedrock"]))]);
    let mark = State::Marked { until_ms: 9, mark: crate::route::health::Mark::Throttled };
    let weather = Weather([("azure".to_owned(), mark), ("openai".to_owned(), State::Down { until_ms: 9 })].into());
    let mut dice = Seeded(1);
    let mut now = Circumstances { health: &weather, accounts: &(), dice: &mut dice, seen: &mut () };
    let plan = plan(&world, Caller::default(), &request("gpt-4o", "{}"), &mut now).unwrap();
    assert_eq!(targets(&plan), ["bedrock/gpt-4o", "azure/gpt-4o"]);
    assert_eq!(plan.dropped.last().unwrap().reason, DropReason::Down { until_ms: 9 });
}

#[test]
fn where_all_is_down_the_refusal_says_so() {
    let world = world(vec![rule("r", "true", vec![target("azure", "", "1")], Some(&[]))]);
    let weather = Weather([("azure".to_owned(), State::Down { until_ms: 9 })].into());
    let mut dice = Seeded(1);
    let mut now = Circumstances { health: &weather, accounts: &(), dice: &mut dice, seen: &mut () };
    let refusal = plan(&world, Caller::default(), &request("gpt-4o", "{}"), &mut now).unwrap_err();
    assert_eq!(refusal.reason, Reason::UpstreamUnreachable);
}

fn any_target() -> impl Strategy<Value = RuleTarget> {
    let name = prop::sample::select(vec!["", "openai", "azure", "groq", "nobody"]);
    let model = prop::sample::select(vec!["", "gpt-4o", "claude-x", "unheard-of", "azure/gpt-4o"]);
    (name, model, 0..4_u32).prop_map(|(name, model, weight)| target(name, model, &weight.to_string()))
}

fn any_rule() -> impl Strategy<Value = (Vec<RuleTarget>, Option<Vec<&'static str>>, bool, &'static str)> {
    let fallback = prop::sample::select(vec!["openai", "bedrock/gpt-4o", "nobody", "nobody/x", "groq"]);
    let expression = prop::sample::select(vec!["", "model == 'gpt-4o'", "provider == ''", "model == 'claude-x'"]);
    (
        prop::collection::vec(any_target(), 1..4),
        prop::option::of(prop::collection::vec(fallback, 0..3)),
        any::<bool>(),
        expression,
    )
}

proptest! {
    /// Whatever the rules say, a plan leads only where the key may go, never twice to the same target, and is the same for
    /// the same dice.
    #[test]
    fn rules_never_lead_out_of_what_a_key_may_use(
        rules in prop::collection::vec(any_rule(), 0..5),
        allowed in prop::sample::subsequence(vec!["openai", "azure", "groq"], 1..3),
        model in prop::sample::select(MODELS.to_vec()),
        seed in 1..u64::MAX,
    ) {
        let rules = rules.into_iter().enumerate().map(|(n, (targets, fallbacks, is_chained, expression))| Rule {
            is_chained,
            ..rule(&format!("r{n}"), expression, targets, fallbacks.as_deref())
        });
        let world = world(rules.collect());
        let key: Vec<_> = allowed.iter().map(|name| (*name, "1")).collect();
        let once = planned(&world, caller(None, &key), &request(model, "{}"), seed);
        let again = planned(&world, caller(None, &key), &request(model, "{}"), seed);
        prop_assert_eq!(once.as_ref().map(targets), again.as_ref().map(targets));
        if let Ok(plan) = once {
            let names = targets(&plan);
            let distinct: std::collections::BTreeSet<_> = names.iter().collect();
            prop_assert_eq!(distinct.len(), names.len());
            prop_assert!(plan.targets.iter().all(|target| allowed.contains(&target.provider.name.as_str())));
            prop_assert!(plan.rules.len() <= 10);
        }
    }
}
