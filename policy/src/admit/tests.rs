//! Who gets in, and what the others are told.

use std::sync::Arc;

use super::*;
use crate::key::KeyTokens;
use crate::request::OperationSet;
use crate::settings::Settings;
use crate::snapshot::Change;

fn key(id: &str, token: &str) -> VirtualKey {
    VirtualKey {
        id: id.into(),
        name: id.into(),
        tokens: KeyTokens::from_buf([TokenHash::of(token)]),
        is_active: true,
        expires_at_ms: None,
        team: None,
        customer: None,
        providers: Vec::new(),
        unlisted_providers: true,
        operations: [Operation::ChatCompletion].into_iter().collect(),
        balance: None,
        limits: crate::limit::Limits::default(),
    }
}

fn world(settings: Settings) -> Snapshot {
    let expired = VirtualKey { expires_at_ms: Some(500), ..key("old", "sk-bf-old") };
    let inactive = VirtualKey { is_active: false, ..key("off", "sk-bf-off") };
    let all = VirtualKey { operations: OperationSet::ALL, ..key("plain", "no-prefix") };
    let keys = [key("a", "sk-bf-a"), key("b", "sk-bf-b"), expired, inactive, all];
    let start = Snapshot::default().apply(Change::Settings(Arc::new(settings))).unwrap();
    keys.into_iter().fold(start, |world, key| world.apply(Change::PutVirtualKey(Arc::new(key))).unwrap())
}

fn enter_with(settings: Settings, presented: Presented<'_>) -> Result<Option<String>, Reason> {
    let now = Now { wall_ms: 1_000, mono_ms: 0 };
    enter(&world(settings), &presented, Operation::ChatCompletion, now)
        .map(|caller| caller.key.as_ref().map(|key| key.id.to_string()))
        .map_err(|refusal| refusal.reason)
}

fn sent<'a>(explicit: Option<&'a str>, bearer: Option<&'a str>, api_key: Option<&'a str>) -> Presented<'a> {
    Presented { explicit, general: [bearer, api_key, None, None, None] }
}

fn entered(explicit: Option<&str>, bearer: Option<&str>, api_key: Option<&str>) -> Result<Option<String>, Reason> {
    enter_with(Settings::default(), sent(explicit, bearer, api_key))
}

#[test]
fn a_token_whose_time_is_over_is_unknown_and_never_passed_on() {
    let entered_at = |wall_ms| {
        let settings = Settings { allow_direct_keys: true, ..Settings::default() };
        let tokens = KeyTokens::from_slice(&[TokenHash::of("new"), TokenHash::of("old").until(Some(500))]);
        let start = Snapshot::default().apply(Change::Settings(Arc::new(settings))).unwrap();
        let world = start.apply(Change::PutVirtualKey(Arc::new(VirtualKey { tokens, ..key("a", "") }))).unwrap();
        let now = Now { wall_ms, mono_ms: 0 };
        ["new", "old"].map(|token| {
            let entered = enter(&world, &sent(None, Some(token), None), Operation::ChatCompletion, now);
            entered.map(|caller| caller.key.is_some()).map_err(|refusal| refusal.reason)
        })
    };
    assert_eq!(entered_at(499), [Ok(true), Ok(true)]);
    assert_eq!(entered_at(500), [Ok(true), Err(Reason::VirtualKeyNotFound)]);
}

#[test]
fn a_known_key_opens_from_every_place_with_and_without_prefix() {
    assert_eq!(entered(Some("sk-bf-a"), None, None), Ok(Some("a".into())));
    assert_eq!(entered(None, Some("sk-bf-a"), None), Ok(Some("a".into())));
    assert_eq!(entered(None, None, Some("no-prefix")), Ok(Some("plain".into())));
    let last = Presented { explicit: None, general: [None, None, None, None, Some("sk-bf-b")] };
    assert_eq!(enter_with(Settings::default(), last), Ok(Some("b".into())));
}

#[test]
fn an_unknown_key_is_refused_wherever_it_claims_to_be_one() {
    assert_eq!(entered(Some("anything"), None, None), Err(Reason::VirtualKeyNotFound));
    assert_eq!(entered(None, Some("SK-BF-unknown"), None), Err(Reason::VirtualKeyNotFound));
    assert_eq!(entered(None, Some("sk-bf-a"), Some("sk-bf-gone")), Err(Reason::VirtualKeyNotFound));
}

#[test]
fn other_credentials_are_no_key() {
    assert_eq!(entered(None, Some("sk-proj-vendor"), None), Err(Reason::VirtualKeyRequired));
    assert_eq!(entered(None, Some("sk-bf-a"), Some("sk-proj-vendor")), Ok(Some("a".into())));
    assert_eq!(entered(Some(""), None, None), Err(Reason::VirtualKeyRequired));
}

#[test]
fn two_different_keys_are_refused_and_the_same_twice_is_not() {
    assert_eq!(entered(Some("sk-bf-a"), Some("sk-bf-b"), None), Err(Reason::InvalidRequest));
    assert_eq!(entered(Some("sk-bf-a"), Some("sk-bf-a"), None), Ok(Some("a".into())));
}

#[test]
fn inactive_and_expired_keys_are_blocked() {
    assert_eq!(entered(Some("sk-bf-off"), None, None), Err(Reason::VirtualKeyBlocked));
    assert_eq!(entered(Some("sk-bf-old"), None, None), Err(Reason::VirtualKeyBlocked));
}

#[test]
fn a_key_is_needed_as_the_settings_say() {
    let with = |key_requirement| Settings { key_requirement, ..Settings::default() };
    assert_eq!(enter_with(with(KeyRequirement::Never), Presented::default()), Ok(None));
    assert_eq!(enter_with(with(KeyRequirement::Always), Presented::default()), Err(Reason::VirtualKeyRequired));
    assert_eq!(enter_with(with(KeyRequirement::WhenKeysExist), Presented::default()), Err(Reason::VirtualKeyRequired));
    assert!(!needs_key(&Snapshot::default()));
}

#[test]
fn a_key_may_do_what_its_operations_say() {
    let now = Now::default();
    let presented = sent(Some("sk-bf-a"), None, None);
    let refusal = enter(&world(Settings::default()), &presented, Operation::Embedding, now).unwrap_err();
    assert_eq!(refusal.reason, Reason::OperationBlocked);
}

#[test]
fn a_callers_own_credential_is_taken_only_where_that_is_allowed() {
    let own = |allow_direct_keys| {
        let settings = Settings { allow_direct_keys, key_requirement: KeyRequirement::Never, ..Settings::default() };
        let caller =
            enter(&world(settings), &sent(None, Some("sk-proj-x"), None), Operation::ChatCompletion, Now::default());
        caller.unwrap().own_credential.map(|secret| secret.reveal().to_owned())
    };
    assert_eq!(own(true).as_deref(), Some("sk-proj-x"));
    assert_eq!(own(false), None);
}
