//! Entities one at a time: in the normal form they say what the file says, and mistakes are told as in a file.

use serde_json::{Value, json};

use super::super::entity::{Entity, Kind, Placed, read_entity, read_kept, split};
use super::super::world::FileWorld;
use super::*;
use crate::key::TokenHash;
use crate::snapshot::Snapshot;

/// All configurations at hand, without what is to come.
fn files() -> Vec<String> {
    let conf = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf");
    let read = |path| std::fs::read_to_string(path).unwrap();
    let folder = std::fs::read_dir(conf.join("examples")).unwrap();
    let mut texts: Vec<_> = folder.map(|entry| read(entry.unwrap().path())).collect();
    texts.push(read(conf.join("quickstart.json")));
    texts.push(include_str!("../../../tests/every-field.json").to_owned());
    texts.extend([seeds::HELM.to_owned(), seeds::HELM_FULL.to_owned(), seeds::whole_page().to_string()]);
    texts.iter().map(|text| usable(text)).collect()
}

fn usable(text: &str) -> String {
    let mut file: Value = serde_json::from_str(text).unwrap();
    for later in ["access_profiles", "config_store", "logs_store"] {
        file.as_object_mut().unwrap().remove(later);
    }
    if let Some(governance) = file.get_mut("governance") {
        governance.as_object_mut().unwrap().remove("auth_config");
    }
    file.to_string()
}

/// An environment in which what is an address is one.
fn env(name: &str) -> Option<String> {
    Some(if name.ends_with("_BASE_URL") { "https://example.com".into() } else { format!("value-of-{name}") })
}

fn split_text(text: &str) -> Vec<Entity> {
    split(text, env, &VOCABULARY).unwrap_or_else(|problems| panic!("{problems:#?}")).0
}

fn read_one(entity: &Entity, world: &dyn World) -> (Shape, Vec<Problem>) {
    read_entity(entity.kind, &entity.id, &entity.document, env, world, &VOCABULARY)
        .unwrap_or_else(|problems| panic!("{entity:?}: {}: {problems:#?}", entity.document))
}

#[test]
fn documents_of_the_normal_form_say_what_the_file_says() {
    for text in files() {
        let (file, _) = read(&text, env, &VOCABULARY).unwrap_or_else(|problems| panic!("{text}: {problems:#?}"));
        // Inline budgets are entities of the normal form, so it is a world of its own.
        let (entities, placed) = (split_text(&text), file.entities());
        let world = Normal(&FileWorld::of(&file), &placed);
        assert_eq!(entities.len(), placed.len());
        assert!(entities.is_sorted_by_key(|entity| entity.kind));
        for (entity, expected) in entities.iter().zip(&placed) {
            let (shape, warnings) = read_one(entity, &world);
            assert_eq!(format!("{shape:?}"), format!("{:?}", expected.shape), "{}", entity.document);
            assert_eq!((entity.kind, &*entity.id, entity.order), (shape.kind(), shape.id(), expected.order));
            let strange = warnings.iter().find(|warning| !warning.message.contains("configured"));
            assert!(strange.is_none_or(|one| one.message.contains("is a target of the rule already")), "{strange:?}");
        }
    }
}

/// A file whose budgets and rate limits all have ids.
struct Normal<'a>(&'a FileWorld<'a>, &'a [Placed]);

impl World for Normal<'_> {
    fn has(&self, kind: Kind, id: &str) -> bool {
        self.1.iter().any(|one| one.shape.kind() == kind && one.shape.id() == id)
    }

    fn ids(&self, kind: Kind) -> Vec<&str> {
        self.0.ids(kind)
    }

    fn keys_of(&self, provider: &str) -> Option<Vec<&str>> {
        self.0.keys_of(provider)
    }

    fn reset_of(&self, budget: &str) -> Option<crate::window::ResetDuration> {
        self.1.iter().find_map(|one| match &one.shape {
            Shape::Budget(shape) if *shape.id == *budget => Some(shape.terms.reset),
            _ => None,
        })
    }

    fn allows_direct_keys(&self) -> bool {
        self.0.allows_direct_keys()
    }
}

fn document<'a>(entities: &'a [Entity], kind: Kind, id: &str) -> &'a str {
    let found = entities.iter().find(|entity| entity.kind == kind && *entity.id == *id);
    &found.unwrap_or_else(|| panic!("no {kind} {id} in {entities:?}")).document
}

#[test]
fn what_limits_an_entity_is_named_by_it_and_stands_on_its_own() {
    let entities = split_text(
        r#"{"version": 1, "providers": {"openai": {"keys": [{"name": "main", "value": "env.KEY"}]}}, "governance": {
            "budgets": [{"id": "pool", "max_limit": 5.50, "reset_duration": "1M", "team_id": "ml"}],
            "teams": [{"id": "ml", "name": "ML", "calendar_aligned": true, "rate_limit": {"max_concurrent_requests": 2},
                "budget": {"max_limit": 1, "reset_duration": "1d"}}],
            "virtual_keys": [
                {"id": "vk", "name": "vk", "value": "env.VK", "team_id": "ml", "budget_id": "pool", "provider_configs": [
                    {"id": 7, "provider": "openai", "budgets": [{"max_limit": 2, "reset_duration": "1w"}]}]},
                {"id": "any", "name": "any", "value": "t", "budgets": null}]}}"#,
    );
    for (kind, id, expected) in [
        (Kind::Client, "client", "{}"),
        (Kind::Plugins, "plugins", "[]"),
        (Kind::Provider, "openai", r#"{"keys":[{"name":"main","value":"env.KEY"}]}"#),
        (Kind::Budget, "pool", r#"{"id":"pool","max_limit":5.5,"reset_duration":"1M","calendar_aligned":true}"#),
        (
            Kind::Budget,
            "team:ml/1d",
            r#"{"id":"team:ml/1d","max_limit":1,"reset_duration":"1d","calendar_aligned":true}"#,
        ),
        (Kind::Budget, "provider_config:7/1w", r#"{"id":"provider_config:7/1w","max_limit":2,"reset_duration":"1w"}"#),
        (Kind::RateLimit, "team:ml", r#"{"id":"team:ml","max_concurrent_requests":2}"#),
        (
            Kind::Team,
            "ml",
            r#"{"id":"ml","name":"ML","calendar_aligned":true,"budget_ids":["team:ml/1d","pool"],"rate_limit_id":"team:ml"}"#,
        ),
        (
            Kind::VirtualKey,
            "vk",
            concat!(
                r#"{"id":"vk","name":"vk","value":"env.VK","team_id":"ml","#,
                r#""provider_configs":[{"id":7,"provider":"openai","budget_ids":["provider_config:7/1w"]}],"#,
                r#""budget_ids":["pool"],"allow_all_providers":false}"#
            ),
        ),
        (Kind::VirtualKey, "any", r#"{"id":"any","name":"any","value":"t","allow_all_providers":true}"#),
    ] {
        assert_eq!(document(&entities, kind, id), expected);
    }
}

#[test]
fn the_resolved_form_changes_with_a_variable_and_not_with_the_order_of_fields() {
    let resolved = |text: &str, value: &str| {
        let env = |_: &str| Some(value.to_owned());
        let (entities, _) = split(text, env, &VOCABULARY).unwrap();
        let provider = entities.iter().find(|entity| entity.kind == Kind::Provider).unwrap();
        provider.resolved.reveal().to_owned()
    };
    let text = r#"{"providers": {"openai": {"keys": [{"name": "a", "value": "env.KEY"}]}}}"#;
    let turned = r#"{"providers": {"openai": {"keys": [{"value": "env.KEY", "name": "a"}]}}}"#;
    assert_eq!(resolved(text, "one"), resolved(turned, "one"));
    assert_ne!(resolved(text, "one"), resolved(text, "two"));
    let shown = format!("{:?}", split_text(r#"{"providers": {"openai": {"keys": [{"name": "a", "value": "sk-1"}]}}}"#));
    assert!(!shown.contains("sk-1"), "{shown}");
}

#[test]
fn an_override_that_names_a_key_alone_says_its_provider() {
    let entities = split_text(
        r#"{"providers": {"openai": {"keys": [{"name": "eu", "value": "sk"}]}}, "governance": {"pricing_overrides": [
            {"id": "o", "name": "o", "scope_kind": "provider_key", "provider_key_id": "eu", "pattern": "gpt-4o",
                "pricing_patch": {"input_cost_per_token": 0.000001}}]}}"#,
    );
    assert!(document(&entities, Kind::PricingOverride, "o").contains(r#""provider_id":"openai""#));
}

/// The problems of an entity where nothing else is.
fn problems_of(kind: Kind, id: &str, document: &str) -> Vec<String> {
    lines(match read_entity(kind, id, document, full_env, &Snapshot::default(), &VOCABULARY) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    })
}

#[test]
fn mistakes_of_one_entity_are_told_all_at_once_with_places_inside_it() {
    let key = r#"{"id": "vk", "nam": "x", "team_id": "ml", "customer_id": "env.CUSTOMER", "budget_ids": ["b"],
        "rate_limit_id": "r", "budget": {"max_limit": 1, "reset_duration": "1d"}, "metadata": {"a": 1},
        "allowed_request_types": ["chat_completion", "rerank"],
        "provider_configs": [{"provider": "openai", "weight": -1, "key_ids": ["main"]}]}"#;
    assert_eq!(
        problems_of(Kind::VirtualKey, "vk", key),
        [
            "nam: unknown field; did you mean `name`?",
            "team_id = \"ml\": no team has this id",
            "customer_id = \"env.CUSTOMER\": a key has a `team_id` or a `customer_id`, not both",
            "customer_id = \"env.CUSTOMER\": no customer has this id",
            "budget_ids[0] = \"b\": no budget has this id",
            "rate_limit_id = \"r\": no rate limit has this id",
            "budget: unknown field",
            "later: metadata: not supported yet: metadata of keys",
            "later: allowed_request_types[1]: not supported yet: this operation",
            "warning: provider_configs[0].provider = \"openai\": \
             no provider of this name is configured, so nothing goes to it",
            "provider_configs[0].weight = -1: must not be negative",
            "warning: provider_configs[0].key_ids[0] = \"main\": its provider is not configured, so this key is not there yet",
            "name: required, but missing",
        ]
    );
}

/// `(kind, id, document, how one of its problems begins)`
const MISTAKES: &[(Kind, &str, &str, &str)] = &[
    (Kind::VirtualKey, "vk", "{", "not JSON: ends too early, at line 1"),
    (Kind::VirtualKey, "vk", "[]", "expected an object, found a list"),
    (Kind::Team, "ml", r#"{"id": "other", "name": "ML"}"#, "id = \"other\": cannot be changed: this team is `ml`"),
    (Kind::Provider, "azure", "{}", "later: not supported yet: this vendor"),
    (
        Kind::Provider,
        "opnai",
        r#"{"keys": [{"name": "a", "value": "x"}]}"#,
        "unknown vendor (a provider of another name needs `custom_provider_config`); did you mean `openai`?",
    ),
    (Kind::Provider, "a/b", "{}", "a provider's name must not be empty and must not contain `/`"),
    (
        Kind::Budget,
        "b",
        r#"{"id": "b", "max_limit": -1, "reset_duration": "1d"}"#,
        "max_limit = -1: must not be negative",
    ),
    (
        Kind::Budget,
        "b",
        r#"{"id": "b", "max_limit": 1, "reset_duration": "1d", "team_id": "x"}"#,
        "team_id: unknown field",
    ),
    (
        Kind::RateLimit,
        "r",
        r#"{"id": "r"}"#,
        "limits nothing: has none of `request_max_limit`, `token_max_limit` and `max_concurrent_requests`",
    ),
    (
        Kind::ProviderLimits,
        "openai",
        r#"{"name": "openai", "send_back_raw_request": true}"#,
        "later: send_back_raw_request: not supported yet: raw requests in answers",
    ),
    (
        Kind::ModelConfig,
        "m",
        r#"{"id": "m", "model_name": "*", "budget_ids": ["b"]}"#,
        "model_name = \"*\": names no model; limits of a provider as a whole stand in `providers`",
    ),
    (
        Kind::RoutingRule,
        "r",
        r#"{"id": "r", "name": "r", "targets": [{"weight": 0.5}]}"#,
        "targets: the weights must sum to 1, and sum to 0.5",
    ),
    (
        Kind::RoutingRule,
        "r",
        r#"{"id": "r", "name": "r", "targets": [{"weight": 1}], "scope": "team", "scope_id": "t"}"#,
        "scope_id = \"t\": no team has this id",
    ),
    (
        Kind::PricingOverride,
        "o",
        r#"{"id": "o", "name": "o", "scope_kind": "provider_key", "provider_key_id": "k", "pattern": "m", "pricing_patch": {"input_cost_per_token": 1e-6}}"#,
        "provider_key_id = \"k\": no provider has a key of this name",
    ),
    (
        Kind::Client,
        "client",
        r#"{"max_buffered_bytes": 1048576}"#,
        "max_buffered_bytes = 1048576: smaller than one body may be (`max_request_body_size_mb`)",
    ),
    (Kind::Client, "client", r#"{"allowed_headers": ["x"]}"#, "later: allowed_headers: not supported yet: CORS"),
    (
        Kind::AuthConfig,
        "auth_config",
        r#"{"is_enabled": true}"#,
        "admin_password: required when `is_enabled` is true, but missing",
    ),
    (
        Kind::AuthConfig,
        "auth_config",
        r#"{"admin_password": "$argon2id$v=19$m=999999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"}"#,
        "admin_password: begins as an argon2id hash, and is none that can be used",
    ),
    (
        Kind::Plugins,
        "plugins",
        r#"[{"name": "semantic_cache"}]"#,
        "later: [0]: not supported yet: plugins other than governance, logging and telemetry",
    ),
    (
        Kind::Framework,
        "framework",
        r#"{"pricing": {"pricing_url": "ftp://x"}}"#,
        "pricing.pricing_url: must be a `file:///absolute/path`, or an http or https URL",
    ),
];

#[test]
fn what_an_entity_names_may_have_changed_since_it_was_kept_and_may_not_where_it_is_written() {
    let file = r#"{"providers": {"openai": {"keys": [{"name": "main", "value": "sk"}, {"name": "twin", "value": "sk"}]},
            "anthropic": {"keys": [{"name": "twin", "value": "sk"}]}},
        "governance": {"budgets": [{"id": "b1", "max_limit": 1, "reset_duration": "1d"},
            {"id": "b2", "max_limit": 2, "reset_duration": "1d"}]}}"#;
    let (file, _) = read(file, env, &VOCABULARY).unwrap();
    let world = FileWorld::of(&file);
    let price = |key: &str| {
        json!({"id": "e", "name": "e", "scope_kind": "provider_key", "provider_key_id": key, "pattern": "m",
            "pricing_patch": {"input_cost_per_token": 0.000_001}})
    };
    let key = |fields: Value| {
        let mut key = json!({"id": "e", "name": "e", "value_hash": TokenHash::of("t").to_hex()});
        key.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        key
    };
    let named_key = key(json!({"provider_configs": [{"provider": "openai", "key_ids": ["gone"]}]}));
    let target = json!([{"provider": "openai", "key_id": "gone", "weight": 1}]);
    for (kind, document, expected) in [
        (Kind::VirtualKey, named_key, "provider `openai` has no key of this name"),
        (Kind::VirtualKey, key(json!({"provider_configs": [], "budget_ids": ["b1", "b2"]})), "the same duration"),
        (Kind::RoutingRule, json!({"id": "e", "name": "e", "targets": target}), "has no key of this name"),
        (Kind::PricingOverride, price("gone"), "no provider has a key of this name"),
        (Kind::PricingOverride, price("twin"), "several providers have a key of this name"),
    ] {
        let document = document.to_string();
        let told = |problems: &[Problem]| problems.iter().any(|one| one.message.contains(expected));
        let refused = read_entity(kind, "e", &document, env, &world, &VOCABULARY).unwrap_err();
        assert!(told(&refused), "{refused:#?}");
        let (shape, warnings) = read_kept(kind, "e", &document, env, &world, &VOCABULARY).unwrap();
        assert!(told(&warnings), "{warnings:#?}");
        if let Shape::PricingOverride(one) = shape {
            assert!(one.to_policy(0).is_none(), "nobody knows whose key it is for");
        }
    }
}

#[test]
fn each_kind_is_checked_as_in_a_file() {
    for (kind, id, document, expected) in MISTAKES {
        let found = problems_of(*kind, id, document);
        assert!(found.iter().any(|line| line.starts_with(expected)), "{kind} {document}: {found:#?}");
    }
}

#[test]
fn a_stored_key_may_have_hashes_in_place_of_its_value() {
    let (old, new) = (TokenHash::of("old"), TokenHash::of("new"));
    let document = json!({"id": "vk", "name": "vk", "allow_all_providers": true, "value_hash": new.to_hex(),
        "value_hashes": [new.to_hex(), {"value_hash": old.to_hex(), "expires_at_ms": 500}]});
    let read = |document: &Value| {
        read_entity(Kind::VirtualKey, "vk", &document.to_string(), full_env, &Snapshot::default(), &VOCABULARY)
    };
    let (Shape::VirtualKey(key), _) = read(&document).unwrap() else { panic!("no key") };
    let key = key.to_policy();
    assert_eq!(*key.tokens, [new, old]);
    assert!(key.is_opened_by(&old, 499) && !key.is_opened_by(&old, 500) && key.is_opened_by(&new, 500));
    let wrong =
        json!({"id": "vk", "name": "vk", "allow_all_providers": true, "value_hash": "3c", "value_hashes": [{}, 5]});
    assert_eq!(
        lines(read(&wrong).unwrap_err()),
        [
            "value_hash: expected a SHA-256 as 64 hexadecimal digits",
            "value_hashes[0].value_hash: required, but missing",
            "value_hashes[1]: expected a SHA-256 as 64 hexadecimal digits",
        ]
    );
    let in_file = problems(&with_key(&format!(r#""provider_configs": [], "value_hash": "{}""#, new.to_hex())));
    assert_eq!(in_file.len(), 1);
    assert!(in_file[0].ends_with("value_hash: unknown field"), "{in_file:?}");
}
