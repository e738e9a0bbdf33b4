//! The file and what is kept: who wins, and what is revoked.

use super::*;

const GONE: &str = r#"{"providers": {"openai": {"keys": [{"name": "main", "value": "sk-secret-1"}]}}}"#;

#[test]
fn an_edit_stands_while_the_file_is_the_same_and_the_file_wins_where_it_differs() {
    let scene = Scene::new();
    scene.control.update(Kind::Team, "t1", r#"{"name": "renamed"}"#, &ADMIN).unwrap();
    assert_eq!(scene.control.drift().unwrap()[0].what, DriftKind::EditedByApi);
    let scene = scene.again(FILE);
    assert_eq!(scene.document(Kind::Team, "t1")["name"], "renamed");
    let changed = FILE.replace("\"one\"", "\"two\"");
    assert_eq!(scene.control.reconcile(&file(&changed)).unwrap(), Reconciled { put: 1, ..Reconciled::default() });
    assert_eq!(scene.document(Kind::Team, "t1")["name"], "two");
    assert_eq!(scene.control.drift().unwrap(), []);
}

#[test]
fn what_a_call_deleted_stays_so_until_its_entry_changes_and_what_left_the_file_is_revoked() {
    let scene = Scene::new();
    scene.control.remove(Kind::VirtualKey, "vk1", &ADMIN).unwrap();
    let scene = scene.again(FILE);
    assert_eq!(scene.caller("sk-bf-first"), None);
    assert_eq!(scene.control.drift().unwrap()[0].what, DriftKind::DeletedByApi);
    let changed = FILE.replace("\"first\"", "\"first again\"");
    let scene = scene.again(&changed);
    assert_eq!(scene.caller("sk-bf-first").as_deref(), Some("vk1"));
    let gone = r#"{"providers": {"openai": {"keys": [{"name": "main", "value": "sk-secret-1"}]}}}"#;
    let made = scene.control.create(Kind::VirtualKey, KEY, &ADMIN).unwrap();
    scene.control.reconcile(&file(gone)).unwrap();
    assert_eq!(scene.caller("sk-bf-first"), None);
    assert!(scene.control.snapshot().key(&made.entry.id).is_some(), "a call made it: the file does not own it");
    let only = FilePolicy { is_only_source: true, ..file(gone) };
    scene.control.reconcile(&only).unwrap();
    assert_eq!(scene.control.snapshot().key_count(), 0);
}

#[test]
fn a_file_that_contradicts_itself_is_kept_out_as_a_whole() {
    let scene = Scene::new();
    let before = scene.stored();
    let mut broken = file(&FILE.replace("\"one\"", "\"other\""));
    let key = broken.entities.iter_mut().find(|entity| entity.kind == Kind::VirtualKey).unwrap();
    key.document = key.document.replace("\"t1\"", "\"t9\"");
    key.resolved = Secret::new("changed");
    assert!(matches!(scene.control.reconcile(&broken), Err(ControlError::Invalid(_))));
    assert_eq!(scene.stored(), before);
    assert_eq!(scene.document(Kind::Team, "t1")["name"], "one");
}

#[test]
fn a_rotation_outlasts_changes_of_the_files_entry_and_the_first_token_never_comes_back() {
    let without = FILE.replace(r#""value": "sk-bf-first", "#, "");
    let scene = begin(tempfile::tempdir().unwrap(), &without);
    let registry = scene.control.registry().clone();
    registry.keep(&[(token_name("vk1"), Secret::new(MADE))]).unwrap();
    let in_force = || match made_token(&registry, environment, "vk1").unwrap() {
        MadeToken::Opens(token) => token.reveal().to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!((scene.caller(MADE).as_deref(), in_force()), (Some("vk1"), MADE.to_owned()));
    let new = scene.control.rotate("vk1", Duration::from_secs(60), &ADMIN).unwrap().token.unwrap();
    for name in ["second", "third"] {
        scene.control.reconcile(&file(&without.replace("\"first\"", &format!("\"{name}\"")))).unwrap();
        assert_eq!(scene.document(Kind::VirtualKey, "vk1")["name"], name);
        assert_eq!([scene.caller(MADE), scene.caller(new.reveal())], [Some("vk1".into()), Some("vk1".into())]);
    }
    let last = scene.control.rotate("vk1", Duration::ZERO, &ADMIN).unwrap().token.unwrap();
    scene.control.reconcile(&file(&without)).unwrap();
    let opening = |scene: &Scene| [MADE, new.reveal(), last.reveal()].map(|token| scene.caller(token).is_some());
    assert_eq!((opening(&scene), in_force()), ([false, false, true], last.reveal().to_owned()));

    scene.control.remove(Kind::VirtualKey, "vk1", &ADMIN).unwrap();
    assert_eq!(in_force(), "Deleted");
    let kept = registry.kept(&[token_name("vk1")]).unwrap().remove(0).unwrap();
    let tokens = HashMap::from([("vk1".to_owned(), kept)]);
    let changed = FilePolicy { tokens, ..file(&without.replace("\"first\"", "\"again\"")) };
    scene.control.reconcile(&changed).unwrap();
    assert_eq!(opening(&scene), [false, false, true], "it comes back with its last token");
}

#[test]
fn a_key_that_a_call_made_keeps_its_token_when_the_file_declares_it_too() {
    let scene = Scene::new();
    let key = r#"{"id": "vk1", "name": "first"}"#;
    scene.control.remove(Kind::VirtualKey, "vk1", &ADMIN).unwrap();
    let token = scene.control.create(Kind::VirtualKey, key, &ADMIN).unwrap().token.unwrap();
    let without = FILE.replace(r#""value": "sk-bf-first", "#, "");
    for name in ["one", "two"] {
        scene.control.reconcile(&file(&without.replace("\"first\"", &format!("\"{name}\"")))).unwrap();
        assert_eq!([scene.caller(MADE), scene.caller(token.reveal())], [None, Some("vk1".into())], "{name}");
    }
    let chosen = FILE.replace("\"first\"", "\"three\"");
    scene.control.reconcile(&file(&chosen)).unwrap();
    assert_eq!([scene.caller("sk-bf-first"), scene.caller(token.reveal())], [Some("vk1".into()), None]);
}

#[test]
fn a_key_that_left_the_file_opens_nothing_though_a_call_named_it_and_goes_once_nothing_does() {
    let scene = Scene::new();
    let rule = r#"{"id": "r1", "name": "r1", "scope": "virtual_key", "scope_id": "vk1", "cel_expression": "true",
        "targets": [{"provider": "openai", "weight": 1}]}"#;
    scene.control.create(Kind::RoutingRule, rule, &ADMIN).unwrap();
    let done = scene.control.reconcile(&file(GONE)).unwrap();
    let named: Vec<_> = done.still_named.iter().map(|one| (one.kind, &*one.id)).collect();
    assert_eq!(named, [(Kind::VirtualKey, "vk1"), (Kind::Team, "t1")]);
    assert!(done.still_named[0].why.contains("`r1`"), "{done:?}");
    assert_eq!(scene.caller("sk-bf-first"), None);
    let drift = |scene: &Scene| scene.control.drift().unwrap().into_iter().map(|one| (one.id, one.what));
    assert!(drift(&scene).any(|one| one == ("vk1".into(), DriftKind::StillNamed)));
    let before = scene.stored();
    let scene = scene.again(GONE);
    assert_eq!((scene.caller("sk-bf-first"), scene.stored()), (None, before));

    let mut moved = file(&FILE.replace("\"vk1\"", "\"vk2\"").replace(r#""team_id": "t1","#, ""));
    scene.control.reconcile(&moved).unwrap();
    assert_eq!(scene.caller("sk-bf-first").as_deref(), Some("vk2"), "its token is another key's now");
    scene.control.remove(Kind::RoutingRule, "r1", &ADMIN).unwrap();
    moved.name = "again".into();
    assert_eq!(scene.control.reconcile(&moved).unwrap().removed, 1);
    assert!(scene.control.get(Kind::VirtualKey, "vk1").unwrap().is_none());
    scene.control.registry().verify().unwrap();
}

#[test]
fn a_key_whose_token_another_one_takes_in_the_same_edit_is_revoked_though_it_is_named() {
    let scene = Scene::new();
    let rule = r#"{"id": "r1", "name": "r1", "scope": "virtual_key", "scope_id": "vk1", "cel_expression": "true",
        "targets": [{"provider": "openai", "weight": 1}]}"#;
    scene.control.create(Kind::RoutingRule, rule, &ADMIN).unwrap();
    scene.control.reconcile(&file(&FILE.replace("\"vk1\"", "\"vk2\""))).unwrap();
    assert_eq!(scene.caller("sk-bf-first").as_deref(), Some("vk2"));
    let scene = scene.again(FILE);
    assert_eq!(scene.caller("sk-bf-first").as_deref(), Some("vk1"), "it is in the file again, and the other is not");
}

/// A file with a model config for gpt-4o-mini, and others.
pub(super) fn with_models(more: &str) -> String {
    let models = format!(r#"{{"id": "other", "model_name": "gpt-4o-mini", "rate_limit_id": "r1"}}{more}"#);
    let limits = r#"[{"id": "r1", "max_concurrent_requests": 1}]"#;
    FILE.replace(
        r#""governance": {"#,
        &format!(r#""governance": {{"rate_limits": {limits}, "model_configs": [{models}], "#),
    )
}

const OF_FILE: &str = r#", {"id": "m-file", "model_name": "gpt-4o", "rate_limit_id": "r1"}"#;
const OF_CALL: &str = r#"{"id": "m-api", "model_name": "gpt-4o", "budget_ids": ["b"],
    "budgets": [{"max_limit": 7, "reset_duration": "1w"}]}"#;

/// A call gives a model a budget, and then the file limits the same model.
pub(super) fn displace(control: &Control) -> Reconciled {
    control.create(Kind::Budget, r#"{"id": "b", "max_limit": 5, "reset_duration": "1d"}"#, &ADMIN).unwrap();
    control.create(Kind::ModelConfig, OF_CALL, &ADMIN).unwrap();
    control.reconcile(&file(&with_models(OF_FILE))).unwrap()
}

#[test]
fn limits_of_a_call_go_when_the_file_limits_the_same_model() {
    let scene = begin(tempfile::tempdir().unwrap(), &with_models(""));
    let done = displace(&scene.control);
    let gone = Displaced { id: "m-api".into(), by: "m-file".into(), is_removed: true };
    assert_eq!(done, Reconciled { put: 1, removed: 1, displaced: vec![gone], ..Reconciled::default() });
    assert!(scene.control.get(Kind::ModelConfig, "m-api").unwrap().is_none(), "it would be in force nowhere");
    assert!(scene.told().contains(&"config.json delete model_config m-api".to_owned()), "{:?}", scene.told());
    let snapshot = scene.control.snapshot();
    let of_model = snapshot.limits_of_model(None, "gpt-4o").unwrap();
    assert!(
        of_model.limits.rate_limit.is_some() && of_model.limits.budgets.is_empty(),
        "the file's are in force: {of_model:?}"
    );
    let budgets: Vec<_> = snapshot.budgets().map(|budget| budget.id.to_string()).collect();
    assert_eq!(budgets, ["b"], "one that was made for it alone goes with it");

    scene.control.remove(Kind::Budget, "b", &ADMIN).unwrap();
    let scene = scene.again(&with_models(OF_FILE));
    assert!(scene.control.snapshot().limits_of_model(None, "gpt-4o").is_some(), "what is kept can be put in force");
    scene.control.reconcile(&file(&with_models(""))).unwrap();
    assert!(scene.control.snapshot().limits_of_model(None, "gpt-4o").is_none());
    let scene = scene.again(&with_models(""));
    assert!(scene.control.snapshot().limits_of_model(None, "gpt-4o").is_none(), "nothing comes back with a restart");
    scene.control.registry().verify().unwrap();
}

#[test]
fn a_model_config_of_the_file_that_a_call_moved_to_a_model_of_the_file_is_put_back() {
    let scene = begin(tempfile::tempdir().unwrap(), &with_models(""));
    scene.control.update(Kind::ModelConfig, "other", r#"{"model_name": "gpt-4o"}"#, &ADMIN).unwrap();
    let on_its_place = r#"{"id": "m-api", "model_name": "gpt-4o-mini", "rate_limit_id": "r1"}"#;
    scene.control.create(Kind::ModelConfig, on_its_place, &ADMIN).unwrap();
    let done = scene.control.reconcile(&file(&with_models(OF_FILE))).unwrap();
    let told: Vec<_> = done.displaced.iter().map(|one| (&*one.id, &*one.by, one.is_removed)).collect();
    assert_eq!(told, [("other", "m-file", false), ("m-api", "other", true)]);
    assert_eq!(scene.document(Kind::ModelConfig, "other")["model_name"], "gpt-4o-mini");
    assert_eq!(scene.control.drift().unwrap(), []);
}

#[test]
fn a_budget_that_the_file_took_over_with_a_model_stays() {
    let scene = begin(tempfile::tempdir().unwrap(), &with_models(""));
    let limits = r#""model_name": "gpt-4o", "budgets": [{"max_limit": 7, "reset_duration": "1w"}]}"#;
    scene.control.create(Kind::ModelConfig, &format!(r#"{{"id": "m-api", {limits}"#), &ADMIN).unwrap();
    let of_file = format!(r#", {{"id": "m-file", {limits}"#);
    let done = scene.control.reconcile(&file(&with_models(&of_file))).unwrap();
    assert_eq!((done.put, done.removed), (2, 1), "the budget has the id that it had: {done:?}");
    let scene = scene.again(&with_models(&of_file));
    let snapshot = scene.control.snapshot();
    let limits = &snapshot.limits_of_model(None, "gpt-4o").unwrap().limits;
    assert!(limits.budgets.len() == 1 && snapshot.budget(&limits.budgets[0]).is_some(), "{limits:?}");
}

#[test]
fn model_configs_of_the_file_may_swap_their_models() {
    let scene = begin(tempfile::tempdir().unwrap(), &with_models(OF_FILE));
    let swapped = with_models(OF_FILE).replace("gpt-4o-mini", "x").replace("gpt-4o", "gpt-4o-mini");
    let done = scene.control.reconcile(&file(&swapped.replace("\"x\"", "\"gpt-4o\""))).unwrap();
    assert_eq!(done, Reconciled { put: 2, ..Reconciled::default() });
    let renamed = with_models(OF_FILE).replace("m-file", "m-new");
    let done = scene.control.reconcile(&file(&renamed)).unwrap();
    assert_eq!(done, Reconciled { put: 2, removed: 1, ..Reconciled::default() });
    assert!(scene.control.snapshot().limits_of_model(None, "gpt-4o").is_some());
}
