//! Changes that other processes make in the same store.

use store::registry::{Entity, Expected, Origin, Put, Removal, Write};

use super::*;

#[test]
fn another_processes_change_is_followed() {
    let scene = Scene::new();
    let other = Registry::open(scene.folder.path(), &Secret::new("an encryption key")).unwrap();
    let loaded = load(&other, Arc::new(Catalog::default()), environment).unwrap();
    let changed = FILE.replace("sk-bf-first", "env.TOKEN");
    reconcile(&other, environment, loaded, &file(&changed), scene.control.now().wall_ms).unwrap();
    assert!(scene.control.follow().unwrap());
    assert_eq!(scene.caller("sk-bf-from-environment").as_deref(), Some("vk1"));
    assert!(!scene.control.follow().unwrap());
}

/// Another gateway on the store of a scene.
fn beside(scene: &Scene) -> Control {
    let registry = Registry::open(scene.folder.path(), &Secret::new("an encryption key")).unwrap();
    let kept = load(&registry, Arc::new(Catalog::default()), environment).unwrap();
    let parts = Parts {
        registry,
        live: Arc::new(Live::new(kept.snapshot)),
        ledger: Arc::new(Ledger::new(None, 0)),
        ..scene.control.0.parts.clone()
    };
    Control::new(parts, kept.position)
}

#[test]
fn what_others_change_is_put_in_force_row_by_row_and_comes_to_what_loading_it_all_does() {
    let scene = Scene::new();
    let other = beside(&scene);
    let limits = r#"{"id": "m1", "model_name": "gpt-4o", "budget_ids": ["shared"]}"#;
    other.create(Kind::Budget, r#"{"id": "shared", "max_limit": 5, "reset_duration": "1d"}"#, &ADMIN).unwrap();
    let steps: [(&str, Kind, &str, &str); 9] = [
        ("put", Kind::Team, "t2", r#"{"id": "t2", "name": "two"}"#),
        ("put", Kind::VirtualKey, "vk2", r#"{"id": "vk2", "name": "other", "team_id": "t2"}"#),
        ("put", Kind::ModelConfig, "m1", limits),
        ("change", Kind::ModelConfig, "m1", r#"{"model_name": "gpt-4o-mini"}"#),
        ("change", Kind::VirtualKey, "vk1", r#"{"team_id": "t2"}"#),
        ("remove", Kind::Team, "t1", ""),
        (
            "put",
            Kind::RoutingRule,
            "r1",
            r#"{"id": "r1", "name": "r", "scope": "team", "scope_id": "t2",
            "targets": [{"provider": "openai", "weight": 1}]}"#,
        ),
        ("change", Kind::RoutingRule, "r1", r#"{"scope": "virtual_key", "scope_id": "vk2"}"#),
        ("remove", Kind::ModelConfig, "m1", ""),
    ];
    let told = |control: &Control| {
        let snapshot = control.snapshot();
        let mut all: Vec<_> = snapshot.keys().map(|key| format!("{key:?}")).collect();
        all.extend(snapshot.teams().map(|team| format!("{team:?}")));
        all.extend(snapshot.budgets().map(|budget| format!("{budget:?}")));
        all.extend(snapshot.rules().iter().map(|rule| format!("{} {:?}", rule.id, rule.scope)));
        let model = |model| snapshot.limits_of_model(None, model).map(|limits| format!("{limits:?}"));
        all.extend([model("gpt-4o"), model("gpt-4o-mini")].into_iter().flatten());
        all.sort();
        all
    };
    for at_once in [1, steps.len()] {
        for some in steps.chunks(at_once) {
            let untouched = Arc::clone(scene.control.snapshot().provider("openai").unwrap());
            for (what, kind, id, body) in some {
                match *what {
                    "put" => drop(other.create_as(*kind, id, body, &ADMIN).unwrap()),
                    "change" => drop(other.update(*kind, id, body, &ADMIN).unwrap()),
                    _ => other.remove(*kind, id, &ADMIN).unwrap(),
                }
            }
            assert!(scene.control.follow().unwrap());
            assert_eq!(told(&scene.control), told(&beside(&scene)), "{some:?}");
            assert!(
                Arc::ptr_eq(&untouched, scene.control.snapshot().provider("openai").unwrap()),
                "what nobody changed is not compiled anew"
            );
        }
        other.remove(Kind::RoutingRule, "r1", &ADMIN).unwrap();
        other.create(Kind::Team, r#"{"id": "t1", "name": "one"}"#, &ADMIN).unwrap();
        other.update(Kind::VirtualKey, "vk1", r#"{"team_id": "t1"}"#, &ADMIN).unwrap();
        other.remove(Kind::VirtualKey, "vk2", &ADMIN).unwrap();
        other.remove(Kind::Team, "t2", &ADMIN).unwrap();
        scene.control.follow().unwrap();
    }
}

#[test]
fn limits_of_a_model_are_the_files_where_a_call_gave_it_some_too() {
    let scene = begin(tempfile::tempdir().unwrap(), &files::with_models(""));
    let other = beside(&scene);
    files::displace(&scene.control);
    assert!(other.follow().unwrap());
    for control in [&scene.control, &other, &beside(&scene)] {
        let snapshot = control.snapshot();
        let limits = &snapshot.limits_of_model(None, "gpt-4o").unwrap().limits;
        assert!(limits.rate_limit.is_some() && limits.budgets.is_empty(), "{limits:?}");
    }
}

#[test]
fn tokens_that_keys_swap_elsewhere_are_swapped_here_too() {
    let two = FILE.replace(
        r#""virtual_keys": ["#,
        r#""virtual_keys": [{"id": "vk2", "name": "second", "value": "sk-bf-second"}, "#,
    );
    let scene = begin(tempfile::tempdir().unwrap(), &two);
    let swapped =
        two.replace("sk-bf-first", "sk-bf-x").replace("sk-bf-second", "sk-bf-first").replace("sk-bf-x", "sk-bf-second");
    let rows = |text: &str| {
        let kept = file(text).entities.into_iter().filter(|entity| entity.kind == Kind::VirtualKey);
        let sealed =
            kept.map(|one| secrets::sealed(&scene.control.registry().seal(), one.kind, &one.id, &one.document));
        sealed.map(Result::unwrap).collect::<Vec<_>>()
    };
    let puts = rows(&swapped).into_iter().map(|document| {
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        let id = value["id"].as_str().unwrap().to_owned();
        let hash = policy::key::TokenHash::from_hex(value["value_hash"].as_str().unwrap()).unwrap().to_bytes();
        let entity = Entity {
            kind: Kind::VirtualKey.as_str().into(),
            id,
            name: None,
            is_name_unique: false,
            document,
            token_hashes: vec![hash],
            origin: Origin::Api,
            file_mac: None,
            order: None,
            team_id: None,
            customer_id: None,
        };
        Put { entity, expected: Expected::Anything }
    });
    scene.control.registry().commit(&Write { at_ms: 1, puts: puts.collect(), ..Write::default() }).unwrap();
    assert!(scene.control.follow().unwrap());
    let callers = [scene.caller("sk-bf-first"), scene.caller("sk-bf-second")];
    assert_eq!(callers, [Some("vk2".into()), Some("vk1".into())]);
    let removal = Removal {
        kind: Kind::VirtualKey.as_str().into(),
        id: "vk2".into(),
        is_remembered: false,
        expected: Expected::Anything,
    };
    scene.control.registry().commit(&Write { at_ms: 1, removals: vec![removal], ..Write::default() }).unwrap();
    assert!(scene.control.follow().unwrap());
    assert_eq!([scene.caller("sk-bf-first"), scene.caller("sk-bf-second")], [None, Some("vk1".into())]);
}

/// A file with a key that may use one key of a vendor alone, and has two budgets.
const NARROW: &str = r#"{
    "providers": {"openai": {"keys": [{"name": "main", "value": "sk-1"}, {"name": "eu", "value": "sk-2"}]}},
    "governance": {
        "budgets": [{"id": "day", "max_limit": 1, "reset_duration": "1d"},
            {"id": "week", "max_limit": 5, "reset_duration": "1w"}],
        "routing_rules": [{"id": "r1", "name": "r1", "targets": [{"provider": "openai", "key_id": "eu", "weight": 1}]}],
        "pricing_overrides": [{"id": "o1", "name": "o1", "scope_kind": "provider_key", "provider_id": "openai",
            "provider_key_id": "eu", "pattern": "gpt-4o", "pricing_patch": {"input_cost_per_token": 0.000001}}],
        "virtual_keys": [{"id": "vk1", "name": "first", "value": "sk-bf-first", "budget_ids": ["day", "week"],
            "provider_configs": [{"provider": "openai", "key_ids": ["eu"]}]}]}}"#;

#[test]
fn what_is_kept_is_loaded_and_followed_though_what_it_names_was_changed_since_and_allows_no_more_than_before() {
    let scene = begin(tempfile::tempdir().unwrap(), NARROW);
    let other = beside(&scene);
    let without = serde_json::json!({"keys": [{"name": "main", "value": REDACTED}]}).to_string();
    other.update(Kind::Provider, "openai", &without, &ADMIN).unwrap();
    other.update(Kind::Budget, "week", r#"{"reset_duration": "1d"}"#, &ADMIN).unwrap();
    let refused = other.update(Kind::VirtualKey, "vk1", r#"{"name": "renamed"}"#, &ADMIN);
    let Err(ControlError::Invalid(problems)) = refused else { panic!("{refused:?}") };
    let paths: Vec<_> = problems.iter().map(|problem| &*problem.path).collect();
    assert!(paths.contains(&"provider_configs[0].key_ids[0]"), "who writes it is told: {paths:?}");
    scene.control.follow().unwrap();
    let scene = scene.again(NARROW);
    assert_eq!(scene.caller("sk-bf-first").as_deref(), Some("vk1"));
    let snapshot = scene.control.snapshot();
    let key = snapshot.key("vk1").unwrap();
    assert_eq!(key.limits.budgets.len(), 2, "both of its budgets count");
    let provider = snapshot.provider("openai").unwrap();
    let presented = Presented { explicit: Some("sk-bf-first"), ..Presented::default() };
    let caller = enter(&snapshot, &presented, Operation::ChatCompletion, scene.control.now()).unwrap();
    let model = "gpt-4o".into();
    assert_eq!(provider.credentials.len(), 1);
    assert_eq!(policy::route::usable_credentials(provider, &model, &caller).count(), 0, "it may use none of them");
}

#[test]
fn a_key_that_left_the_file_is_closed_though_a_vendors_key_that_it_names_is_gone() {
    let scene = begin(tempfile::tempdir().unwrap(), NARROW);
    let rule = r#"{"id": "r2", "name": "r2", "scope": "virtual_key", "scope_id": "vk1", "targets": [{"weight": 1}]}"#;
    scene.control.create(Kind::RoutingRule, rule, &ADMIN).unwrap();
    let without = serde_json::json!({"keys": [{"name": "main", "value": REDACTED}]}).to_string();
    scene.control.update(Kind::Provider, "openai", &without, &ADMIN).unwrap();
    let gone = r#"{"providers": {"openai": {"keys": [{"name": "main", "value": "sk-1"}]}}}"#;
    let done = scene.control.reconcile(&file(gone)).unwrap();
    assert!(done.still_named.iter().any(|one| one.id == "vk1"), "{done:?}");
    assert_eq!(scene.caller("sk-bf-first"), None);
}

/// A row as a newer version may write it.
fn of_newer_version(kind: &str, id: &str, document: &str) -> Put {
    let entity = Entity {
        kind: kind.into(),
        id: id.into(),
        name: None,
        is_name_unique: false,
        document: document.into(),
        token_hashes: Vec::new(),
        origin: Origin::Api,
        file_mac: None,
        order: None,
        team_id: None,
        customer_id: None,
    };
    Put { entity, expected: Expected::Anything }
}

#[test]
fn a_row_that_cannot_be_read_keeps_no_key_open_that_was_deleted_or_revoked_or_cannot_be_read() {
    let scene = Scene::new();
    let other = beside(&scene);
    let make = |name: &str| {
        let body = format!(r#"{{"name": "{name}", "provider_configs": [{{"provider": "openai"}}]}}"#);
        let Created { entry, token } = other.create(Kind::VirtualKey, &body, &ADMIN).unwrap();
        (entry.id, token.unwrap())
    };
    let [deleted, named, revoked, unread, living] = ["deleted", "named", "revoked", "unread", "living"].map(make);
    let rule = format!(
        r#"{{"id": "r1", "name": "r1", "scope": "virtual_key", "scope_id": "{}", "targets": [{{"weight": 1}}]}}"#,
        named.0
    );
    other.create(Kind::RoutingRule, &rule, &ADMIN).unwrap();
    scene.control.follow().unwrap();
    let open = |scene: &Scene| {
        [&deleted, &named, &revoked, &unread, &living].map(|(_, token)| scene.caller(token.reveal()).is_some())
    };
    assert_eq!(open(&scene), [true; 5]);

    let document = other.get(Kind::VirtualKey, &unread.0).unwrap().unwrap().document;
    other.remove(Kind::RoutingRule, "r1", &ADMIN).unwrap();
    other.remove(Kind::VirtualKey, &deleted.0, &ADMIN).unwrap();
    other.remove(Kind::VirtualKey, &named.0, &ADMIN).unwrap();
    other.update(Kind::VirtualKey, &revoked.0, r#"{"is_active": false}"#, &ADMIN).unwrap();
    other.create(Kind::Team, r#"{"id": "t9", "name": "nine"}"#, &ADMIN).unwrap();
    other.update(Kind::VirtualKey, &living.0, r#"{"team_id": "t9"}"#, &ADMIN).unwrap();
    let newer = document.replacen('{', r#"{"a_field_of_later": 1, "#, 1);
    let puts = vec![of_newer_version("virtual_key", &unread.0, &newer), of_newer_version("a_kind_of_later", "x", "{}")];
    other.registry().commit(&Write { at_ms: 1, puts, ..Write::default() }).unwrap();
    for _ in 0..2 {
        assert!(matches!(scene.control.follow(), Err(ControlError::Internal(_))), "it is told until it can be read");
        assert_eq!(open(&scene), [false, false, false, false, true]);
    }

    let removal = |kind: &str, id: &str| Removal {
        kind: kind.into(),
        id: id.into(),
        is_remembered: false,
        expected: Expected::Anything,
    };
    let removals = vec![removal("a_kind_of_later", "x"), removal("virtual_key", &unread.0)];
    other.registry().commit(&Write { at_ms: 2, removals, ..Write::default() }).unwrap();
    assert!(scene.control.follow().unwrap());
    assert_eq!(open(&scene), [false, false, false, false, true]);
    assert_eq!(scene.control.snapshot().key_count(), 3, "what is gone is gone");
    assert!(!scene.control.follow().unwrap());
}

#[test]
fn gateways_that_change_the_same_contradict_nobody_and_share_no_place() {
    let scene = Scene::new();
    let (one, other) = (scene.control.clone(), beside(&scene));
    let make = |control: &Control, from: u32| {
        for number in from..from + 8 {
            let rule = format!(r#"{{"id": "r{number}", "name": "r{number}", "targets": [{{"weight": 1}}]}}"#);
            control.create(Kind::RoutingRule, &rule, &ADMIN).unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| make(&one, 0));
        scope.spawn(|| make(&other, 100));
    });
    scene.control.follow().unwrap();
    let mut orders: Vec<_> = scene.control.snapshot().rules().iter().map(|rule| rule.order).collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), 16, "each has a place of its own");
    scene.control.registry().verify().unwrap();
}
