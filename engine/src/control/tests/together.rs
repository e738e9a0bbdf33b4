//! Changes that are made together: in one transaction, each for itself or all as one.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn key_named(name: &str) -> String {
    format!(r#"{{"id": "id-{name}", "name": "{name}", "provider_configs": [{{"provider": "openai"}}]}}"#)
}

#[test]
fn changes_that_wait_for_each_other_are_kept_together_and_a_wrong_one_fails_alone() {
    let scene = Scene::new();
    let control = &scene.control;
    // Whoever comes first waits, so that the others wait for it.
    let turn = control.0.turn.lock();
    let results: Vec<_> = std::thread::scope(|scope| {
        let create = |body: String| scope.spawn(move || control.create(Kind::VirtualKey, &body, &ADMIN).map(drop));
        let mut callers: Vec<_> = (0..10).map(|number| create(key_named(&format!("k{number}")))).collect();
        callers.push(create(key_named("k3").replace("id-k3", "another")));
        callers.push(create(key_named("x").replace("openai\"}", "openai\"}, {\"provider\": \"openai\"}")));
        callers.push(scope.spawn(move || control.update(Kind::Team, "t1", r#"{"name": "renamed"}"#, &ADMIN).map(drop)));
        callers.push(scope.spawn(move || control.update(Kind::Team, "t1", r#"{"name": "again"}"#, &ADMIN).map(drop)));
        while control.0.queue.len() < callers.len() {
            std::thread::yield_now();
        }
        drop(turn);
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let of_names: Vec<_> = [&results[3], &results[10]].into_iter().map(Result::is_ok).collect();
    assert!(of_names == [true, false] || of_names == [false, true], "one of two has the name: {results:?}");
    assert!(matches!(results[11], Err(ControlError::Invalid(_))), "{results:?}");
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 12, "{results:?}");
    assert_eq!(control.snapshot().key_count(), 11);
    let revisions = |id: &str| control.get(Kind::VirtualKey, id).unwrap().unwrap().revision;
    let mut all: Vec<_> = [0, 1, 2, 4, 5, 6, 7, 8, 9].map(|number| revisions(&format!("id-k{number}"))).into();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 9, "each has a revision of its own");
    assert_eq!(scene.told().iter().filter(|line| line.starts_with("root create virtual_key")).count(), 10);
    control.registry().verify().unwrap();
    let scene = scene.again(FILE);
    assert_eq!(scene.control.snapshot().key_count(), 11);
}

/// Has two callers make their changes together, the first one's before the other's.
fn in_order<T: Send>(control: &Control, first: impl FnOnce() -> T + Send, second: impl FnOnce() -> T + Send) -> (T, T) {
    let turn = control.0.turn.lock();
    let wait_for = |count: usize| {
        while control.0.queue.len() < count {
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        wait_for(1);
        let second = scope.spawn(second);
        wait_for(2);
        drop(turn);
        (first.join().unwrap(), second.join().unwrap())
    })
}

#[test]
fn a_change_is_not_refused_for_one_that_is_not_kept_in_the_end() {
    let scene = Scene::new();
    let control = &scene.control;
    control.create(Kind::Team, r#"{"id": "t2", "name": "two"}"#, &ADMIN).unwrap();
    control.create(Kind::VirtualKey, &key_named("k1"), &ADMIN).unwrap();
    let removes_the_team = || {
        control.change(&ADMIN, "update", |draft| {
            draft.remove_with_limits(Kind::Team, "t2")?;
            draft.create(Kind::VirtualKey, "another", &key_named("k1").replace("id-k1", "another"))
        })
    };
    let joins_the_team = || {
        let key = r#"{"id": "k2", "name": "k2", "team_id": "t2"}"#;
        control.change(&ADMIN, "create", |draft| draft.create(Kind::VirtualKey, "k2", key))
    };
    let (removed, joined) = in_order(control, removes_the_team, joins_the_team);
    assert!(matches!(removed, Err(ControlError::Taken(_))), "two keys cannot have one name: {removed:?}");
    assert!(joined.is_ok(), "its team is there: {joined:?}");
}

#[test]
fn a_database_that_cannot_be_used_is_asked_once_for_all_who_wait() {
    let scene = Scene::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let ask = || {
        let asked = Arc::clone(&asked);
        let work = move |_: &mut Draft<'_>| {
            asked.fetch_add(1, Ordering::Relaxed);
            Err(ControlError::Unavailable("it is away".into()))
        };
        scene.control.change(&ADMIN, "update", work)
    };
    let (first, second) = in_order(&scene.control, ask, ask);
    for result in [first, second] {
        assert!(matches!(result, Err(ControlError::Unavailable(_))), "{result:?}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn sections_are_changed_all_or_none() {
    let scene = Scene::new();
    let revision = scene.control.snapshot().revision();
    let put = |client: &str, auth: &str| {
        let bodies = vec![(Kind::Client, client.to_owned()), (Kind::AuthConfig, auth.to_owned())];
        scene.control.put_sections(bodies, &ADMIN)
    };
    let (at, error) = put(r#"{"min_clamped_tokens": 7}"#, r#"{"is_enabled": 7}"#).unwrap_err();
    assert!(at == Some(1) && matches!(error, ControlError::Invalid(_)), "{at:?} {error}");
    assert_eq!(scene.control.snapshot().revision(), revision);
    let before = scene.told().len();
    put(r#"{"min_clamped_tokens": 7}"#, r#"{"disable_auth_on_inference": true}"#).unwrap();
    assert_eq!(scene.control.snapshot().settings().min_clamped_tokens, 7);
    assert_eq!(scene.told().split_off(before), ["root update client client", "root update auth_config auth_config"]);
    let entry = |kind: Kind| scene.control.get(kind, kind.as_str()).unwrap().unwrap().revision;
    assert_eq!(entry(Kind::Client), entry(Kind::AuthConfig), "they are one change");
}

#[test]
fn what_a_file_may_not_say_twice_a_call_may_not_either() {
    let scene = Scene::new();
    let create = |kind: Kind, body: &str| scene.control.create(kind, body, &ADMIN).map(|created| created.entry.id);
    let rule = |id: &str, name: &str, more: &str| {
        let targets = r#""targets": [{"provider": "openai", "weight": 1}]"#;
        create(Kind::RoutingRule, &format!(r#"{{"id": "{id}", "name": "{name}", {more} {targets}}}"#))
    };
    let model = |id: &str, provider: &str| {
        let limit = r#""rate_limit_id": "shared""#;
        create(Kind::ModelConfig, &format!(r#"{{"id": "{id}", "model_name": "gpt-4o", {provider} {limit}}}"#))
    };
    let key = |name: &str, config: &str| {
        let configs = format!(r#"[{{"id": "{config}", "provider": "openai"}}]"#);
        create(Kind::VirtualKey, &format!(r#"{{"name": "{name}", "provider_configs": {configs}}}"#))
    };
    create(Kind::RateLimit, r#"{"id": "shared", "max_concurrent_requests": 1}"#).unwrap();
    let of_key = r#""scope": "virtual_key", "scope_id": "vk1","#;
    rule("r1", "one", "").unwrap();
    rule("r2", "one", of_key).unwrap();
    rule("r3", "two", r#""enabled": false,"#).unwrap();
    model("m1", "").unwrap();
    model("m2", r#""provider": "openai","#).unwrap();
    key("k1", "c1").unwrap();
    let place = |refused: Result<Box<str>, ControlError>| match refused {
        Err(ControlError::Invalid(problems)) => problems[0].path.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(place(rule("r4", "one", "")), "name");
    assert_eq!(place(rule("r4", "one", of_key)), "name");
    assert_eq!(place(rule("r4", "two", "")), "name", "one that is switched off has its name too");
    assert_eq!(place(model("m3", r#""provider": "openai","#)), "model_name");
    assert_eq!(place(key("k2", "c1")), "provider_configs[0].id");
    let renamed = scene.control.update(Kind::RoutingRule, "r3", r#"{"name": "one"}"#, &ADMIN);
    assert_eq!(place(renamed.map(|entry| entry.id)), "name");
    let scene = scene.again(FILE);
    let again = |name: &str| scene.control.update(Kind::RoutingRule, "r3", &format!(r#"{{"name": "{name}"}}"#), &ADMIN);
    assert!(matches!(again("one"), Err(ControlError::Invalid(_))), "it is known after a restart");
    scene.control.remove(Kind::RoutingRule, "r1", &ADMIN).unwrap();
    again("one").unwrap();
}
