//! Tests of which limits an attempt meets.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::key::{KeyTokens, ProviderAccess, VirtualKey};
use crate::list::AllowList;
use crate::provider::{Credential, Deadlines, Endpoint, Provider, Retries, Secret, TlsTrust};
use crate::request::{Dialect, OperationSet};
use crate::route::Weight;
use crate::snapshot::{Change, Customer, Team};
use crate::window::ResetUnit;

use super::*;

/// A budget, told by its id.
fn one(id: &str) -> Limits {
    Limits { budgets: SmallVec::from_iter([BudgetId::from(id)]), rate_limit: None }
}

fn budget(id: &str) -> Change {
    let window = BudgetWindow::tiled(ResetDuration { count: 1, unit: ResetUnit::Day });
    Change::PutBudget(Arc::new(Budget { id: id.into(), limit: NanoUsd(1), window, mode: Mode::Hard }))
}

fn of_model(provider: Option<&str>, model: &str, id: &str) -> Change {
    let provider = provider.map(ProviderName::from);
    Change::LimitModel(ModelLimits { provider, model: model.into(), limits: one(id) })
}

/// `red` belongs to `acme`; everything has a budget of its own.
fn world() -> Snapshot {
    let ids = ["key", "config", "red", "acme", "other", "p", "p/m", "m", "q/m", "alias", "listed"];
    let team = Team { id: "red".into(), name: "red".into(), customer: Some("acme".into()), limits: one("red") };
    let customer = |id: &str| Customer { id: id.into(), name: id.into(), limits: one(id) };
    let changes = ids.into_iter().map(budget).chain([
        Change::PutCustomer(Arc::new(customer("acme"))),
        Change::PutCustomer(Arc::new(customer("other"))),
        Change::PutTeam(Arc::new(team)),
        Change::LimitProvider("p".into(), one("p")),
        of_model(Some("p"), "m", "p/m"),
        of_model(None, "m", "m"),
        of_model(Some("q"), "m", "q/m"),
        of_model(None, "alias", "alias"),
        of_model(None, "listed", "listed"),
    ]);
    changes.fold(Snapshot::default(), |world, change| world.apply(change).unwrap())
}

fn caller(team: Option<&str>, customer: Option<&str>) -> Caller {
    let access = ProviderAccess {
        id: None,
        provider: "p".into(),
        models: AllowList::All,
        denied_models: AllowList::nothing(),
        credentials: AllowList::All,
        weight: Some(Weight::ONE),
        limits: one("config"),
    };
    let key = VirtualKey {
        id: "vk".into(),
        name: "vk".into(),
        tokens: KeyTokens::new(),
        is_active: true,
        expires_at_ms: None,
        team: team.map(Into::into),
        customer: customer.map(Into::into),
        providers: vec![access],
        unlisted_providers: true,
        operations: OperationSet::ALL,
        balance: None,
        keeps_content: None,
        limits: one("key"),
    };
    Caller { key: Some(Arc::new(key)), own_credential: None }
}

fn nobody() -> Caller {
    Caller { key: None, own_credential: None }
}

/// The ids of what is shown, with what they hang on.
fn shown(show: impl FnOnce(&mut dyn FnMut(Holder, &Limits))) -> Vec<(Holder, String)> {
    let mut seen = Vec::new();
    show(&mut |holder, limits| seen.extend(limits.budgets.iter().map(|id| (holder, id.to_string()))));
    seen
}

fn callers(caller: &Caller) -> Vec<(Holder, String)> {
    shown(|show| of_caller(&world(), caller, show))
}

fn targets(caller: &Caller, provider: &str, models: &[&str]) -> Vec<String> {
    let all = shown(|show| of_target(&world(), caller, &provider.into(), models, show));
    assert!(all.iter().all(|(holder, _)| !holder.is_callers()), "{all:?}");
    all.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn a_key_is_limited_with_its_team_and_the_customer_of_either() {
    use Holder::{Customer, Team, VirtualKey};
    let expect = |caller: &Caller, expected: &[(Holder, &str)]| {
        let expected: Vec<_> = expected.iter().map(|(holder, id)| (*holder, (*id).to_owned())).collect();
        assert_eq!(callers(caller), expected);
        assert!(expected.iter().all(|(holder, _)| holder.is_callers()));
    };
    expect(&caller(None, None), &[(VirtualKey, "key")]);
    expect(&caller(Some("red"), None), &[(VirtualKey, "key"), (Team, "red"), (Customer, "acme")]);
    expect(&caller(None, Some("other")), &[(VirtualKey, "key"), (Customer, "other")]);
    expect(&nobody(), &[]);
}

#[test]
fn a_target_is_limited_by_the_keys_entry_for_it_by_itself_and_by_its_model() {
    assert_eq!(targets(&caller(None, None), "p", &["m"]), ["config", "p", "p/m", "m"]);
    assert_eq!(targets(&caller(None, None), "q", &["m"]), ["q/m", "m"], "the key lists no such provider");
    assert_eq!(targets(&nobody(), "p", &["m"]), ["p", "p/m", "m"], "without a key too");
    assert_eq!(targets(&nobody(), "p", &["unknown"]), ["p"]);
    assert!(targets(&nobody(), "r", &["unknown"]).is_empty());
}

#[test]
fn a_model_is_limited_under_each_of_its_names() {
    assert_eq!(targets(&nobody(), "r", &["m", "alias"]), ["m", "alias"]);
    let twice = targets(&nobody(), "q", &["m", "m"]);
    assert_eq!(twice, ["q/m", "m", "q/m", "m"], "whoever charges must see to it that each is charged once");
}

#[test]
fn limits_are_none_until_there_is_one() {
    let rate_limit = Limits { rate_limit: Some("r".into()), ..Limits::default() };
    assert!(Limits::default().is_empty() && !one("b").is_empty() && !rate_limit.is_empty());
}

#[test]
fn a_dated_name_is_under_the_limits_of_its_model() {
    let asked = ModelName::from("m-2026-01-31");
    let attempt = attempt("listed-latest", false);
    assert_eq!(&*names_of(&attempt, &asked), ["listed-latest", "m-2026-01-31", "listed", "m"]);
}

fn attempt(model: &str, is_listed: bool) -> Attempt {
    let mut catalog = Catalog::default();
    let json = r#"{"openai/listed": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06}}"#;
    catalog.extend_from_json(json).unwrap();
    let known = catalog.find("openai", &"listed".into()).cloned().unwrap();
    let credential = Credential {
        name: "c".into(),
        secret: Secret::new("c"),
        models: AllowList::All,
        denied_models: AllowList::nothing(),
        weight: None,
        aliases: std::collections::BTreeMap::new(),
        is_enabled: true,
        endpoint: None,
    };
    let provider = Provider {
        name: "p".into(),
        vendor: "openai",
        is_custom: false,
        order: 0,
        dialect: Dialect::OpenAi,
        operations: OperationSet::ALL,
        endpoint: Endpoint { tls: false, host: "127.0.0.1".into(), port: 1, prefix: "".into() },
        credentials: Vec::new(),
        keyless: false,
        is_self_hosted: false,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: Retries::default(),
        tls: TlsTrust::default(),
    };
    Attempt {
        provider: Arc::new(provider),
        credential: Arc::new(credential),
        model: model.into(),
        served_as: crate::request::Operation::ChatCompletion,
        known: is_listed.then_some(known),
        is_known: is_listed,
        own_price: None,
        worst_case: None,
        likely_tokens: 0,
    }
}

#[test]
fn no_name_of_a_model_gets_around_its_limits() {
    let names = |model, asked: &str, is_listed| {
        names_of(&attempt(model, is_listed), &asked.into()).iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("deployment", "alias", true), ["deployment", "alias", "listed"]);
    assert_eq!(names("m", "m", false), ["m"], "each once");
    assert_eq!(names("deployment", "m", false), ["deployment", "m"]);
    assert_eq!(names("listed", "listed", true), ["listed"]);
}

#[test]
fn nothing_is_used_where_no_traffic_came_before() {
    let window = BudgetWindow::tiled(ResetDuration { count: 1, unit: ResetUnit::Day });
    let budget = Budget { id: "b".into(), limit: NanoUsd(1), window, mode: Mode::default() };
    assert_eq!(budget.mode, Mode::Hard, "unless it is said to be soft");
    assert_eq!(().of_budget(&budget), BudgetStanding::default());
    let none =
        RateLimit { id: "r".into(), requests: None, tokens: None, concurrent: None, algorithm: Algorithm::default() };
    assert_eq!(none.algorithm, Algorithm::Rolling, "unless it is said to be fixed");
    assert_eq!(().of_rate_limit(&none), RateStanding::default());
}
