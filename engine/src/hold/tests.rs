//! Whatever becomes of a hold, its accounts end with nothing held and the right charge, once.

use std::sync::Arc;

use policy::list::AllowList;
use policy::money::{NanoUsd, PicoUsd};
use policy::price::{ModelPrice, Rate, Unit};
use policy::provider::{Credential, Deadlines, Endpoint, Provider, Retries, Secret, TlsTrust};
use policy::request::{Dialect, OperationSet};
use policy::route::{Attempt, Weight};
use policy::usage::{Metered, ServiceTier, Usage, UsageSource};
use proptest::prelude::*;

use super::Hold;
use crate::ledger::{Balance, Ledger, Owner};

const WORST: NanoUsd = NanoUsd(1_000);

fn attempt() -> Attempt {
    let credential = Arc::new(Credential {
        name: "main".into(),
        secret: Secret::new("secret"),
        models: AllowList::All,
        denied_models: AllowList::nothing(),
        weight: Some(Weight::ONE),
        aliases: std::collections::BTreeMap::new(),
        is_enabled: true,
    });
    let provider = Arc::new(Provider {
        name: "openai".into(),
        vendor: "openai",
        is_custom: false,
        order: 0,
        dialect: Dialect::OpenAi,
        operations: OperationSet::ALL,
        endpoint: Endpoint { tls: false, host: "127.0.0.1".into(), port: 1, prefix: "".into() },
        credentials: vec![Arc::clone(&credential)],
        keyless: false,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: Retries::default(),
        tls: TlsTrust::default(),
    });
    Attempt {
        provider,
        credential,
        model: "gpt-4o".into(),
        known: Some(Arc::default()),
        is_known: true,
        own_price: None,
        worst_case: Some(WORST),
    }
}

fn price() -> ModelPrice {
    let rate = |unit, price| Rate { unit, tier: ServiceTier::Standard, above_tokens: 0, price: PicoUsd(price) };
    ModelPrice::new(vec![rate(Unit::Input, 1_000), rate(Unit::Output, 2_000)])
}

fn used(input: u64, output: u64) -> Metered {
    Metered { usage: Usage { input, output, ..Usage::default() }, source: UsageSource::Reported }
}

fn owner() -> Owner {
    Owner::VirtualKey("vk".into())
}

fn hold(ledger: &Ledger) -> Hold {
    // The same owner twice is one account.
    ledger.hold(&[owner(), owner()], &attempt())
}

#[test]
fn a_dropped_hold_leaves_no_trace() {
    let ledger = Ledger::default();
    let hold = hold(&ledger);
    assert_eq!(ledger.balance(&owner()).held, WORST);
    drop(hold);
    assert_eq!(ledger.balance(&owner()), Balance::default());
}

#[test]
fn a_settled_attempt_is_charged_what_it_used_on_every_account() {
    let ledger = Ledger::default();
    let charge = hold(&ledger).dispatch().settle(&used(10, 5), Some(&price()));
    assert_eq!(charge.cost, NanoUsd(20));
    let accounts = [owner(), Owner::Provider("openai".into()), Owner::Model("openai".into(), "gpt-4o".into())];
    for account in accounts {
        let balance = ledger.balance(&account);
        assert_eq!((balance.held, balance.spent, balance.tokens, balance.attempts), (NanoUsd(0), NanoUsd(20), 15, 1));
    }
}

#[test]
fn a_dropped_sent_is_charged_its_whole_hold_as_abandoned() {
    let ledger = Ledger::default();
    drop(hold(&ledger).dispatch());
    let balance = ledger.balance(&owner());
    assert_eq!((balance.held, balance.spent, balance.abandoned), (NanoUsd(0), WORST, WORST));
    assert_eq!(ledger.abandoned_attempts(), 1);
}

#[test]
fn a_panic_between_dispatch_and_settlement_charges_once() {
    let ledger = Arc::new(Ledger::default());
    let inside = Arc::clone(&ledger);
    let panicked = std::thread::spawn(move || {
        let _sent = hold(&inside).dispatch();
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert_eq!(ledger.balance(&owner()).spent, WORST);
}

#[test]
fn what_the_vendor_refused_is_free() {
    let ledger = Ledger::default();
    hold(&ledger).dispatch().settle_free();
    let balance = ledger.balance(&owner());
    assert_eq!((balance.held, balance.spent, balance.abandoned), (NanoUsd(0), NanoUsd(0), NanoUsd(0)));
}

#[test]
fn an_abandoned_settlement_is_charged_its_whole_hold() {
    let ledger = Ledger::default();
    let abandoned = Metered { usage: Usage::default(), source: UsageSource::Abandoned };
    assert_eq!(hold(&ledger).dispatch().settle(&abandoned, Some(&price())).cost, WORST);
    assert_eq!(ledger.balance(&owner()).abandoned, WORST);
}

proptest! {
    #[test]
    fn whatever_happens_nothing_stays_held_and_the_sum_is_right(fates in proptest::collection::vec(0_u8..4, 1..200)) {
        let ledger = Ledger::default();
        let mut expected = 0;
        let threads = 4;
        std::thread::scope(|scope| {
            for part in fates.chunks(fates.len().div_ceil(threads)) {
                let ledger = &ledger;
                scope.spawn(move || for fate in part {
                    let hold = hold(ledger);
                    match fate {
                        0 => drop(hold),
                        1 => drop(hold.dispatch()),
                        2 => drop(hold.dispatch().settle(&used(10, 5), Some(&price()))),
                        _ => hold.dispatch().settle_free(),
                    }
                });
            }
        });
        for fate in &fates {
            expected += match fate { 1 => WORST.0, 2 => 20, _ => 0 };
        }
        let balance = ledger.balance(&owner());
        prop_assert_eq!(balance.held, NanoUsd(0));
        prop_assert_eq!(balance.spent, NanoUsd(expected));
    }
}
