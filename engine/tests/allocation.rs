//! A call's way through the gate and the ledger does not allocate.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/four_levels.rs"]
mod four_levels;

use engine::hold::Sending;
use engine::ledger::Ledger;
use policy::limit::Accounts;

use four_levels::{NOW, snapshot, token, used, walk, wanted};

#[test]
fn a_call_with_limits_on_four_levels_allocates_nothing_from_its_token_to_its_settlement() {
    let (snapshot, ledger, token) = (snapshot(100), Ledger::new(None, 0), token(7));
    let allocations = || {
        let measured = allocation_counter::measure(|| {
            let walk = walk(&snapshot, &token, &ledger.at(NOW));
            let request = wanted(&snapshot, &walk);
            let (hold, admission) = ledger.hold(&request).unwrap();
            let (caller, attempt, at_ms) = (request.caller, request.attempt, NOW.wall_ms);
            let sending = Sending { caller, attempt, admission: admission.as_ref(), at_ms };
            let sent = hold.dispatch(&sending).unwrap();
            assert_eq!(sent.settle(&used(), request.attempt.price(), NOW.wall_ms).cost.0, 2_750_000);
            drop(admission);
        });
        measured.count_total
    };
    assert!(allocations() > 0, "the first one makes the accounts, so the measure is alive");
    assert_eq!(allocations(), 0);
    let standings = ["k7", "t0", "c0", "p0"].map(|of| {
        let budget = snapshot.budget(&format!("{of}-budget").into()).unwrap();
        let rate = snapshot.rate_limit(&format!("{of}-rate").into()).unwrap();
        let (spent, tokens) = (ledger.at(NOW).of_budget(budget).spent, ledger.at(NOW).of_rate_limit(rate).tokens);
        (spent.0, tokens.used)
    });
    assert_eq!(standings, [(2 * 2_750_000, 1_000); 4], "each of the eight accounts was charged");
}
