//! Changes: what they replace, what they refuse.

mod uses;

use super::*;
use crate::price::overrides::{ModelPattern, PriceScope};
use crate::request::OperationSet;

fn key(id: &str, tokens: &[&str]) -> Arc<VirtualKey> {
    Arc::new(VirtualKey {
        id: id.into(),
        name: id.into(),
        tokens: tokens.iter().map(|token| TokenHash::of(token)).collect(),
        is_active: true,
        expires_at_ms: None,
        team: None,
        customer: None,
        providers: Vec::new(),
        unlisted_providers: false,
        operations: OperationSet::ALL,
        balance: None,
        keeps_content: None,
        limits: Limits::default(),
    })
}

fn found(snapshot: &Snapshot, token: &str) -> Option<String> {
    snapshot.key_of_token(&TokenHash::of(token)).map(|key| key.id.to_string())
}

#[test]
fn a_change_leaves_the_old_snapshot_as_it_was() {
    let before = Snapshot::default().apply(Change::PutVirtualKey(key("a", &["one"]))).unwrap();
    let after = before.apply(Change::RemoveVirtualKey("a".into())).unwrap();
    assert_eq!(found(&before, "one").as_deref(), Some("a"));
    assert_eq!(found(&after, "one"), None);
    assert_eq!(after.revision(), before.revision() + 1);
}

#[test]
fn a_new_token_replaces_the_old_one() {
    let first = Snapshot::default().apply(Change::PutVirtualKey(key("a", &["one", "two"]))).unwrap();
    let second = first.apply(Change::PutVirtualKey(key("a", &["two", "three"]))).unwrap();
    assert_eq!(found(&second, "one"), None);
    assert_eq!(found(&second, "two").as_deref(), Some("a"));
    assert_eq!(found(&second, "three").as_deref(), Some("a"));
}

#[test]
fn two_keys_cannot_share_a_token() {
    let first = Snapshot::default().apply(Change::PutVirtualKey(key("a", &["one"]))).unwrap();
    let error = first.apply(Change::PutVirtualKey(key("b", &["one"]))).unwrap_err();
    assert_eq!(error, ApplyError::TokenTaken("a".into()));
}

#[test]
fn a_key_with_prices_of_its_own_must_exist_and_stays() {
    let of_key = |id: &str, key: &str| {
        Change::PutPriceOverride(Arc::new(PriceOverride {
            id: id.into(),
            name: id.into(),
            scope: PriceScope::Key(key.into()),
            pattern: ModelPattern::prefix(""),
            operations: OperationSet::ALL,
            order: 0,
            rates: Vec::new(),
        }))
    };
    let before = Snapshot::default().apply(Change::PutVirtualKey(key("a", &["one"]))).unwrap();
    let error = before.apply(of_key("o", "b")).unwrap_err();
    assert_eq!(error, ApplyError::NoSuchVirtualKey("b".into()));

    let after = before.apply(of_key("o", "a")).unwrap();
    assert!(before.price_overrides().is_empty() && !after.price_overrides().is_empty());
    let error = after.apply(Change::RemoveVirtualKey("a".into())).unwrap_err();
    assert_eq!(error, ApplyError::InUse("price override `o`".into()));
    let without = after.apply(Change::RemovePriceOverride("o".into())).unwrap();
    assert!(without.price_overrides().is_empty());
    assert!(without.apply(Change::RemoveVirtualKey("a".into())).is_ok());
}

#[test]
fn what_is_referred_to_must_exist_and_stays() {
    let orphan = Arc::new(VirtualKey { team: Some("ml".into()), ..(*key("a", &["one"])).clone() });
    let empty = Snapshot::default();
    let error = empty.apply(Change::PutVirtualKey(orphan.clone())).unwrap_err();
    assert_eq!(error, ApplyError::NoSuchTeam("ml".into()));

    let team = Arc::new(Team { id: "ml".into(), name: "ML".into(), customer: None, limits: Limits::default() });
    let whole = empty.apply(Change::PutTeam(team)).unwrap().apply(Change::PutVirtualKey(orphan)).unwrap();
    let error = whole.apply(Change::RemoveTeam("ml".into())).unwrap_err();
    assert_eq!(error, ApplyError::InUse("virtual key `a`".into()));
}
