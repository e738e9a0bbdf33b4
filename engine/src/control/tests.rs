//! Changes of the policy while it is in force: what is in force, what is kept, and what is told of it always agree.

use std::collections::HashMap;
use std::time::Duration;

use policy::admit::{Presented, enter};
use policy::catalog::Catalog;
use policy::declare::entity::split;
use policy::limit::Accounts;
use policy::provider::Secret;
use policy::request::Operation;
use store::registry::AuditFilter;

use store::{AttemptId, Began, StoreError, Voided};

use super::*;

mod files;
mod others;
mod together;

const KEY: &str = r#"{"name": "app", "provider_configs": [{"provider": "openai"}], "budgets": [{"max_limit": 5, "reset_duration": "1d"}]}"#;
const ADMIN: Actor<'static> = Actor { name: "root", kind: ActorKind::User, address: "127.0.0.1" };
const FILE: &str = r#"{
    "providers": {"openai": {"keys": [{"name": "main", "value": "sk-secret-1"}]}},
    "governance": {"teams": [{"id": "t1", "name": "one"}],
        "virtual_keys": [{"id": "vk1", "name": "first", "value": "sk-bf-first", "team_id": "t1",
            "provider_configs": [{"provider": "openai"}]}]}}"#;

/// The token that was made for a key without one.
const MADE: &str = "sk-bf-made";

/// Remembers what it is told of beginnings, and of budgets that are reset: how often the audit log told of it by then.
#[derive(Debug)]
struct Notes(Mutex<Vec<Began>>, Mutex<Vec<(String, u64)>>, Registry);

impl Bookkeeping for Notes {
    fn adopt(&self, budgets: &[Began]) -> Result<(), StoreError> {
        self.0.lock().extend_from_slice(budgets);
        Ok(())
    }

    fn forgive(&self, budget: &str, _start_ms: u64, nano: u64) -> Result<(), StoreError> {
        self.1.lock().push((budget.to_owned(), nano));
        let filter = AuditFilter { action: Some("reset".into()), limit: 10, ..AuditFilter::default() };
        assert!(!self.2.audit_page(&filter).unwrap().is_empty(), "what nobody reads of is not done");
        if budget == "stubborn" { Err(StoreError::Closed) } else { Ok(()) }
    }

    fn void(&self, _attempt: AttemptId, _at_ms: u64) -> Result<Option<Voided>, StoreError> {
        Ok(None)
    }
}

struct Scene {
    control: Control,
    notes: Arc<Notes>,
    folder: tempfile::TempDir,
}

fn environment(name: &str) -> Option<String> {
    (name == "TOKEN").then(|| "sk-bf-from-environment".to_owned())
}

fn file(text: &str) -> FilePolicy {
    let (entities, _) = split(text, environment, &vocabulary()).unwrap();
    let tokens = HashMap::from([("vk1".to_owned(), Secret::new(MADE))]);
    FilePolicy { name: "config.json".into(), entities, tokens, is_only_source: false }
}

/// Begins as the gateway does, with a file.
fn begin(folder: tempfile::TempDir, text: &str) -> Scene {
    let registry = Registry::open(folder.path(), &Secret::new("an encryption key")).unwrap();
    let loaded = load(&registry, Arc::new(Catalog::default()), environment).unwrap();
    let clock = Clock::start();
    let (kept, _) = reconcile(&registry, environment, loaded, &file(text), clock.now().wall_ms).unwrap();
    let notes = Arc::new(Notes(Mutex::default(), Mutex::default(), registry.clone()));
    let parts = Parts {
        registry,
        live: Arc::new(Live::new(kept.snapshot)),
        ledger: Arc::new(Ledger::new(None, 0)),
        health: Arc::new(RouteHealth::default()),
        books: Arc::clone(&notes) as _,
        clock,
        env: environment,
    };
    Scene { control: Control::new(parts, kept.position), notes, folder }
}

impl Scene {
    fn new() -> Self {
        begin(tempfile::tempdir().unwrap(), FILE)
    }

    /// Ends, and begins again.
    fn again(self, text: &str) -> Self {
        drop(self.control);
        begin(self.folder, text)
    }

    /// Whose token it is.
    fn caller(&self, token: &str) -> Option<String> {
        let presented = Presented { explicit: Some(token), ..Presented::default() };
        let caller = enter(&self.control.snapshot(), &presented, Operation::ChatCompletion, self.control.now());
        Some(caller.ok()?.key?.id.to_string())
    }

    fn document(&self, kind: Kind, id: &str) -> serde_json::Value {
        serde_json::from_str(&self.control.get(kind, id).unwrap().unwrap().document).unwrap()
    }

    fn stored(&self) -> String {
        let mut all = String::new();
        self.control.registry().load(&mut |row| all.push_str(&row.document)).unwrap();
        all
    }

    fn told(&self) -> Vec<String> {
        let filter = AuditFilter { limit: 1_000, ..AuditFilter::default() };
        let rows = self.control.registry().audit_page(&filter).unwrap();
        let line = |row: &store::registry::AuditRow| {
            let entry = &row.entry;
            format!("{} {} {} {}", entry.actor, entry.action, entry.kind, entry.entity_id)
        };
        rows.iter().rev().map(line).collect()
    }
}

#[test]
fn a_created_key_opens_at_once_and_after_a_restart_and_its_token_is_nowhere_in_plain() {
    let scene = Scene::new();
    let Created { entry, token } = scene.control.create(Kind::VirtualKey, KEY, &ADMIN).unwrap();
    let token = token.unwrap();
    assert_eq!(scene.caller(token.reveal()).as_deref(), Some(&*entry.id));
    assert!(!scene.stored().contains(token.reveal()) && !entry.document.contains(token.reveal()));
    let scene = scene.again(FILE);
    assert_eq!(scene.caller(token.reveal()).as_deref(), Some(&*entry.id));
    assert_eq!(scene.control.reveal(&entry.id, &ADMIN).unwrap().reveal(), token.reveal());
    scene.control.registry().verify().unwrap();
}

#[test]
fn a_budget_in_a_body_begins_now_and_keeps_its_usage_through_changes() {
    let scene = Scene::new();
    let id = scene.control.create(Kind::VirtualKey, KEY, &ADMIN).unwrap().entry.id;
    let began = scene.notes.0.lock().clone();
    assert_eq!(began.len(), 1, "{began:?}");
    let body = r#"{"budgets": [{"max_limit": 7, "reset_duration": "1d"}]}"#;
    scene.control.update(Kind::VirtualKey, &id, body, &ADMIN).unwrap();
    assert_eq!(scene.notes.0.lock().len(), 1, "its windows are what they were");
    let snapshot = scene.control.snapshot();
    let budget = snapshot.budgets().find(|budget| *began[0].id == *budget.id.as_str()).unwrap();
    assert_eq!(budget.limit.0, 7_000_000_000);
    scene.control.update(Kind::VirtualKey, &id, r#"{"budgets": []}"#, &ADMIN).unwrap();
    assert_eq!(scene.control.snapshot().budgets().count(), 0, "nothing names it any more");
    assert_eq!(scene.control.ledger().at(scene.control.now()).of_budget(budget).spent.0, 0);
}

#[test]
fn a_wrong_body_changes_nothing_and_every_mistake_is_told() {
    let scene = Scene::new();
    let before = (scene.control.snapshot().revision(), scene.stored(), scene.told());
    let body =
        r#"{"name": "x", "nmae": 1, "team_id": "nobody", "budgets": [{"max_limit": -1, "reset_duration": "1d"}]}"#;
    let Err(ControlError::Invalid(problems)) = scene.control.create(Kind::VirtualKey, body, &ADMIN) else { panic!() };
    let paths: Vec<_> = problems.iter().map(|problem| &*problem.path).collect();
    assert!(
        paths.contains(&"nmae") && paths.contains(&"team_id") && paths.contains(&"budgets[0].max_limit"),
        "{paths:?}"
    );
    let used = scene.control.remove(Kind::Team, "t1", &ADMIN).unwrap_err();
    assert!(used.to_string().contains("vk1"), "{used}");
    assert_eq!((scene.control.snapshot().revision(), scene.stored(), scene.told()), before);
}

#[test]
fn names_that_calls_give_are_unique_and_ids_too() {
    let scene = Scene::new();
    scene.control.create(Kind::VirtualKey, KEY, &ADMIN).unwrap();
    assert!(matches!(scene.control.create(Kind::VirtualKey, KEY, &ADMIN), Err(ControlError::Taken(_))));
    let team = r#"{"id": "t1", "name": "another"}"#;
    assert!(matches!(scene.control.create(Kind::Team, team, &ADMIN), Err(ControlError::Exists { .. })));
    assert_eq!(scene.control.snapshot().key_count(), 2, "what was not kept is not in force");
}

#[test]
fn after_a_rotation_both_tokens_open_it_until_the_old_one_ends() {
    let scene = Scene::new();
    let made = scene.control.rotate("vk1", Duration::from_secs(60), &ADMIN).unwrap().token.unwrap();
    assert_eq!([scene.caller(made.reveal()), scene.caller("sk-bf-first")], [Some("vk1".into()), Some("vk1".into())]);
    let last = scene.control.rotate("vk1", Duration::ZERO, &ADMIN).unwrap().token.unwrap();
    let scene = scene.again(FILE);
    assert_eq!(scene.caller(last.reveal()).as_deref(), Some("vk1"), "the file is what it was, so the rotation stands");
    assert_eq!([scene.caller(made.reveal()), scene.caller("sk-bf-first")], [None, None]);
}

#[test]
fn a_secret_is_never_shown_and_written_back_as_shown_it_stays() {
    let scene = Scene::new();
    let shown = scene.document(Kind::Provider, "openai");
    assert_eq!(shown["keys"][0]["value"], REDACTED);
    let body = serde_json::json!({ "keys": shown["keys"], "network_config": {"max_retries": 1} }).to_string();
    scene.control.update(Kind::Provider, "openai", &body, &ADMIN).unwrap();
    let secret =
        |scene: &Scene| scene.control.snapshot().provider("openai").unwrap().credentials[0].secret.reveal().to_owned();
    assert_eq!(secret(&scene), "sk-secret-1");
    let scene = scene.again(FILE);
    assert_eq!(secret(&scene), "sk-secret-1");
    assert!(!scene.stored().contains("sk-secret-1"));
    let filter = AuditFilter { limit: 1_000, ..AuditFilter::default() };
    assert!(!format!("{:?}", scene.control.registry().audit_page(&filter).unwrap()).contains("sk-secret-1"));
}

#[test]
fn the_audit_log_tells_of_each_change_and_of_each_look_at_a_token() {
    let scene = Scene::new();
    let before = scene.told();
    assert!(before.contains(&"config.json create virtual_key vk1".to_owned()), "{before:?}");
    scene.control.update(Kind::Team, "t1", r#"{"name": "renamed"}"#, &ADMIN).unwrap();
    scene.control.reveal("vk1", &ADMIN).unwrap();
    scene.control.rotate("vk1", Duration::ZERO, &ADMIN).unwrap();
    scene.control.remove(Kind::VirtualKey, "vk1", &ADMIN).unwrap();
    let told = scene.told().split_off(before.len());
    let expected = ["update team t1", "reveal virtual_key vk1", "rotate virtual_key vk1", "delete virtual_key vk1"];
    assert_eq!(told, expected.map(|line| format!("root {line}")));
    assert_eq!(scene.control.registry().verify().unwrap().rows, scene.told().len() as u64);
}

#[test]
fn a_reset_budget_is_as_if_nothing_was_spent_and_one_that_could_not_be_kept_is_as_before() {
    let scene = Scene::new();
    let id = scene.control.create(Kind::VirtualKey, KEY, &ADMIN).unwrap().entry.id;
    let snapshot = scene.control.snapshot();
    let budget = snapshot.budget(&snapshot.key(&id).unwrap().limits.budgets[0]).unwrap();
    let (ledger, now) = (scene.control.ledger(), scene.control.now());
    let spent = || ledger.at(now).of_budget(budget).spent.0;
    assert_eq!(scene.control.reset_budget(budget.id.as_str(), &ADMIN).unwrap(), 0);
    ledger.reset(budget, now, |_, _| Err(())).unwrap_err();
    assert_eq!(spent(), 0);
    assert_eq!(*scene.notes.1.lock(), [(budget.id.to_string(), 0)]);
    assert!(matches!(scene.control.reset_budget("none", &ADMIN), Err(ControlError::NotFound { .. })));
    assert!(scene.told().contains(&format!("root reset budget {}", budget.id)));
}

#[test]
fn a_key_that_is_written_back_as_it_was_shown_keeps_its_token_and_nobody_chooses_one() {
    let scene = Scene::new();
    let shown = scene.document(Kind::VirtualKey, "vk1");
    assert_eq!(shown["value"], REDACTED);
    scene.control.update(Kind::VirtualKey, "vk1", &shown.to_string(), &ADMIN).unwrap();
    assert_eq!(scene.caller("sk-bf-first").as_deref(), Some("vk1"));
    assert_eq!(scene.control.reveal("vk1", &ADMIN).unwrap().reveal(), "sk-bf-first");
    let chosen = r#"{"name": "chosen", "value": "sk-bf-chosen"}"#;
    for refused in [
        scene.control.create(Kind::VirtualKey, chosen, &ADMIN).map(drop),
        scene.control.update(Kind::VirtualKey, "vk1", chosen, &ADMIN).map(drop),
    ] {
        let Err(ControlError::Invalid(problems)) = refused else { panic!("{refused:?}") };
        assert_eq!(problems[0].path, "value");
    }
    assert_eq!((scene.caller("sk-bf-first").as_deref(), scene.caller("sk-bf-chosen")), (Some("vk1"), None));
}

#[test]
fn asterisks_that_stand_for_nothing_are_no_secret() {
    let scene = Scene::new();
    let body = r#"{"keys": [{"name": "another", "value": "********"}]}"#;
    for refused in [
        scene.control.update(Kind::Provider, "openai", body, &ADMIN).map(drop),
        scene.control.create_as(Kind::Provider, "anthropic", body, &ADMIN).map(drop),
    ] {
        let Err(ControlError::Invalid(problems)) = refused else { panic!("{refused:?}") };
        assert_eq!(problems[0].path, "keys/another");
    }
}

#[test]
fn a_token_from_the_environment_is_revealed_too() {
    let scene = begin(tempfile::tempdir().unwrap(), &FILE.replace("sk-bf-first", "env.TOKEN"));
    assert_eq!(scene.control.reveal("vk1", &ADMIN).unwrap().reveal(), "sk-bf-from-environment");
}

#[test]
fn a_budget_that_a_call_met_before_it_began_is_remembered_as_of_that_call() {
    let scene = Scene::new();
    let id = scene.control.create(Kind::VirtualKey, KEY, &ADMIN).unwrap().entry.id;
    let snapshot = scene.control.snapshot();
    let budget = snapshot.budget(&snapshot.key(&id).unwrap().limits.budgets[0]).unwrap();
    let first = scene.notes.0.lock()[0].clone();
    let later = Now { wall_ms: first.began_ms + 5_000, ..scene.control.now() };
    assert_eq!(scene.control.ledger().begin(budget, later), Some(first));
}

#[test]
fn what_is_taken_back_is_told_before_it_is_done_and_that_it_came_to_nothing_after() {
    let scene = Scene::new();
    let attempt = AttemptId { run: 1, number: 2 };
    assert!(scene.control.void(attempt, &ADMIN).unwrap().is_none());
    let budget = r#"{"id": "stubborn", "max_limit": 5, "reset_duration": "1d"}"#;
    scene.control.create(Kind::Budget, budget, &ADMIN).unwrap();
    assert!(matches!(scene.control.reset_budget("stubborn", &ADMIN), Err(ControlError::Unavailable(_))));
    let told = scene.told();
    let expected = ["void abandoned_charge 1/2", "void_failed abandoned_charge 1/2", "create budget stubborn"];
    let expected = expected.into_iter().chain(["reset budget stubborn", "reset_failed budget stubborn"]);
    assert_eq!(told[told.len() - 5..], expected.map(|line| format!("root {line}")).collect::<Vec<_>>());
}
