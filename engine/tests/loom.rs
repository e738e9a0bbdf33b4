//! The ledger's core in every order that threads can take: locked together, checked, then charged. No deadlock, nothing lost,
//! nothing overspent. And the order of the locks is what it rests on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::process::Command;

use engine::ledger::commit::{Lock, lock_all};
use loom::sync::{Arc, Mutex, MutexGuard};
use loom::{model, thread};
use policy::account::{Spending, SpendingMark};
use policy::limit::{Budget, Mode};
use policy::money::NanoUsd;
use policy::window::{BudgetWindow, ResetDuration, ResetUnit};

const LIMIT: NanoUsd = NanoUsd(100);

/// A budget of 100 behind the model checker's lock.
struct Account(Mutex<Spending>);

impl Lock for Account {
    type State = Spending;
    type Guard<'a> = MutexGuard<'a, Spending>;

    fn lock(&self) -> Self::Guard<'_> {
        self.0.lock().unwrap()
    }
}

type Accounts<const N: usize> = Arc<[Account; N]>;

fn budget() -> Budget {
    let window = BudgetWindow::tiled(ResetDuration { count: 1, unit: ResetUnit::Day });
    Budget { id: "b".into(), limit: LIMIT, window, mode: Mode::Hard }
}

fn accounts<const N: usize>() -> Accounts<N> {
    Arc::new(std::array::from_fn(|_| Account(Mutex::new(Spending::new(budget().window, 0)))))
}

/// Reserves an amount on some accounts, all or none, as the ledger does it.
fn hold<const N: usize>(all: &Accounts<N>, touched: &[usize], amount: NanoUsd) -> Option<Vec<SpendingMark>> {
    let budget = budget();
    let mut locked = lock_all(touched.iter().map(|at| &all[*at]));
    locked.iter_mut().for_each(|spending| spending.roll(&budget, 1));
    if locked.iter().any(|spending| spending.check(&budget, amount).is_err()) {
        return None;
    }
    Some(locked.iter_mut().map(|spending| spending.hold(amount)).collect())
}

/// Charges what a reservation came to; `None`: releases it. One account after the other, as the ledger does it.
fn settle<const N: usize>(
    all: &Accounts<N>,
    touched: &[usize],
    marks: &[SpendingMark],
    held: NanoUsd,
    cost: Option<NanoUsd>,
) {
    for (at, mark) in touched.iter().zip(marks) {
        let mut spending = all[*at].lock();
        match cost {
            Some(cost) => spending.settle(*mark, held, cost),
            None => spending.release(*mark, held),
        }
    }
}

/// What an account shows, and that it is never more than the limit.
fn shown<const N: usize>(all: &Accounts<N>, at: usize) -> (u64, u64) {
    let standing = all[at].lock().standing(&budget(), 1);
    assert!(standing.spent.0 + standing.held.0 <= LIMIT.0, "account {at} is over its limit: {standing:?}");
    (standing.spent.0, standing.held.0)
}

#[test]
fn attempts_that_share_an_account_never_reserve_more_than_there_is() {
    model(|| {
        let all = accounts::<3>();
        let sets: [&'static [usize]; 3] = [&[0, 1], &[1, 2], &[0, 2]];
        let amount = NanoUsd(60);
        let others = [sets[0], sets[1]].map(|touched| {
            let all = Arc::clone(&all);
            thread::spawn(move || hold(&all, touched, amount).is_some())
        });
        let mine = hold(&all, sets[2], amount).is_some();
        let [first, second] = others.map(|thread| thread.join().unwrap());
        let made = [first, second, mine];
        // Each two of the sets overlap, so there is room for one, and the first to come gets it.
        assert_eq!(made.iter().filter(|is_made| **is_made).count(), 1, "{made:?}");
        for at in 0..3 {
            let expected = sets.iter().zip(made).any(|(set, is_made)| is_made && set.contains(&at));
            assert_eq!(shown(&all, at), (0, if expected { amount.0 } else { 0 }), "account {at}");
        }
    });
}

#[test]
fn charges_and_releases_of_others_are_neither_lost_nor_counted_twice() {
    model(|| {
        let all = accounts::<2>();
        let held = NanoUsd(40);
        let both: &'static [usize] = &[0, 1];
        let (charged, released) = (hold(&all, both, held).unwrap(), hold(&all, &[1], held).unwrap());
        let charging = {
            let all = Arc::clone(&all);
            thread::spawn(move || settle(&all, both, &charged, held, Some(NanoUsd(10))))
        };
        let releasing = {
            let all = Arc::clone(&all);
            thread::spawn(move || settle(&all, &[1], &released, held, None))
        };
        // It fits into what is left of each account only once the others have settled there.
        let mine = hold(&all, both, NanoUsd(70));
        (0..2).for_each(|at| assert!(shown(&all, at).0 <= 10));
        charging.join().unwrap();
        releasing.join().unwrap();
        let reserved = if mine.is_some() { 70 } else { 0 };
        assert_eq!((0..2).map(|at| shown(&all, at)).collect::<Vec<_>>(), [(10, reserved), (10, reserved)]);
    });
}

#[test]
fn three_calls_from_hold_to_settlement_add_up() {
    model(|| {
        let all = accounts::<2>();
        let whole = |all: &Accounts<2>, touched: &[usize], cost: u64| match hold(all, touched, NanoUsd(50)) {
            Some(marks) => {
                settle(all, touched, &marks, NanoUsd(50), Some(NanoUsd(cost)));
                cost
            }
            None => 0,
        };
        let others = [(&[0_usize, 1][..], 20_u64), (&[1][..], 30)].map(|(touched, cost)| {
            let all = Arc::clone(&all);
            thread::spawn(move || whole(&all, touched, cost))
        });
        let mine = whole(&all, &[0], 40);
        let [both, second] = others.map(|thread| thread.join().unwrap());
        assert_eq!([shown(&all, 0), shown(&all, 1)], [(both + mine, 0), (both + second, 0)]);
    });
}

/// Two attempts on the same two accounts, each locking in the order given.
fn two_in_order(one: &'static [usize], other: &'static [usize]) {
    model(move || {
        let all = accounts::<2>();
        let inside = Arc::clone(&all);
        let thread = thread::spawn(move || hold(&inside, one, NanoUsd(1)).is_some());
        assert!(hold(&all, other, NanoUsd(1)).is_some());
        assert!(thread.join().unwrap());
    });
}

#[test]
fn locking_in_one_order_never_deadlocks() {
    two_in_order(&[0, 1], &[0, 1]);
}

#[test]
#[ignore = "ends the process; the last test starts it in one of its own"]
fn locking_out_of_order() {
    two_in_order(&[0, 1], &[1, 0]);
}

#[test]
#[ignore = "ends the process; the last test starts it in one of its own"]
fn reserving_what_was_checked_before() {
    model(|| {
        let all = accounts::<1>();
        let in_two_steps = |all: &Accounts<1>| {
            let is_open = all[0].lock().check(&budget(), NanoUsd(60)).is_ok();
            is_open.then(|| all[0].lock().hold(NanoUsd(60)));
        };
        let inside = Arc::clone(&all);
        let thread = thread::spawn(move || in_two_steps(&inside));
        in_two_steps(&all);
        thread.join().unwrap();
        shown(&all, 0);
    });
}

#[test]
fn the_model_finds_a_deadlock_and_an_overspent_account_where_there_is_one() {
    let itself = std::env::current_exe().unwrap();
    for (mistake, found) in
        [("locking_out_of_order", "deadlock"), ("reserving_what_was_checked_before", "over its limit")]
    {
        let output = Command::new(&itself).args(["--exact", mistake, "--ignored"]).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(!output.status.success() && said.contains(found), "{mistake}: {said}");
    }
}
