//! Where prices come from, and the operator's own, as they are written.

use std::time::Duration;

use serde_json::{Value, json};

use crate::money::PicoUsd;
use crate::price::overrides::{ModelPattern, PriceOverride, PriceScope};
use crate::price::{Rate, Unit};
use crate::request::Operation;
use crate::usage::ServiceTier;

use super::*;

/// A file with these overrides, each of which gets what it must have.
fn with_overrides(overrides: &[Value]) -> String {
    let whole = |(index, one): (usize, &Value)| {
        let mut whole = json!({
            "id": format!("o{index}"), "name": format!("o{index}"), "pattern": format!("m{index}"),
            "pricing_patch": {"input_cost_per_token": 1e-6},
        });
        whole.as_object_mut().unwrap().extend(one.as_object().unwrap().clone());
        whole
    };
    json!({
        "providers": {
            "openai": {"keys": [{"name": "main", "value": "sk"}, {"name": "both", "value": "sk"}]},
            "anthropic": {"keys": [{"name": "other", "value": "sk"}, {"name": "both", "value": "sk"}]},
        },
        "governance": {
            "virtual_keys": [{"id": "vk", "name": "vk", "value": "token", "allow_all_providers": true}],
            "pricing_overrides": overrides.iter().enumerate().map(whole).collect::<Vec<_>>(),
        },
    })
    .to_string()
}

fn compiled(one: Value) -> PriceOverride {
    right(&with_overrides(&[one])).price_overrides().remove(0)
}

/// The problems, without the place that all of them have.
fn found(overrides: &[Value]) -> Vec<String> {
    problems(&with_overrides(overrides)).iter().map(|line| line.replace("governance.pricing_overrides", "")).collect()
}

fn rate(unit: Unit, tier: ServiceTier, above_tokens: u64, price: u64) -> Rate {
    Rate { unit, tier, above_tokens, price: PicoUsd(price) }
}

#[test]
fn an_override_is_taken_over_as_object_and_as_text() {
    let patch = json!({
        "input_cost_per_token": 2e-6,
        "output_cost_per_token_above_200k_tokens_priority": 0.5,
        "search_context_cost_per_query": 0.01,
        "cache_read_input_token_cost": 0,
        "cache_creation_input_token_cost": null,
    });
    for patch in [patch.clone(), json!(patch.to_string())] {
        let found = problems(&with_overrides(&[json!({"pricing_patch": patch})]));
        assert_eq!(errors(&found), Vec::<&str>::new());
        let (file, _) = read_text(&with_overrides(&[json!({
            "pricing_patch": patch, "match_type": "wildcard", "pattern": "gpt-*", "request_types": ["embedding"],
        })]))
        .unwrap();
        let one = file.price_overrides().remove(0);
        assert_eq!(one.pattern, ModelPattern::prefix("gpt-"));
        assert!(one.operations.contains(Operation::Embedding) && !one.operations.contains(Operation::ChatCompletion));
        let mut rates = one.rates;
        rates.sort_by_key(|rate| rate.unit);
        assert_eq!(
            rates,
            [
                rate(Unit::Input, ServiceTier::Standard, 0, 2_000_000),
                rate(Unit::CacheRead, ServiceTier::Standard, 0, 0),
                rate(Unit::Output, ServiceTier::Priority, 200_000, 500_000_000_000),
                rate(Unit::Search, ServiceTier::Standard, 0, 10_000_000_000),
            ]
        );
    }
}

#[test]
fn what_is_left_out_of_an_override_has_the_documented_default() {
    let one = compiled(json!({}));
    assert_eq!((one.scope, one.pattern, one.order), (PriceScope::Global, ModelPattern::Exact("m0".into()), 0));
    assert!(Operation::ALL.iter().all(|operation| one.operations.contains(*operation)));
}

#[test]
fn each_scope_is_taken_over() {
    let cases = [
        (
            json!({"scope_kind": "virtual_key_provider_key", "virtual_key_id": "vk", "provider_key_id": "main"}),
            PriceScope::KeyAndCredential("vk".into(), "openai".into(), "main".into()),
        ),
        (
            json!({"scope_kind": "virtual_key_provider", "virtual_key_id": "vk", "provider_id": "openai"}),
            PriceScope::KeyAndProvider("vk".into(), "openai".into()),
        ),
        (json!({"scope_kind": "virtual_key", "virtual_key_id": "vk"}), PriceScope::Key("vk".into())),
        (
            json!({"scope_kind": "provider_key", "provider_key_id": "other"}),
            PriceScope::Credential("anthropic".into(), "other".into()),
        ),
        (
            json!({"scope_kind": "provider_key", "provider_key_id": "both", "provider_id": "anthropic"}),
            PriceScope::Credential("anthropic".into(), "both".into()),
        ),
        (json!({"scope_kind": "provider", "provider_id": "openai"}), PriceScope::Provider("openai".into())),
        (json!({"scope_kind": "global"}), PriceScope::Global),
    ];
    for (written, scope) in cases {
        assert_eq!(compiled(written.clone()).scope, scope, "{written}");
    }
}

#[test]
fn ids_that_do_not_fit_the_scope_are_named() {
    let missing =
        |field: &str, kind: &str| format!("[0].{field}: required where `scope_kind` is \"{kind}\", but missing");
    assert_eq!(found(&[json!({"scope_kind": "virtual_key"})]), [missing("virtual_key_id", "virtual_key")]);
    assert_eq!(found(&[json!({"scope_kind": "provider"})]), [missing("provider_id", "provider")]);
    assert_eq!(found(&[json!({"scope_kind": "provider_key"})]), [missing("provider_key_id", "provider_key")]);
    assert_eq!(
        found(&[json!({"virtual_key_id": "vk"})]),
        ["[0].virtual_key_id = \"vk\": an override of scope \"global\" has no `virtual_key_id`; set `scope_kind`"]
    );
    assert_eq!(
        found(&[json!({"scope_kind": "virtual_key", "virtual_key_id": "vk", "provider_id": "openai"})]),
        ["[0].provider_id = \"openai\": an override of scope \"virtual_key\" has no `provider_id`; set `scope_kind`"]
    );
    assert_eq!(
        found(&[json!({"scope_kind": "virtual_keys"})]),
        ["[0].scope_kind = \"virtual_keys\": unknown; did you mean `virtual_key`?"]
    );
}

#[test]
fn what_an_override_refers_to_must_be_there() {
    let key = |name: &str| json!({"scope_kind": "provider_key", "provider_key_id": name});
    assert_eq!(
        found(&[key("mian"), key("both"), json!({"scope_kind": "virtual_key", "virtual_key_id": "kv"})]),
        [
            "[0].provider_key_id = \"mian\": no provider has a key of this name",
            "[1].provider_key_id = \"both\": several providers have a key of this name: set `provider_id` too",
            "[2].virtual_key_id = \"kv\": no virtual key has this id; did you mean `vk`?",
        ]
    );
    let with_provider =
        |provider: &str| json!({"scope_kind": "provider_key", "provider_key_id": "man", "provider_id": provider});
    assert_eq!(
        found(&[with_provider("openai")]),
        ["[0].provider_key_id = \"man\": provider `openai` has no key of this name; did you mean `main`?"]
    );
    let later = found(&[json!({"scope_kind": "provider", "provider_id": "openia"})]);
    assert_eq!(
        later,
        ["warning: [0].provider_id = \"openia\": no provider of this name is configured, so nothing goes to it; \
          did you mean `openai`?"]
    );
}

#[test]
fn a_pattern_is_a_name_or_a_beginning() {
    let wild = |pattern: &str| json!({"match_type": "wildcard", "pattern": pattern});
    assert_eq!(
        found(&[json!({"pattern": "gpt-*"}), wild("gpt-4o"), wild("*-4o*"), wild("*")]),
        [
            "[0].pattern = \"gpt-*\": is no model's name; a pattern needs `\"match_type\": \"wildcard\"`",
            "[1].pattern = \"gpt-4o\": must end with `*`, and stands for all names that begin so",
            "[2].pattern = \"*-4o*\": may have one `*` only, at its end",
        ]
    );
    assert_eq!(
        found(&[json!({"match_type": "regex"})]),
        ["[0].match_type = \"regex\": unknown; known: exact, wildcard"]
    );
}

#[test]
fn what_is_wrong_with_a_patch_is_told_with_its_place() {
    let patch = |patch: Value| json!({"pricing_patch": patch});
    let wrong = json!({"input_cost_per_tokn": 1, "output_cost_per_token": -1, "cache_read_input_token_cost": "1"});
    assert_eq!(
        found(&[patch(wrong), patch(json!({})), patch(json!("{")), patch(json!("[]")), patch(json!(7))]),
        [
            "[0].pricing_patch.cache_read_input_token_cost = \"1\": expected a number, found a text",
            "[0].pricing_patch.input_cost_per_tokn: unknown field; did you mean `input_cost_per_token`?",
            "[0].pricing_patch.output_cost_per_token = -1: must not be negative",
            "[1].pricing_patch: must set at least one price",
            "[2].pricing_patch: must be an object, or the text of one: \
             EOF while parsing an object at line 1 column 1",
            "[3].pricing_patch: expected an object, found a list",
            "[4].pricing_patch: expected an object, found a number",
        ]
    );
    let text = json!("{\"output_cost_per_tokens\": 1e-6}");
    assert_eq!(
        found(&[patch(text)]),
        ["[0].pricing_patch.output_cost_per_tokens: unknown field; did you mean `output_cost_per_token`?"]
    );
    assert_eq!(found(&[json!({"request_types": []})]), ["[0].request_types: must name at least one request type"]);
}

#[test]
fn a_price_for_a_million_where_one_for_a_token_stands_is_questioned() {
    assert_eq!(
        found(&[json!({"pricing_patch": {"input_cost_per_token": 3, "search_context_cost_per_query": 3}})]),
        ["warning: [0].pricing_patch.input_cost_per_token = 3: is $ 3 for each single token; \
          a price of $ 3 for a million is written as 0.000003"]
    );
}

#[test]
fn an_override_behind_another_for_the_same_calls_is_named() {
    let same = |types: Value| json!({"pattern": "m", "request_types": types});
    let chat = json!(["chat_completion"]);
    assert_eq!(
        found(&[same(chat.clone()), same(json!(["embedding"])), same(json!(["*"])), same(chat)]),
        ["warning: [3].id = \"o3\": is never used: `o0` comes first and is for the same calls"]
    );
}

#[test]
fn a_scope_has_a_thousand_overrides_at_most() {
    let found = found(&vec![json!({}); 1_001]);
    assert_eq!(found, [": the global scope has 1001 overrides, more than 1000"]);
}

#[test]
fn the_list_comes_from_a_file_or_a_url_every_so_often() {
    let pricing = |pricing: Value| right(&json!({"framework": {"pricing": pricing}}).to_string()).framework.pricing;
    let absent = pricing(json!({}));
    assert_eq!((absent.source, absent.interval), (PriceSource::BuiltIn, Duration::from_hours(24)));
    let url = pricing(json!({"pricing_url": "https://prices.example:8443/list?x=1", "pricing_sync_interval": 3600}));
    assert_eq!(url.source, PriceSource::Url("https://prices.example:8443/list?x=1".into()));
    assert_eq!(url.interval, Duration::from_hours(1));
    let file = pricing(json!({"pricing_url": "file:///etc/prices.json", "pricing_sync_interval": "1h30m"}));
    assert_eq!(file.source, PriceSource::File("/etc/prices.json".into()));
    assert_eq!(file.interval, Duration::from_mins(90));
}

#[test]
fn a_source_or_an_interval_that_is_none_is_named_and_its_secret_is_not() {
    let told = |field: &str, value: Value| {
        let found = problems(&json!({"framework": {"pricing": {field: value}}}).to_string());
        found.iter().map(|line| line.replace("framework.pricing.", "")).collect::<Vec<_>>()
    };
    for (url, message) in [
        ("https://me:secret@host/x", "must not hold a user name or a password"),
        ("https:///secret", "has no host"),
        ("http://:80/secret", "has no host"),
        ("https://host/secret x", "must not hold blanks, line breaks or characters beyond ASCII"),
        ("ftp://host/secret", "must be a `file:///absolute/path`, or an http or https URL"),
        ("file://secret", "must be a `file:///absolute/path`, or an http or https URL"),
    ] {
        assert_eq!(told("pricing_url", json!(url)), [format!("pricing_url: {message}")], "{url}");
    }
    let span = "expected a number of seconds or a duration, a second to a year, as in 3600 or \"1h\"";
    assert_eq!(told("pricing_sync_interval", json!("1d")), [format!("pricing_sync_interval = \"1d\": {span}")]);
    assert_eq!(told("pricing_sync_interval", json!("500ms")), [format!("pricing_sync_interval = \"500ms\": {span}")]);
    assert_eq!(
        told("pricing_sync_interval", json!(0)),
        ["pricing_sync_interval = 0: expected a whole number from 1 to 31622400"]
    );
}
