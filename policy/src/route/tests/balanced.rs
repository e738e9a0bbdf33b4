//! How whole plans spread traffic, and what keeps calls together.

use std::collections::BTreeMap;

use super::health::{Health, Reading, Route};
use super::*;
use crate::id::{ProviderName, VirtualKeyId};
use crate::route::balance::Balance::{self, Adaptive, Weighted};
use crate::route::expr::Condition;
use crate::route::rule::{Failures, Rule, RuleScope, RuleTarget};
use crate::settings::Settings;

const NAMES: [&str; 3] = ["a", "b", "c"];
const SEEDS: u64 = 1_000;

/// The readings of some providers; the others are well.
#[derive(Debug, Default)]
struct Readings(Vec<(&'static str, Reading)>);

impl Health for Readings {
    fn reading(&self, route: Route<'_>) -> Reading {
        let known = self.0.iter().find(|(name, _)| *name == route.provider.name.as_str());
        known.map_or(Reading::WELL, |(_, reading)| *reading)
    }

    fn take_retry(&self, _provider: &Provider) -> bool {
        true
    }
}

fn slow(latency_us: u64) -> Reading {
    Reading { latency_us, ..Reading::WELL }
}

/// What the settings and a rule say.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    client: Balance,
    /// A rule for `ruled`, and what it says.
    rule: Option<Option<Balance>>,
    sticks_to_prompts: bool,
}

/// Three providers with two credentials each.
fn world(said: Said, weights: [&str; 3]) -> Snapshot {
    let settings =
        Settings { balance: said.client, prompt_cache_affinity: said.sticks_to_prompts, ..Settings::default() };
    let credentials = || ["one", "two"].map(|name| credential(name, AllowList::only(["m", "ruled"]), &[])).to_vec();
    let providers = NAMES.iter().zip(0..).map(|(name, order)| provider(name, "openai", order, credentials()));
    let rule = said.rule.map(|balance| Change::PutRule(Arc::new(rule(balance, weights))));
    let changes = providers.chain(rule).chain([Change::Settings(Arc::new(settings))]);
    changes.fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
}

fn rule(balance: Option<Balance>, weights: [&str; 3]) -> Rule {
    let target = |(name, weight): (&str, &str)| RuleTarget {
        provider: Some(ProviderName::from(name)),
        model: None,
        credential: None,
        weight: Weight::from_text(weight).unwrap(),
    };
    Rule {
        id: "r".into(),
        name: "r".into(),
        scope: RuleScope::Global,
        priority: 0,
        order: 0,
        condition: Arc::new(Condition::compile("model == 'ruled'").unwrap()),
        targets: NAMES.into_iter().zip(weights).map(target).collect(),
        fallbacks: None,
        is_chained: false,
        balance,
        failures: Failures::default(),
    }
}

fn caller(id: &str, balance: Option<Balance>, weights: [&str; 3]) -> Caller {
    let listed = NAMES.iter().zip(weights).map(|(name, weight)| listed(name, AllowList::All, Some(weight))).collect();
    let Caller { key: Some(key), .. } = key(listed) else { unreachable!() };
    let key = VirtualKey { id: VirtualKeyId::from(id), balance, ..(*key).clone() };
    Caller { key: Some(Arc::new(key)), own_credential: None }
}

/// Seeds far apart.
fn dice(seed: u64) -> Seeded {
    Seeded((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn asked(model: &str) -> Request<'_> {
    Request::new(Dialect::OpenAi, Operation::ChatCompletion, model)
}

/// How the call chooses, its first target, and the credential of its first attempt.
fn planned(
    world: &Snapshot,
    caller: &Caller,
    request: &Request<'_>,
    health: &dyn Health,
    seed: u64,
) -> (Balance, String, String) {
    let mut dice = dice(seed);
    let mut now = Circumstances { health, accounts: &(), dice: &mut dice, seen: &mut () };
    let plan = plan(world, caller.clone(), request, &mut now).unwrap();
    let (balance, first) = (plan.choice.balance, plan.targets[0].provider.name.to_string());
    let walk = Walk::begin(plan, &mut now);
    let attempt = walk.attempt().unwrap();
    assert_eq!(attempt.provider.name.as_str(), first);
    (balance, first, attempt.credential.name.to_string())
}

/// How often each provider comes first in as many plans as there are seeds.
fn firsts(world: &Snapshot, caller: &Caller, model: &str, health: &dyn Health) -> [u32; 3] {
    let mut counts = [0; 3];
    for seed in 0..SEEDS {
        let (_, first, _) = planned(world, caller, &asked(model), health, seed);
        counts[NAMES.iter().position(|name| *name == first).unwrap()] += 1;
    }
    counts
}

#[test]
fn the_rule_says_how_traffic_is_spread_else_the_key_else_the_settings() {
    let readings = Readings(vec![("a", slow(2_000_000)), ("b", slow(100_000)), ("c", slow(2_000_000))]);
    let (even, either) = (["1", "1", "0"], [None, Some(Weighted), Some(Adaptive)]);
    for client in [Weighted, Adaptive] {
        for key in either {
            for rule in [None, Some(None), Some(Some(Weighted)), Some(Some(Adaptive))] {
                let said = Said { client, rule, ..Said::default() };
                let (world, caller) = (world(said, even), caller("k", key, even));
                for model in ["m", "ruled"] {
                    let of_rule = rule.flatten().filter(|_| model == "ruled");
                    let expected = of_rule.or(key).unwrap_or(client);
                    assert_eq!(
                        planned(&world, &caller, &asked(model), &readings, 1).0,
                        expected,
                        "{said:?} {key:?} {model}"
                    );
                    let [_, fast, spare] = firsts(&world, &caller, model, &readings);
                    assert_eq!(spare, 0, "a weight of zero comes last");
                    match expected {
                        Adaptive => assert!(fast >= 990, "{said:?} {key:?} {model}: {fast}"),
                        Weighted => assert!((440..560).contains(&fast), "{said:?} {key:?} {model}: {fast}"),
                    }
                }
            }
        }
    }
}

#[test]
fn an_anonymous_call_is_spread_as_the_rule_says_else_the_settings() {
    let even = ["1", "1", "1"];
    for (client, rule, expected) in [
        (Weighted, None, Weighted),
        (Adaptive, None, Adaptive),
        (Adaptive, Some(Weighted), Weighted),
        (Weighted, Some(Adaptive), Adaptive),
    ] {
        let world = world(Said { client, rule: Some(rule), ..Said::default() }, even);
        assert_eq!(planned(&world, &Caller::default(), &asked("ruled"), &AllWell, 1).0, expected);
    }
}

#[test]
fn what_the_key_says_counts_again_after_a_chained_rule_that_said_otherwise() {
    let first = Rule { is_chained: true, ..rule(Some(Adaptive), ["1", "0", "0"]) };
    let mut second = Rule { id: "s".into(), order: 1, ..rule(None, ["1", "1", "1"]) };
    second.condition = Arc::new(Condition::compile("provider == 'a'").unwrap());
    let first_only = world(Said::default(), ["1", "1", "1"]).apply(Change::PutRule(Arc::new(first))).unwrap();
    let caller = caller("k", Some(Weighted), ["1", "1", "1"]);
    assert_eq!(planned(&first_only, &caller, &asked("ruled"), &AllWell, 1).0, Adaptive);
    // Asked first, so that the second round finds it.
    second.priority = -1;
    let both = first_only.apply(Change::PutRule(Arc::new(second))).unwrap();
    assert_eq!(planned(&both, &caller, &asked("ruled"), &AllWell, 1).0, Weighted, "the last rule's word counts");
}

#[test]
fn weights_alone_are_followed_however_the_targets_do() {
    let readings = Readings(vec![("a", slow(5_000_000)), ("b", slow(1_000))]);
    let weights = ["0.6", "0.3", "0.1"];
    let world = world(Said::default(), weights);
    let counts = firsts(&world, &caller("k", None, weights), "m", &readings);
    for (count, expected) in counts.into_iter().zip([600_u32, 300, 100]) {
        assert!(count.abs_diff(expected) < 60, "{counts:?}");
    }
}

#[test]
fn of_three_the_slow_one_is_never_first_and_the_others_share() {
    let readings = Readings(vec![("a", slow(900_000)), ("b", slow(100_000)), ("c", slow(100_000))]);
    let even = ["1", "1", "1"];
    let world = world(Said { client: Adaptive, ..Said::default() }, even);
    let [slow, one, other] = firsts(&world, &caller("k", None, even), "m", &readings);
    assert!(slow <= 10 && one.min(other) > 300, "{slow} {one} {other}");
}

#[test]
fn a_target_whose_vendor_has_little_left_for_us_is_chosen_less() {
    let even = ["1", "1", "1"];
    let world = world(Said { client: Adaptive, ..Said::default() }, even);
    let share = |headroom: u16| {
        let scarce = Reading { headroom, ..slow(100_000) };
        let readings = Readings(vec![("a", scarce), ("b", slow(100_000)), ("c", slow(150_000))]);
        firsts(&world, &caller("k", None, even), "m", &readings)[0]
    };
    let (ample, at_the_mark, scarce) = (share(1_000), share(200), share(20));
    assert!(
        (440..560).contains(&ample),
        "{ample}: it beats the slower one, and comes before its equal as often as not"
    );
    assert_eq!(at_the_mark, ample, "a fifth is ample");
    assert!(scarce <= 10, "{scarce}");
}

/// A body that begins with a prompt of that name, 2 KiB and more, and ends in its own way.
fn body(prompt: &str, end: u64) -> Vec<u8> {
    format!("{{\"prompt\": \"{prompt:*<2100}\", \"end\": {end}}}").into_bytes()
}

const KEEPING: Said = Said { client: Weighted, rule: Some(None), sticks_to_prompts: true };

fn with_body<'a>(body: &'a [u8], model: &'a str) -> Request<'a> {
    Request { body, ..asked(model) }
}

/// The first targets with their credentials, each with how often it came.
fn spread(of: impl Iterator<Item = (Balance, String, String)>) -> BTreeMap<(String, String), u32> {
    of.fold(BTreeMap::new(), |mut counts, (_, target, credential)| {
        *counts.entry((target, credential)).or_default() += 1;
        counts
    })
}

#[test]
fn prompts_of_a_key_that_begin_alike_go_the_same_way() {
    let even = ["1", "1", "1"];
    let said = [KEEPING, Said { client: Adaptive, ..KEEPING }];
    for (said, model) in said.into_iter().flat_map(|said| [(said, "m"), (said, "ruled")]) {
        let (world, caller) = (world(said, even), caller("k", None, even));
        let ways = (0..200).map(|seed| planned(&world, &caller, &with_body(&body("p", seed), model), &AllWell, seed));
        let ways = spread(ways);
        assert_eq!(ways.len(), 1, "{model}: {ways:?}");
    }
}

#[test]
fn other_keys_and_other_beginnings_spread_over_all_ways_by_weight() {
    let weights = ["2", "1", "1"];
    let world = world(KEEPING, weights);
    let same = body("p", 0);
    let same = with_body(&same, "m");
    let of_keys = (0..400).map(|n| planned(&world, &caller(&format!("k{n}"), None, weights), &same, &AllWell, 1));
    let of_prompts = (0..400).map(|n| {
        planned(&world, &caller("k", None, weights), &with_body(&body(&format!("p{n}"), 0), "m"), &AllWell, 1)
    });
    for ways in [spread(of_keys), spread(of_prompts)] {
        assert_eq!(ways.len(), 6, "three providers with two credentials each: {ways:?}");
        let of_a: u32 = ways.iter().filter(|((target, _), _)| target == "a").map(|(_, count)| count).sum();
        assert!((150..250).contains(&of_a), "{ways:?}");
    }
}

#[test]
fn only_what_begins_with_two_kibibytes_alike_is_kept_together() {
    let even = ["1", "1", "1"];
    let (world, caller) = (world(KEEPING, even), caller("k", None, even));
    let ways =
        |body: &[u8]| spread((0..200).map(|seed| planned(&world, &caller, &with_body(body, "m"), &AllWell, seed)));
    assert_eq!(ways(&[b'x'; 2_048]).len(), 1);
    assert_eq!(ways(&[b'x'; 2_047]).len(), 6);
    assert_eq!(ways(b"").len(), 6);
    let mut longer = [b'x'; 2_049];
    longer[2_048] = b'y';
    assert_eq!(ways(&longer), ways(&[b'x'; 2_048]), "the byte after that is of no interest");
    // The last byte that counts: prompts that differ in it alone are spread.
    let last_differs = (0..=255).map(|last| {
        let mut body = [b'x'; 2_048];
        body[2_047] = last;
        planned(&world, &caller, &with_body(&body, "m"), &AllWell, 1)
    });
    assert_eq!(spread(last_differs).len(), 6);
}

#[test]
fn without_the_setting_no_prompt_is_kept_together() {
    let even = ["1", "1", "1"];
    let world = world(Said { sticks_to_prompts: false, ..KEEPING }, even);
    let caller = caller("k", None, even);
    let ways = (0..200).map(|seed| planned(&world, &caller, &with_body(&body("p", 0), "m"), &AllWell, seed));
    assert_eq!(spread(ways).len(), 6);
}

/// One header field that names a session.
#[derive(Debug)]
struct InSession(String);

impl crate::request::Fields for InSession {
    fn field(&self, name: &str) -> Option<&str> {
        (name == "x-bf-session-id").then_some(self.0.as_str())
    }

    fn each(&self, show: &mut dyn FnMut(&str, &str)) {
        show("x-bf-session-id", &self.0);
    }
}

#[test]
fn a_session_is_kept_together_whatever_its_prompts_are_and_an_empty_one_is_none() {
    let even = ["1", "1", "1"];
    let (world, caller) = (world(KEEPING, even), caller("k", None, even));
    let way = |session: &str, prompt: &str, seed| {
        let headers = InSession(session.to_owned());
        let body = body(prompt, seed);
        planned(&world, &caller, &Request { headers: &headers, body: &body, ..asked("m") }, &AllWell, seed)
    };
    let one_session = spread((0..200).map(|seed| way("s", &format!("p{seed}"), seed)));
    assert_eq!(one_session.len(), 1, "{one_session:?}");
    let one_prompt = spread((0..200).map(|seed| way(&format!("s{seed}"), "p", 1)));
    assert_eq!(one_prompt.len(), 6, "{one_prompt:?}");
    let no_session = spread((0..200).map(|seed| way("", "p", seed)));
    assert_eq!(no_session.len(), 1, "its prompt keeps it: {no_session:?}");
}
