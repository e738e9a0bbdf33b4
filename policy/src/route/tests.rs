//! Whole plans: who serves a model, who may use it, in which order.

pub(super) mod accounts;
mod balanced;
mod prices;
mod seeds;

use std::time::Duration;

use super::health::AllWell;
use super::*;
use crate::catalog::Catalog;
use crate::decision::Reason;
use crate::demand::Demand;
use crate::key::{KeyTokens, ProviderAccess};
use crate::list::AllowList;
use crate::provider::{Deadlines, Endpoint, TlsTrust};
use crate::request::{Dialect, Operation, OperationSet};
use crate::snapshot::Change;

const PRICES: &str = r#"{
    "gpt-4o": {"litellm_provider":"openai","mode":"chat","max_output_tokens":100,
        "input_cost_per_token":1e-06,"output_cost_per_token":2e-06},
    "claude-x": {"litellm_provider":"anthropic","mode":"chat","input_cost_per_token":3e-06,"output_cost_per_token":4e-06},
    "groq/llama": {"litellm_provider":"groq","mode":"chat","input_cost_per_token":1e-07,"output_cost_per_token":1e-07}
}"#;

struct First;

impl Dice for First {
    fn below(&mut self, _bound: u64) -> u64 {
        0
    }
}

/// Numbers from a seed (xorshift64*).
pub(super) struct Seeded(pub(super) u64);

impl Dice for Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = u128::from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D));
        u64::try_from((number * u128::from(bound)) >> 64).unwrap()
    }
}

pub(super) fn credential(name: &str, models: AllowList, aliases: &[(&str, &str)]) -> Arc<Credential> {
    Arc::new(Credential {
        name: name.into(),
        secret: Secret::new(name),
        models,
        denied_models: AllowList::nothing(),
        weight: Some(Weight::ONE),
        aliases: aliases.iter().map(|(from, to)| (ModelName::from(*from), ModelName::from(*to))).collect(),
        is_enabled: true,
        endpoint: None,
    })
}

pub(super) fn provider(name: &str, vendor: &'static str, order: u32, credentials: Vec<Arc<Credential>>) -> Change {
    let dialect = if vendor == "anthropic" { Dialect::Anthropic } else { Dialect::OpenAi };
    Change::PutProvider(Arc::new(Provider {
        name: name.into(),
        vendor,
        is_custom: name != vendor,
        order,
        dialect,
        operations: OperationSet::ALL,
        endpoint: Endpoint { tls: false, host: "127.0.0.1".into(), port: 1, prefix: "".into() },
        credentials,
        keyless: false,
        is_self_hosted: false,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: crate::provider::Retries::default(),
        tls: TlsTrust::default(),
    }))
}

/// openai, anthropic, and two custom providers of the OpenAI dialect.
fn world() -> Snapshot {
    let mut catalog = Catalog::default();
    catalog.extend_from_json(PRICES).unwrap();
    let all = || AllowList::All;
    let changes = [
        Change::Catalog(Arc::new(catalog)),
        provider("openai", "openai", 0, vec![credential("main", all(), &[("fast", "gpt-4o")])]),
        provider("anthropic", "anthropic", 1, vec![credential("main", all(), &[])]),
        provider("groq", "openai", 2, vec![credential("main", all(), &[])]),
        provider("local", "openai", 3, vec![credential("main", AllowList::only(["gpt-4o", "own"]), &[])]),
    ];
    changes.into_iter().fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
}

pub(super) fn listed(provider: &str, models: AllowList, weight: Option<&str>) -> ProviderAccess {
    ProviderAccess {
        id: None,
        provider: provider.into(),
        models,
        denied_models: AllowList::nothing(),
        credentials: AllowList::All,
        weight: weight.map(|text| Weight::from_text(text).unwrap()),
        limits: crate::limit::Limits::default(),
    }
}

pub(super) fn key(providers: Vec<ProviderAccess>) -> Caller {
    let key = VirtualKey {
        id: "vk".into(),
        name: "team key".into(),
        tokens: KeyTokens::new(),
        is_active: true,
        expires_at_ms: None,
        team: None,
        customer: None,
        providers,
        unlisted_providers: false,
        operations: OperationSet::ALL,
        balance: None,
        keeps_content: None,
        limits: crate::limit::Limits::default(),
    };
    Caller { key: Some(Arc::new(key)), own_credential: None }
}

fn ask(caller: Caller, model: &str) -> Result<Vec<String>, Refusal> {
    let demand = Demand { text_bytes: 10, choices: 1, ..Demand::default() };
    let request = Request { demand, ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, model) };
    let attempts = attempts(&world(), caller, &request)?;
    Ok(attempts.iter().map(|one| format!("{}:{}", one.provider.name, one.model)).collect())
}

/// The plan of a call with fallbacks of its own, all routes well.
pub(super) fn ask_plan(world: &Snapshot, caller: Caller, model: &str, fallbacks: &[&str]) -> Plan {
    let fallbacks: Vec<_> = fallbacks.iter().map(|text| (*text).to_owned()).collect();
    let named = (!fallbacks.is_empty()).then_some(fallbacks.as_slice());
    let request = Request { fallbacks: named, ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, model) };
    plan(
        world,
        caller,
        &request,
        &mut Circumstances { health: &AllWell, accounts: &(), dice: &mut First, seen: &mut () },
    )
    .unwrap()
}

/// All attempts that a call can make when each credential is refused.
fn attempts(world: &Snapshot, caller: Caller, request: &Request<'_>) -> Result<Vec<Attempt>, Refusal> {
    let mut now = Circumstances { health: &AllWell, accounts: &(), dice: &mut First, seen: &mut () };
    let mut walk = Walk::begin(plan(world, caller, request, &mut now)?, &mut now);
    let mut attempts = vec![walk.attempt().unwrap().clone()];
    while walk.after(Failure::CredentialRefused, Duration::from_secs(1), &mut now).is_some() {
        attempts.push(walk.attempt().unwrap().clone());
    }
    Ok(attempts)
}

fn refused(caller: Caller, model: &str) -> (Reason, String) {
    let refusal = ask(caller, model).unwrap_err();
    (refusal.reason, refusal.message)
}

#[test]
fn a_prefix_names_a_configured_provider_and_nothing_else() {
    assert_eq!(ask(Caller::default(), "groq/gpt-4o").unwrap(), ["groq:gpt-4o"]);
    let open = ["openai:meta/llama-9", "groq:meta/llama-9", "anthropic:meta/llama-9"];
    assert_eq!(ask(Caller::default(), "meta/llama-9").unwrap(), open);
}

#[test]
fn a_known_model_goes_to_those_that_serve_it_its_vendor_first() {
    assert_eq!(ask(Caller::default(), "gpt-4o").unwrap(), ["openai:gpt-4o", "local:gpt-4o"]);
    assert_eq!(ask(Caller::default(), "llama").unwrap(), ["groq:llama"]);
    assert_eq!(ask(Caller::default(), "own").unwrap(), ["local:own"]);
}

#[test]
fn a_model_that_nobody_knows_goes_to_every_provider_with_an_open_credential() {
    assert_eq!(ask(Caller::default(), "gpt-99").unwrap(), ["openai:gpt-99", "groq:gpt-99", "anthropic:gpt-99"]);
}

#[test]
fn a_model_that_nobody_knows_is_first_asked_of_those_who_speak_the_clients_dialect_whatever_the_weights() {
    let weighted = |name, weight| listed(name, AllowList::All, Some(weight));
    let all = || key(vec![weighted("anthropic", "5"), weighted("groq", "1"), weighted("openai", "1")]);
    assert_eq!(ask(all(), "gpt-99").unwrap(), ["openai:gpt-99", "groq:gpt-99", "anthropic:gpt-99"]);
    let foreign = key(vec![weighted("anthropic", "1")]);
    assert_eq!(ask(foreign, "gpt-99").unwrap(), ["anthropic:gpt-99"]);
}

#[test]
fn an_alias_is_sent_as_what_it_stands_for() {
    assert_eq!(ask(Caller::default(), "fast").unwrap(), ["openai:gpt-4o"]);
}

#[test]
fn a_keys_weights_decide_before_kinship() {
    let both = || vec![listed("openai", AllowList::All, Some("0.2")), listed("local", AllowList::All, Some("0.8"))];
    assert_eq!(ask(key(both()), "gpt-4o").unwrap(), ["openai:gpt-4o", "local:gpt-4o"]);
    let only_by_name = vec![listed("openai", AllowList::All, None), listed("local", AllowList::All, Some("1"))];
    assert_eq!(ask(key(only_by_name.clone()), "gpt-4o").unwrap(), ["local:gpt-4o"]);
    assert_eq!(ask(key(only_by_name), "openai/gpt-4o").unwrap(), ["openai:gpt-4o"]);
}

#[test]
fn only_an_empty_plan_is_refused_with_the_reason_of_the_nearest_candidate() {
    let nothing = refused(key(Vec::new()), "gpt-4o");
    assert_eq!(nothing.0, Reason::ProviderBlocked);
    assert_eq!(nothing.1, "virtual key `team key` may not use provider `openai`");

    let other_model = refused(key(vec![listed("openai", AllowList::only(["gpt-4o-mini"]), Some("1"))]), "gpt-4o");
    assert_eq!(other_model.0, Reason::ModelBlocked);
    assert_eq!(other_model.1, "virtual key `team key` may not use model `gpt-4o` of provider `openai`");

    let embed = Request::new(Dialect::OpenAi, Operation::Embedding, "claude-x");
    let other_dialect = attempts(&world(), Caller::default(), &embed).unwrap_err();
    assert_eq!(other_dialect.reason, Reason::InvalidRequest);
    assert_eq!(
        other_dialect.message,
        "provider `anthropic` speaks the anthropic dialect, and embedding requests of the openai dialect cannot be translated to it"
    );

    let no_credential =
        ProviderAccess { credentials: AllowList::only(["other"]), ..listed("openai", AllowList::All, Some("1")) };
    assert_eq!(refused(key(vec![no_credential]), "gpt-4o").0, Reason::CredentialsExhausted);
}

#[test]
fn a_model_that_no_credential_of_a_named_provider_is_for_is_not_found() {
    assert_eq!(refused(Caller::default(), "local/other").0, Reason::ModelNotFound);
    assert_eq!(ask(Caller::default(), "local/own").unwrap(), ["local:own"]);
}

#[test]
fn a_credential_without_weight_is_used_only_by_a_key_that_names_it() {
    let spare = Arc::new(Credential { weight: None, ..(*credential("spare", AllowList::All, &[])).clone() });
    let off =
        Arc::new(Credential { is_enabled: false, endpoint: None, ..(*credential("off", AllowList::All, &[])).clone() });
    let both = provider("openai", "openai", 0, vec![credential("main", AllowList::All, &[]), spare, off]);
    let world = world().apply(both).unwrap();
    let used = |credentials: AllowList| {
        let access = ProviderAccess { credentials, ..listed("openai", AllowList::All, Some("1")) };
        let demand = Demand { choices: 1, ..Demand::default() };
        let request = Request { demand, ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, "gpt-4o") };
        let attempts = attempts(&world, key(vec![access]), &request).unwrap();
        attempts.iter().map(|one| one.credential.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(used(AllowList::All), ["main"]);
    assert_eq!(used(AllowList::only(["main", "spare", "off"])), ["main", "spare"]);
    assert_eq!(used(AllowList::only(["spare"])), ["spare"]);
}

#[test]
fn a_callers_own_credential_is_shown_to_one_provider_only() {
    let own = Caller { key: None, own_credential: Some(Secret::new("sk-proj-x")) };
    assert_eq!(ask(Caller::default(), "gpt-4o").unwrap().len(), 2);
    assert_eq!(ask(own.clone(), "gpt-4o").unwrap(), ["openai:gpt-4o"]);
    assert_eq!(refused(own.clone(), "claude-x").0, Reason::ProviderBlocked, "it may be another vendor's");
    assert_eq!(ask(own, "anthropic/claude-x").unwrap(), ["anthropic:claude-x"]);
}

#[test]
fn a_model_is_served_in_whichever_dialect_its_vendor_speaks() {
    assert_eq!(ask(Caller::default(), "claude-x").unwrap(), ["anthropic:claude-x"]);
    let messages = Request::new(Dialect::Anthropic, Operation::ChatCompletion, "gpt-4o");
    let attempts = attempts(&world(), Caller::default(), &messages).unwrap();
    let served: Vec<_> = attempts.iter().map(|one| (one.provider.name.as_str(), one.served_as)).collect();
    assert_eq!(served, [("openai", Operation::ChatCompletion), ("local", Operation::ChatCompletion)]);
}

/// The routes of one provider are marked.
#[derive(Debug)]
struct Marked(&'static str);

impl Health for Marked {
    fn reading(&self, route: health::Route<'_>) -> health::Reading {
        let mark = health::State::Marked { until_ms: 9, mark: health::Mark::Refused };
        let is_marked = route.provider.name.as_str() == self.0;
        health::Reading { state: if is_marked { mark } else { health::State::Up }, ..health::Reading::WELL }
    }

    fn take_retry(&self, _provider: &Provider) -> bool {
        true
    }
}

#[test]
fn a_callers_own_credential_does_not_move_to_another_provider_when_ours_are_refused() {
    let own = Caller { key: None, own_credential: Some(Secret::new("sk-proj-x")) };
    let request = Request::new(Dialect::OpenAi, Operation::ChatCompletion, "gpt-4o");
    let mut now = Circumstances { health: &Marked("openai"), accounts: &(), dice: &mut First, seen: &mut () };
    let targets = |plan: Plan| plan.targets.iter().map(|one| one.provider.name.to_string()).collect::<Vec<_>>();
    assert_eq!(targets(plan(&world(), own, &request, &mut now).unwrap()), ["openai"]);
    assert_eq!(targets(plan(&world(), Caller::default(), &request, &mut now).unwrap()), ["local", "openai"]);
}

#[test]
fn an_alias_of_a_denied_model_is_a_denied_model() {
    let access =
        ProviderAccess { denied_models: AllowList::only(["gpt-4o"]), ..listed("openai", AllowList::All, Some("1")) };
    assert_eq!(refused(key(vec![access]), "fast").0, Reason::ModelBlocked);
}

#[test]
fn a_request_cannot_name_any_number_of_fallbacks() {
    let many: Vec<_> = (0..101).map(|n| format!("m{n}")).collect();
    let request =
        Request { fallbacks: Some(&many), ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, "gpt-4o") };
    let mut now = Circumstances { health: &AllWell, accounts: &(), dice: &mut First, seen: &mut () };
    let refusal = plan(&world(), Caller::default(), &request, &mut now).unwrap_err();
    assert_eq!((refusal.reason, refusal.param.as_deref()), (Reason::InvalidRequest, Some("fallbacks")));
}

#[test]
fn an_empty_list_denies_and_a_star_allows() {
    let denied = refused(key(vec![listed("openai", AllowList::nothing(), Some("1"))]), "gpt-4o");
    assert_eq!(denied.0, Reason::ModelBlocked);
    let allowed = ask(key(vec![listed("openai", AllowList::All, Some("1"))]), "gpt-4o");
    assert_eq!(allowed.unwrap(), ["openai:gpt-4o"]);
}

#[test]
fn each_attempt_carries_its_own_worst_case() {
    let demand = Demand { text_bytes: 0, max_output: Some(10), choices: 1, ..Demand::default() };
    let request = Request { demand, ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, "openai/gpt-4o") };
    let attempts = attempts(&world(), Caller::default(), &request).unwrap();
    // 1,024 hidden input tokens at 1 µ$ and 10 output tokens at 2 µ$.
    assert_eq!(attempts[0].worst_case.map(|worst| worst.amount()), Some(crate::money::NanoUsd(1_044_000)));
}

#[test]
fn what_operators_run_themselves_costs_nothing_unless_it_is_priced_and_needs_no_secret() {
    let with_bare_key = |name: &str, vendor, is_self_hosted| {
        let bare = Credential { secret: Secret::new(""), ..(*credential("main", AllowList::All, &[])).clone() };
        let Change::PutProvider(provider) = provider(name, vendor, 4, vec![Arc::new(bare)]) else {
            panic!("it is one")
        };
        Change::PutProvider(Arc::new(Provider { is_self_hosted, ..(*provider).clone() }))
    };
    let changes = [("bare", "openai", false), ("vllm", "vllm", true), ("own", "groq", true)]
        .map(|(a, b, c)| with_bare_key(a, b, c));
    let world = changes.into_iter().fold(world(), |world, change| world.apply(change).unwrap());
    let first = |model| {
        let request = Request::new(Dialect::OpenAi, Operation::ChatCompletion, model);
        attempts(&world, Caller::default(), &request).map(|mut attempts| attempts.remove(0))
    };
    assert!(first("bare/x").is_err(), "a key of a vendor's that has no secret is none");
    let usage = crate::usage::Usage { input: 10, output: 10, ..crate::usage::Usage::default() };
    for (model, expected) in [("vllm/x", 0), ("own/llama", 2_000)] {
        let attempt = first(model).unwrap();
        assert_eq!(attempt.price().unwrap().cost(&usage), crate::money::NanoUsd(expected), "{model}");
        assert!(attempt.worst_case.is_some(), "{model}");
    }
}
