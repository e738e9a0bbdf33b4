//! A file that is put in force entity by entity, each read from its stored form, means what it means as a whole.

use std::path::Path;

use policy::declare::Problem;
use policy::declare::entity::{Entity, Kind, read_entity, split};
use policy::key::TokenHash;
use proptest::prelude::*;

use super::limits::{HELM, PAGE, page, with_missing};
use super::*;

pub(super) const VOCABULARY: Vocabulary<'static> = Vocabulary {
    vendors: &["openai", "anthropic", "gemini", "groq", "mistral", "fireworks", "ollama", "sgl", "vllm", "databricks"],
    without_address: &["ollama", "sgl", "vllm", "databricks"],
    self_hosted: &["ollama", "sgl", "vllm"],
    vendors_later: &["azure", "bedrock", "vertex"],
    check_base_url: |_, _| Ok(()),
};

pub(super) fn env(name: &str) -> Option<String> {
    Some(if name.ends_with("_BASE_URL") { "https://example.com".into() } else { format!("value-of-{name}") })
}

/// The examples, the quickstart, the file with every field, and the pages that Tollgate is compatible with.
fn files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path| std::fs::read_to_string(path).unwrap();
    let folder = std::fs::read_dir(root.join("conf/examples")).unwrap();
    let mut texts: Vec<_> = folder.map(|entry| read(entry.unwrap().path())).collect();
    texts.push(read(root.join("conf/quickstart.json")));
    let all = read(root.join("policy/tests/every-field.json"));
    texts.push(page(&[&all]).to_string());
    texts.push(page(&HELM).to_string());
    texts.push(with_missing(page(&PAGE)).to_string());
    texts
}

fn whole(text: &str) -> (File, Snapshot) {
    let (file, _) = policy::declare::read(text, env, &VOCABULARY).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let snapshot = compile(&file, Arc::default()).unwrap();
    (file, snapshot)
}

fn entities(text: &str) -> Vec<Entity> {
    split(text, env, &VOCABULARY).unwrap_or_else(|problems| panic!("{problems:#?}")).0
}

fn placed(entity: &Entity, world: &Snapshot) -> Placed {
    let read = read_entity(entity.kind, &entity.id, &entity.document, env, world, &VOCABULARY);
    let told = |problems: Vec<Problem>| panic!("{entity:?} {}: {problems:#?}", entity.document);
    Placed { shape: read.unwrap_or_else(told).0, order: entity.order }
}

fn in_turn<'e>(entities: impl IntoIterator<Item = &'e Entity>, from: Snapshot) -> Snapshot {
    entities.into_iter().fold(from, |snapshot, entity| put(&snapshot, &placed(entity, &snapshot), None).unwrap())
}

fn sorted(mut lines: Vec<String>) -> String {
    lines.sort();
    lines.join("\n")
}

/// All of a snapshot as text, but for the revision and what is secret: two that say the same have the same.
fn dump(snapshot: &Snapshot) -> String {
    let model_limits = ["gpt-4o", "claude-3-5-sonnet-20241022"].map(|model| {
        let providers = [None, Some("openai".into()), Some("anthropic".into())];
        format!("{:?}", providers.map(|provider| snapshot.limits_of_model(provider.as_ref(), model).cloned()))
    });
    let scopes: std::collections::BTreeSet<_> = snapshot.rules().iter().map(|rule| rule.scope.clone()).collect();
    let rules = scopes.iter().map(|scope| format!("{scope}: {:?}", snapshot.rules().of_scope(scope)));
    let limits_of = |provider: &Arc<Provider>| snapshot.limits_of_provider(&provider.name).cloned();
    [
        format!("{:?}", snapshot.settings()),
        snapshot.providers().map(|one| format!("{one:?} {:?}\n", limits_of(one))).collect(),
        sorted(snapshot.budgets().map(|one| format!("{one:?}")).collect()),
        sorted(snapshot.rate_limits().map(|one| format!("{one:?}")).collect()),
        model_limits.join("\n"),
        sorted(snapshot.customers().map(|one| format!("{one:?}")).collect()),
        sorted(snapshot.teams().map(|one| format!("{one:?}")).collect()),
        sorted(snapshot.keys().map(|one| format!("{one:?}")).collect()),
        rules.collect::<Vec<_>>().join("\n"),
        sorted(snapshot.price_overrides().iter().map(|one| format!("{one:?}")).collect()),
    ]
    .join("\n\n")
}

/// What a dump does not show: tokens and credentials.
fn assert_same_secrets(file: &File, whole: &Snapshot, parts: &Snapshot) {
    for key in &file.governance.virtual_keys {
        let token = TokenHash::of(key.value.as_ref().unwrap().reveal());
        let owner = |snapshot: &Snapshot| snapshot.key_of_token(&token).map(|key| key.id.clone());
        assert_eq!((owner(whole), owner(parts)), (Some(key.id.clone()), Some(key.id.clone())));
    }
    let secrets = |snapshot: &Snapshot| -> Vec<_> {
        let credentials = snapshot.providers().flat_map(|provider| provider.credentials.clone());
        credentials.map(|credential| credential.secret.reveal().to_owned()).collect()
    };
    assert_eq!(secrets(whole), secrets(parts));
}

#[test]
fn a_file_put_in_force_entity_by_entity_means_what_it_means_as_a_whole() {
    let files = files();
    assert!(files.len() >= 9, "{}", files.len());
    for text in files {
        let (file, whole) = whole(&text);
        let parts = in_turn(&entities(&text), Snapshot::default());
        assert_eq!(dump(&parts), dump(&whole), "{text}");
        assert_same_secrets(&file, &whole, &parts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Within a kind the order in which entities are put makes no difference, nor does it that some are put again.
    #[test]
    fn entities_of_one_kind_may_be_put_in_any_order_and_again(
        which in 0_usize..9,
        order in proptest::collection::vec(any::<u32>(), 64),
        again in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text = files().swap_remove(which);
        let entities = entities(&text);
        let mut shuffled: Vec<_> = entities.iter().zip(order.iter().cycle()).collect();
        shuffled.sort_by_key(|(entity, place)| (entity.kind, **place));
        let all = shuffled.into_iter().map(|(entity, _)| entity).chain(again.iter().map(|one| one.get(&entities)));
        prop_assert_eq!(dump(&in_turn(all, Snapshot::default())), dump(&whole(&text).1));
    }
}

#[test]
fn entities_removed_from_last_to_first_leave_nothing() {
    for text in files() {
        let entities = entities(&text);
        let full = in_turn(&entities, Snapshot::default());
        let gone = entities.iter().rev().fold(full.clone(), |snapshot, entity| {
            let name = entity.kind;
            remove(&snapshot, name, &entity.id, model_of(&placed(entity, &full).shape))
                .unwrap_or_else(|error| panic!("{name}: {error}"))
        });
        let sections = entities.iter().filter(|entity| entity.kind.is_single());
        assert_eq!(dump(&gone), dump(&in_turn(sections, Snapshot::default())));
    }
}

/// The model that it limits, if it does.
fn model_of(shape: &Shape) -> Option<Model> {
    match shape {
        Shape::ModelConfig(config) => Some((config.provider.clone(), config.model.clone())),
        _ => None,
    }
}

fn one(kind: Kind, id: &str, document: &str, snapshot: &Snapshot) -> Placed {
    let read = read_entity(kind, id, document, env, snapshot, &VOCABULARY);
    Placed { shape: read.unwrap_or_else(|problems| panic!("{problems:#?}")).0, order: 0 }
}

#[test]
fn what_is_still_referred_to_cannot_be_removed() {
    let start = in_turn(&entities(&page(&HELM).to_string()), Snapshot::default());
    let team = placed_of(&page(&HELM).to_string(), Kind::Team, "team-ml", &start);
    let error = remove(&start, Kind::Team, team.shape.id(), None).unwrap_err();
    assert!(error.to_string().starts_with("team `team-ml`: "), "{error}");
}

fn placed_of(text: &str, kind: Kind, id: &str, world: &Snapshot) -> Placed {
    let entities = entities(text);
    placed(entities.iter().find(|entity| entity.kind == kind && *entity.id == *id).unwrap(), world)
}

#[test]
fn a_provider_without_keys_can_be_called_with_the_callers_while_that_is_allowed() {
    let bare = one(Kind::Provider, "openai", "{}", &Snapshot::default());
    let client = |allowed: bool| {
        let document = format!(r#"{{"allow_direct_keys": {allowed}}}"#);
        one(Kind::Client, "client", &document, &Snapshot::default())
    };
    let count = |snapshot: &Snapshot| snapshot.provider("openai").unwrap().credentials.len();
    let shut = put(&Snapshot::default(), &bare, None).unwrap();
    let open = put(&shut, &client(true), None).unwrap();
    let shut_again = put(&open, &client(false), None).unwrap();
    assert_eq!((count(&shut), count(&open), count(&shut_again)), (0, 1, 0));
    let late = put(&put(&Snapshot::default(), &client(true), None).unwrap(), &bare, None).unwrap();
    assert_eq!(dump(&late), dump(&open));
}

#[test]
fn limits_of_a_model_move_with_their_config() {
    let config = |model: &str| format!(r#"{{"id": "m", "model_name": "{model}", "rate_limit_id": "r"}}"#);
    let limit = one(Kind::RateLimit, "r", r#"{"id": "r", "max_concurrent_requests": 1}"#, &Snapshot::default());
    let start = put(&Snapshot::default(), &limit, None).unwrap();
    let [old, new] = ["old", "new"].map(|model| one(Kind::ModelConfig, "m", &config(model), &start));
    let moved = put(&put(&start, &old, None).unwrap(), &new, model_of(&old.shape).as_ref()).unwrap();
    let has = |model: &str| moved.limits_of_model(None, model).is_some();
    assert!(has("new") && !has("old"));
}

#[test]
fn a_rule_that_is_switched_off_is_out_of_force() {
    let rule = |enabled: bool| {
        let document = format!(r#"{{"id": "r", "name": "r", "enabled": {enabled}, "targets": [{{"weight": 1}}]}}"#);
        one(Kind::RoutingRule, "r", &document, &Snapshot::default())
    };
    let on = put(&Snapshot::default(), &rule(true), None).unwrap();
    let off = put(&on, &rule(false), None).unwrap();
    assert!(on.rules().get("r").is_some() && off.rules().is_empty());
}

#[test]
fn each_section_changes_its_own_part_of_who_needs_a_key() {
    use policy::settings::KeyRequirement::{Always, Never, WhenKeysExist};
    let put_one = |snapshot: &Snapshot, kind: Kind, document: &str| {
        put(snapshot, &one(kind, kind.as_str(), document, snapshot), None).unwrap()
    };
    let said = |snapshot: &Snapshot| snapshot.settings().key_requirement;
    let start = Snapshot::default();
    let enforced = put_one(&start, Kind::Client, r#"{"enforce_auth_on_inference": true, "min_clamped_tokens": 7}"#);
    let disabled = put_one(&enforced, Kind::AuthConfig, r#"{"disable_auth_on_inference": true}"#);
    let restored = put_one(&disabled, Kind::AuthConfig, "{}");
    assert_eq!(
        [said(&start), said(&enforced), said(&disabled), said(&restored)],
        [WhenKeysExist, Always, Never, Always]
    );
    assert_eq!(restored.settings().min_clamped_tokens, 7);
    let plugin = r#"[{"name": "governance", "config": {"is_vk_mandatory": false}}]"#;
    assert_eq!(said(&put_one(&start, Kind::Plugins, plugin)), Never);
}

#[test]
fn a_key_is_put_in_force_by_its_hash_alone_and_never_without_one() {
    let hash = TokenHash::of("token").to_hex();
    let key = format!(r#"{{"id": "vk", "name": "vk", "allow_all_providers": true, "value_hash": "{hash}"}}"#);
    let start = Snapshot::default();
    let snapshot = put(&start, &one(Kind::VirtualKey, "vk", &key, &start), None).unwrap();
    assert_eq!(snapshot.key_of_token(&TokenHash::of("token")).unwrap().id, "vk".into());
    let bare = one(Kind::VirtualKey, "vk", r#"{"id": "vk", "name": "vk", "allow_all_providers": true}"#, &start);
    assert!(matches!(put(&start, &bare, None), Err(CompileError::NoToken(_))));
}
