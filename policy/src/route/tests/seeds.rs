//! What the rules of the documented pages do, as the pages have them: each alone, and all of a page together.

use serde_json::{Value, json};

use super::*;
use crate::declare::{Vocabulary, read};
use crate::route::rule::Rule;
use crate::snapshot::Team;

const RULES: &str = include_str!("../../../tests/seeds/routing-rules.json");
const FULL: &str = include_str!("../../../tests/seeds/full-example.json");
const HELM: &str = include_str!("../../../tests/seeds/helm-sections.json");

const NAMES: [&str; 5] = ["openai", "anthropic", "azure", "groq", "bedrock"];
const LARGE: &str = "llama-3.3-70b-versatile";
const SHORT: &str = r#"{"max_tokens": 4000}"#;
const LONG: &str = r#"{"max_tokens": 4001}"#;

/// The rules of pages that are one configuration, in their order.
fn rules(pages: &[&str]) -> Vec<Rule> {
    let page = |text: &&str| serde_json::from_str::<Value>(text).unwrap()["governance"]["routing_rules"].take();
    let rules: Vec<_> = pages.iter().flat_map(|text| page(text).as_array().unwrap().clone()).collect();
    let providers: serde_json::Map<_, _> =
        NAMES.iter().map(|name| ((*name).to_owned(), json!({"keys": [{"name": "main", "value": "sk"}]}))).collect();
    let teams = json!([{"id": "team-ml", "name": "ML Team"}]);
    let file = json!({"providers": providers, "governance": {"teams": teams, "routing_rules": rules}});
    let vocabulary = Vocabulary {
        vendors: &NAMES,
        without_address: &[],
        self_hosted: &[],
        vendors_later: &[],
        check_base_url: |_, _| Ok(()),
    };
    let (file, _) = read(&file.to_string(), |_| None, &vocabulary).unwrap_or_else(|problems| panic!("{problems:#?}"));
    file.governance.rules.iter().zip(0..).map(|(rule, order)| rule.to_policy(order)).collect()
}

/// Providers whose credentials list what each of them has: groq its own model alone, the others all but that one.
fn world(rules: Vec<Rule>) -> Snapshot {
    let serves = |name: &str, order| {
        let models: &[&str] = if name == "groq" { &[LARGE] } else { &["gpt-4o", "gpt-4o-mini", "claude-x"] };
        provider(name, "openai", order, vec![credential("main", AllowList::only(models.iter().copied()), &[])])
    };
    let team = Change::PutTeam(Arc::new(Team {
        id: "team-ml".into(),
        name: "ML Team".into(),
        customer: None,
        limits: crate::limit::Limits::default(),
    }));
    let changes = NAMES.iter().zip(0..).map(|(name, order)| serves(name, order)).chain([team]);
    let rules = rules.into_iter().map(|rule| Change::PutRule(Arc::new(rule)));
    changes.chain(rules).fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
}

fn alone(id: &str) -> Snapshot {
    let all = [rules(&[RULES, FULL]), rules(&[HELM])].concat();
    world(vec![all.into_iter().find(|rule| rule.id.as_str() == id).unwrap()])
}

/// A caller without a key, or with one of the team that may use every provider.
fn caller(is_of_team: bool) -> Caller {
    let Caller { key: Some(of_nobody), .. } = key(Vec::new()) else { unreachable!() };
    let of_team = VirtualKey { team: Some("team-ml".into()), unlisted_providers: true, ..(*of_nobody).clone() };
    Caller { key: is_of_team.then(|| Arc::new(of_team)), own_credential: None }
}

/// The rules that decided, and the targets.
fn planned(world: &Snapshot, caller: Caller, model: &str, body: &str, seed: u64) -> (Vec<String>, Vec<String>) {
    let request = Request { body: body.as_bytes(), ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, model) };
    let mut now = Circumstances { health: &AllWell, accounts: &(), dice: &mut Seeded(seed), seen: &mut () };
    let plan = plan(world, caller, &request, &mut now).unwrap();
    let targets = plan.targets.iter().map(|target| format!("{}/{}", target.provider.name, target.model)).collect();
    (plan.rules.iter().map(ToString::to_string).collect(), targets)
}

/// The plan is the same under all dice.
fn assert_plan(world: &Snapshot, caller: &Caller, (model, body): (&str, &str), rule: Option<&str>, targets: &[String]) {
    for seed in 1..50 {
        let (rules, planned) = planned(world, caller.clone(), model, body, seed);
        assert_eq!(rules.first().map(String::as_str), rule, "{model} with {body}");
        assert_eq!((rules.len(), planned.as_slice()), (usize::from(rule.is_some()), targets), "{model} with {body}");
    }
}

/// Who comes first how often in 1,000 plans.
fn firsts(world: &Snapshot, caller: &Caller, model: &str) -> std::collections::BTreeMap<String, u32> {
    let mut firsts = std::collections::BTreeMap::new();
    for seed in 1..=1_000_u64 {
        let spread = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (_, targets) = planned(world, caller.clone(), model, "{}", spread);
        *firsts.entry(targets[0].clone()).or_default() += 1;
    }
    firsts
}

/// A model at several providers.
fn at<const N: usize>(model: &str, providers: [&str; N]) -> [String; N] {
    providers.map(|name| format!("{name}/{model}"))
}

/// No rule is for this call: it goes to all that have the model, in the order of the configuration.
fn assert_unruled(world: &Snapshot, caller: &Caller, (model, body): (&str, &str)) {
    assert_plan(world, caller, (model, body), None, &at(model, ["openai", "anthropic", "azure", "bedrock"]));
}

#[test]
fn alone_gpt_4o_goes_to_azure_first_and_other_models_as_without_rules() {
    let world = alone("route-gpt4-to-azure");
    let nobody = caller(false);
    let rest = at("gpt-4o", ["azure", "openai", "anthropic", "bedrock"]);
    assert_plan(&world, &nobody, ("gpt-4o", "{}"), Some("route-gpt4-to-azure"), &rest);
    assert_unruled(&world, &nobody, ("gpt-4o-mini", "{}"));
}

#[test]
fn alone_the_cost_split_sends_seven_of_ten_to_openai_and_the_others_to_anthropic() {
    let world = alone("route-cost-split");
    let firsts = firsts(&world, &caller(false), "claude-x");
    let openai = firsts["openai/claude-x"];
    assert!((640..760).contains(&openai), "{firsts:?}");
    assert_eq!(firsts["anthropic/claude-x"], 1_000 - openai);
    let (_, targets) = planned(&world, caller(false), "claude-x", "{}", 3);
    let mut first_two = targets[..2].to_vec();
    first_two.sort_unstable();
    assert_eq!(first_two, ["anthropic/claude-x", "openai/claude-x"], "whoever is not drawn comes next");
}

#[test]
fn alone_the_fallback_on_error_is_openai_then_anthropic_and_no_other() {
    let world = alone("fallback-to-anthropic");
    for model in ["gpt-4o", "claude-x"] {
        let targets = at(model, ["openai", "anthropic"]);
        assert_plan(&world, &caller(false), (model, "{}"), Some("fallback-to-anthropic"), &targets);
    }
}

#[test]
fn alone_all_gpt_models_go_to_azure_and_then_to_openai() {
    let world = alone("route-gpt-to-azure");
    for model in ["gpt-4o", "gpt-4o-mini"] {
        let targets = at(model, ["azure", "openai"]);
        assert_plan(&world, &caller(false), (model, "{}"), Some("route-gpt-to-azure"), &targets);
    }
    assert_unruled(&world, &caller(false), ("claude-x", "{}"));
}

#[test]
fn alone_large_answers_go_to_groqs_model_and_then_to_openai_for_the_clients() {
    let world = alone("route-heavy-to-groq");
    let targets = [format!("groq/{LARGE}"), "openai/gpt-4o".to_owned()];
    assert_plan(&world, &caller(false), ("gpt-4o", LONG), Some("route-heavy-to-groq"), &targets);
    for call in [("gpt-4o", SHORT), ("gpt-4o", "{}"), ("gpt-4o-mini", LONG)] {
        assert_unruled(&world, &caller(false), call);
    }
}

#[test]
fn alone_the_teams_calls_go_to_bedrock_and_then_to_openai_and_nobody_elses() {
    let world = alone("route-ml-team-bedrock");
    for model in ["gpt-4o", "claude-x"] {
        let targets = at(model, ["bedrock", "openai"]);
        assert_plan(&world, &caller(true), (model, LONG), Some("route-ml-team-bedrock"), &targets);
        assert_unruled(&world, &caller(false), (model, LONG));
    }
}

#[test]
fn of_the_whole_page_gpt_4o_is_redirected_and_everything_else_is_split() {
    let world = world(rules(&[RULES, FULL]));
    let redirected = at("gpt-4o", ["azure", "openai", "anthropic", "bedrock"]);
    for is_of_team in [false, true] {
        let caller = caller(is_of_team);
        for body in ["{}", SHORT, LONG] {
            assert_plan(&world, &caller, ("gpt-4o", body), Some("route-gpt4-to-azure"), &redirected);
            for model in ["gpt-4o-mini", "claude-x"] {
                assert_eq!(planned(&world, caller.clone(), model, body, 1).0, ["route-cost-split"], "{model}");
            }
        }
        let firsts = firsts(&world, &caller, "gpt-4o-mini");
        assert_eq!(firsts.keys().collect::<Vec<_>>(), ["anthropic/gpt-4o-mini", "openai/gpt-4o-mini"]);
        assert!((640..760).contains(&firsts["openai/gpt-4o-mini"]), "{firsts:?}");
    }
}

#[test]
fn of_the_whole_helm_page_azure_comes_before_groq_and_the_team_before_both() {
    let world = world(rules(&[HELM]));
    for (model, body) in [("gpt-4o", "{}"), ("gpt-4o", LONG), ("gpt-4o-mini", "{}")] {
        let azure = at(model, ["azure", "openai"]);
        assert_plan(&world, &caller(false), (model, body), Some("route-gpt-to-azure"), &azure);
    }
    assert_unruled(&world, &caller(false), ("claude-x", LONG));
    for (model, body) in [("gpt-4o", "{}"), ("gpt-4o", LONG), ("gpt-4o-mini", "{}"), ("claude-x", "{}")] {
        let bedrock = at(model, ["bedrock", "openai"]);
        assert_plan(&world, &caller(true), (model, body), Some("route-ml-team-bedrock"), &bedrock);
    }
}

#[test]
fn of_both_pages_together_the_team_comes_first_and_then_the_first_page() {
    let world = world(rules(&[RULES, FULL, HELM]));
    for body in ["{}", LONG] {
        let decides = |model, is_of_team| planned(&world, caller(is_of_team), model, body, 1).0;
        assert_eq!(decides("gpt-4o", false), ["route-gpt4-to-azure"]);
        assert_eq!(decides("gpt-4o-mini", false), ["route-cost-split"]);
        assert_eq!(decides("claude-x", false), ["route-cost-split"]);
        assert_eq!(decides("gpt-4o", true), ["route-ml-team-bedrock"]);
        assert_eq!(decides("claude-x", true), ["route-ml-team-bedrock"]);
    }
}
