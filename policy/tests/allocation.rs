//! The accepted path of the gate does not allocate.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use policy::admit::{Presented, enter};
use policy::key::{TokenHash, VirtualKey};
use policy::request::{Operation, OperationSet};
use policy::snapshot::{Change, Snapshot};
use policy::window::Now;

fn world() -> Snapshot {
    let key = VirtualKey {
        id: "vk".into(),
        name: "vk".into(),
        tokens: vec![TokenHash::of("sk-bf-known")],
        is_active: true,
        expires_at_ms: Some(u64::MAX),
        team: None,
        customer: None,
        providers: Vec::new(),
        unlisted_providers: true,
        operations: OperationSet::ALL,
        balance: None,
    };
    Snapshot::default().apply(Change::PutVirtualKey(Arc::new(key))).unwrap()
}

#[test]
fn a_known_key_enters_without_an_allocation() {
    let world = world();
    for token in [Some("sk-bf-known"), None] {
        let presented = Presented { explicit: token, general: [Some("sk-bf-known"), None, None, Some("other"), None] };
        let measured = allocation_counter::measure(|| {
            let caller = enter(&world, &presented, Operation::ChatCompletion, Now::default());
            assert!(caller.is_ok_and(|caller| caller.key.is_some()));
        });
        assert_eq!(measured.count_total, 0);
    }
}

#[test]
fn a_refusal_does_allocate_so_the_measure_is_alive() {
    let world = world();
    let presented = Presented { explicit: Some("unknown"), ..Presented::default() };
    let measured = allocation_counter::measure(|| {
        assert!(enter(&world, &presented, Operation::ChatCompletion, Now::default()).is_err());
    });
    assert!(measured.count_total > 0);
}
