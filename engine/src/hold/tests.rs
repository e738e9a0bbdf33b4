//! Whatever becomes of a hold, its accounts end with nothing held and the right charge, once; and the journal knows.

use std::sync::Arc;

use policy::decision::Reason;
use policy::limit::{Accounts, Algorithm, Budget, BudgetStanding, Mode, Quota, RateLimit, RateStanding};
use policy::money::NanoUsd;
use policy::route::{Attempt, Caller};
use policy::snapshot::Snapshot;
use policy::usage::{Metered, Usage, UsageSource};
use policy::window::{BudgetWindow, Now};
use store::Outcome;

use super::{Admission, Hold, Sending};
use crate::ledger::tests::notebook::{Note, Notebook};
use crate::ledger::tests::world::{Ask, Goal, Hung, Key, World};
use crate::ledger::{Ledger, Request};

const NOW: Now = Now { wall_ms: 1_790_000_000_000, mono_ms: 1_790_000_000_000 };
/// What an attempt holds: a hundred tokens of output, at ten nano-dollars each.
const WORST: NanoUsd = NanoUsd(1_000);

/// A key with a budget, on a provider with another; both with one rate limit.
struct Scene {
    world: World,
    snapshot: Snapshot,
    ledger: Ledger,
    caller: Caller,
    attempt: Attempt,
    goal: Goal,
}

impl Scene {
    fn new(modes: [Mode; 2], journal: Option<Arc<Notebook>>) -> Self {
        let window = BudgetWindow::tiled("1d".parse().unwrap());
        let limit = NanoUsd(1_000_000);
        let budget = |at: usize| Budget { id: format!("b{at}").into(), limit, window: window.clone(), mode: modes[at] };
        let quota = Some(Quota { most: 1_000, window: "1m".parse().unwrap() });
        let (id, algorithm) = ("r0".into(), Algorithm::Rolling);
        let rate = RateLimit { id, requests: quota, tokens: quota, concurrent: Some(3), algorithm };
        let hung = |budget: usize, rate| Hung { budgets: [budget].into(), rate };
        let world = World {
            budgets: vec![budget(0), budget(1)],
            rates: vec![rate],
            keys: [Key { hung: hung(0, Some(0)), ..Key::default() }, Key::default(), Key::default()],
            providers: [hung(1, Some(0)), Hung::default()],
            prices: [[Some((0, 10_000)); 2]; 2],
            ..World::default()
        };
        let goal = Goal { provider: 0, model: 0, is_aliased: false, is_listed: false };
        let attempt = world.attempt(goal, Ask { text_bytes: 400, max_output: Some(100), choices: 1 });
        let snapshot = world.snapshot();
        let caller = world.caller(&snapshot, Some(0));
        let ledger = Ledger::new(journal.map(|journal| journal as _), 3);
        Self { world, snapshot, ledger, caller, attempt, goal }
    }

    fn hold_as(&self, is_admitted: bool) -> (Hold, Option<Admission>) {
        let request = Request {
            snapshot: &self.snapshot,
            caller: &self.caller,
            asked: &self.goal.asked(),
            attempt: &self.attempt,
            more_input: 0,
            may_clamp: false,
            is_admitted,
            now: NOW,
        };
        self.ledger.hold(&request).unwrap()
    }

    fn hold(&self) -> (Hold, Admission) {
        let (hold, admission) = self.hold_as(false);
        (hold, admission.unwrap())
    }

    fn sending(&self) -> Sending<'_> {
        Sending { caller: &self.caller, attempt: &self.attempt, admission: None, at_ms: NOW.wall_ms }
    }

    fn sending_of<'a>(&'a self, admission: &'a Admission) -> Sending<'a> {
        Sending { admission: Some(admission), ..self.sending() }
    }

    fn budgets(&self) -> [BudgetStanding; 2] {
        [0, 1].map(|at| self.ledger.at(NOW).of_budget(&self.world.budgets[at]))
    }

    /// What is spent and held, which is the same on both.
    fn amounts(&self) -> (u64, u64) {
        let [one, other] = self.budgets();
        assert_eq!((one.spent, one.held), (other.spent, other.held));
        (one.spent.0, one.held.0)
    }

    /// Requests, tokens, calls in flight.
    fn counts(&self) -> (u64, u64, u32) {
        let RateStanding { requests, tokens, concurrent } = self.ledger.at(NOW).of_rate_limit(&self.world.rates[0]);
        (requests.used, tokens.used, concurrent)
    }
}

fn scene() -> Scene {
    Scene::new([Mode::Hard; 2], None)
}

fn used(input: u64, output: u64) -> Metered {
    Metered { usage: Usage { input, output, ..Usage::default() }, source: UsageSource::Reported }
}

#[test]
fn a_hold_reserves_the_worst_case_on_each_account_once() {
    let scene = scene();
    let (hold, _admission) = scene.hold();
    assert_eq!(hold.amount(), WORST);
    assert_eq!(scene.amounts(), (0, WORST.0));
    assert_eq!(scene.counts(), (1, 200, 1), "the rate limit that key and provider share counts once");
}

#[test]
fn a_dropped_hold_frees_what_it_reserved_and_the_call_goes_on() {
    let scene = scene();
    let (hold, admission) = scene.hold();
    drop(hold);
    assert_eq!(scene.amounts(), (0, 0));
    assert_eq!(scene.counts(), (1, 0, 1));
    drop(admission);
    assert_eq!(scene.counts(), (1, 0, 0));
}

#[test]
fn a_settled_attempt_is_charged_what_it_used_on_every_account() {
    let scene = scene();
    let (hold, admission) = scene.hold();
    let charge = hold.dispatch(&scene.sending()).unwrap().settle(&used(10, 5), scene.attempt.price(), 0);
    assert_eq!((charge.cost, charge.source), (NanoUsd(50), UsageSource::Reported));
    assert_eq!((scene.amounts(), scene.counts()), ((50, 0), (1, 15, 1)));
    drop(admission);
    assert_eq!(scene.counts(), (1, 15, 0));
    assert_eq!(scene.ledger.counts().settled(UsageSource::Reported), 1);
}

#[test]
fn a_usage_beyond_the_hold_is_charged_in_full_and_counted() {
    let scene = scene();
    let charge = scene.hold().0.dispatch(&scene.sending()).unwrap().settle(&used(0, 101), scene.attempt.price(), 0);
    assert_eq!((charge.cost, scene.amounts()), (NanoUsd(1_010), (1_010, 0)));
    assert_eq!(scene.ledger.counts().exceeded(), 1);
}

#[test]
fn an_estimate_beyond_the_hold_is_charged_no_more_than_the_hold() {
    let scene = scene();
    let estimated = Metered { source: UsageSource::Estimated, ..used(0, 101) };
    let charge = scene.hold().0.dispatch(&scene.sending()).unwrap().settle(&estimated, scene.attempt.price(), 0);
    assert_eq!((charge.cost, scene.amounts()), (WORST, (WORST.0, 0)));
    assert_eq!(scene.ledger.counts().exceeded(), 0);
}

#[test]
fn a_dropped_sent_is_charged_its_whole_hold_as_abandoned() {
    let scene = scene();
    drop(scene.hold().0.dispatch(&scene.sending()).unwrap());
    assert_eq!((scene.amounts(), scene.counts()), ((WORST.0, 0), (1, 200, 0)));
    let counts = scene.ledger.counts();
    assert_eq!((counts.abandoned_nano(), counts.settled(UsageSource::Abandoned)), (WORST.0, 1));
}

#[test]
fn a_panic_between_dispatch_and_settlement_charges_once() {
    let scene = scene();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let (hold, _admission) = scene.hold();
        let _sent = hold.dispatch(&scene.sending()).unwrap();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert_eq!((scene.amounts(), scene.counts()), ((WORST.0, 0), (1, 200, 0)));
}

#[test]
fn an_abandoned_settlement_is_charged_its_whole_hold() {
    let scene = scene();
    let abandoned = Metered { source: UsageSource::Abandoned, ..used(1, 1) };
    let charge = scene.hold().0.dispatch(&scene.sending()).unwrap().settle(&abandoned, scene.attempt.price(), 0);
    assert_eq!((charge.cost, scene.amounts()), (WORST, (WORST.0, 0)));
    assert_eq!(scene.ledger.counts().abandoned_nano(), WORST.0);
}

#[test]
fn what_the_vendor_refused_is_free_but_was_a_request() {
    let scene = scene();
    scene.hold().0.dispatch(&scene.sending()).unwrap().settle_free(0);
    assert_eq!((scene.amounts(), scene.counts()), ((0, 0), (1, 0, 0)));
}

#[test]
fn a_fallback_holds_anew_and_is_no_second_request_of_its_caller() {
    let scene = scene();
    let (first, _admission) = scene.hold();
    let first = first.dispatch(&scene.sending()).unwrap();
    let (second, none) = scene.hold_as(true);
    assert!(none.is_none());
    assert_eq!((scene.amounts(), scene.counts()), ((0, 2 * WORST.0), (1, 400, 1)));
    first.settle_free(0);
    second.dispatch(&scene.sending()).unwrap().settle(&used(0, 1), scene.attempt.price(), 0);
    assert_eq!((scene.amounts(), scene.counts()), ((10, 0), (1, 1, 1)));
}

#[test]
fn a_free_operation_touches_no_account() {
    let scene = scene();
    let charge = Hold::free().dispatch(&scene.sending()).unwrap().settle(&used(5, 5), scene.attempt.price(), 0);
    assert_eq!((charge.cost, scene.amounts(), scene.counts()), (NanoUsd::ZERO, (0, 0), (0, 0, 0)));
}

#[test]
fn the_journal_has_an_attempt_before_it_is_sent_and_its_end_once() {
    let journal = Arc::new(Notebook::default());
    let scene = Scene::new([Mode::Hard; 2], Some(Arc::clone(&journal)));
    drop(scene.hold());
    assert_eq!(journal.take(), [], "nothing was sent");

    let (hold, admission) = scene.hold();
    let sent = hold.dispatch(&scene.sending_of(&admission)).unwrap();
    let notes = journal.take();
    let [Note::Opened { attempt, key, entries, .. }] = &*notes else { panic!("{notes:?}") };
    assert_eq!((attempt.run, &**key), (3, "vk0"));
    let amounts: Vec<_> = entries.iter().map(|(kind, id, _, _, amount)| (*kind, &**id, *amount)).collect();
    use store::Kind::{Budget, Requests, Tokens};
    assert_eq!(amounts, [(Budget, "b0", 1_000), (Budget, "b1", 1_000), (Requests, "r0", 1), (Tokens, "r0", 200)]);
    sent.settle(&used(3, 4), scene.attempt.price(), 0);
    let outcome = Outcome::Charged { nano: 40, tokens: 7 };
    assert_eq!(journal.take(), [Note::Closed { attempt: *attempt, outcome }]);
}

#[test]
fn where_nothing_can_be_written_a_hard_budget_sends_nothing_and_keeps_nothing() {
    let journal = Arc::new(Notebook::default());
    journal.fill(true);
    let scene = Scene::new([Mode::Soft, Mode::Hard], Some(Arc::clone(&journal)));
    let (hold, admission) = scene.hold();
    let refusal = hold.dispatch(&scene.sending()).unwrap_err();
    assert_eq!(refusal.reason, Reason::LedgerUnavailable);
    drop(admission);
    assert_eq!((scene.amounts(), scene.counts()), ((0, 0), (1, 0, 0)));
    assert_eq!((journal.take(), scene.ledger.counts().unwritten()), (Vec::new(), 1));
}

#[test]
fn where_nothing_can_be_written_soft_budgets_go_on_and_close_nothing() {
    let journal = Arc::new(Notebook::default());
    journal.fill(true);
    let scene = Scene::new([Mode::Soft; 2], Some(Arc::clone(&journal)));
    let sent = scene.hold().0.dispatch(&scene.sending()).unwrap();
    // It can be written again, but nobody would know of what it closes.
    journal.fill(false);
    sent.settle(&used(0, 2), scene.attempt.price(), 0);
    assert_eq!((journal.take(), scene.amounts()), (Vec::new(), (20, 0)));
}

#[test]
fn what_was_taken_back_is_closed_as_never_sent() {
    let journal = Arc::new(Notebook::default());
    let scene = Scene::new([Mode::Hard; 2], Some(Arc::clone(&journal)));
    scene.hold().0.dispatch(&scene.sending()).unwrap().take_back(None, 0);
    let notes = journal.take();
    assert!(matches!(&*notes, [Note::Opened { .. }, Note::Closed { outcome: Outcome::Unsent, .. }]), "{notes:?}");
    assert_eq!(scene.amounts(), (0, 0));
}

/// How many requests an attempt that was just sent tells of.
fn requests_told(journal: &Notebook) -> usize {
    let notes = journal.take();
    let Some(Note::Opened { entries, .. }) = notes.last() else { panic!("{notes:?}") };
    entries.iter().filter(|(kind, ..)| *kind == store::Kind::Requests).count()
}

#[test]
fn attempts_of_a_call_have_its_name_and_those_of_another_have_not() {
    let journal = Arc::new(Notebook::default());
    let scene = Scene::new([Mode::Hard; 2], Some(Arc::clone(&journal)));
    let (first, admission) = scene.hold();
    let first = first.dispatch(&scene.sending_of(&admission)).unwrap();
    let second = scene.hold_as(true).0.dispatch(&scene.sending_of(&admission)).unwrap();
    let (other, another) = scene.hold();
    let other = other.dispatch(&scene.sending_of(&another)).unwrap();
    let notes = journal.take();
    let [Note::Opened { attempt, .. }, _, Note::Opened { attempt: others, .. }] = &*notes else { panic!("{notes:?}") };
    assert_eq!([first.call(), second.call(), other.call()], [Some(*attempt), Some(*attempt), Some(*others)]);
    [first, second, other].into_iter().for_each(|sent| sent.settle_free(0));
    let unwritten = Scene::new([Mode::Hard; 2], None);
    let sent = unwritten.hold().0.dispatch(&unwritten.sending()).unwrap();
    assert_eq!(sent.call(), None);
    sent.settle_free(0);
}

#[test]
fn the_journal_knows_of_a_call_by_the_first_attempt_that_is_sent() {
    let journal = Arc::new(Notebook::default());
    let scene = Scene::new([Mode::Hard; 2], Some(Arc::clone(&journal)));
    let (never_sent, admission) = scene.hold();
    drop(never_sent);
    let second = scene.hold_as(true).0.dispatch(&scene.sending_of(&admission)).unwrap();
    assert_eq!(requests_told(&journal), 1, "the first attempt never told");
    let third = scene.hold_as(true).0.dispatch(&scene.sending_of(&admission)).unwrap();
    assert_eq!(requests_told(&journal), 0, "it is one request, whatever number of attempts it takes");
    second.take_back(Some(&admission), 0);
    third.settle_free(0);
    let fourth = scene.hold_as(true).0.dispatch(&scene.sending_of(&admission)).unwrap();
    assert_eq!(requests_told(&journal), 1, "what was told was taken back");
    fourth.settle_free(0);
}

#[test]
fn what_was_held_before_the_lease_lapsed_is_not_sent_under_a_hard_budget_and_is_under_a_soft_one() {
    for (mode, is_sent) in [(Mode::Hard, false), (Mode::Soft, true)] {
        let journal = Arc::new(Notebook::default());
        let scene = Scene::new([mode; 2], Some(Arc::clone(&journal)));
        let (hold, _admission) = scene.hold();
        journal.lapse();
        let dispatched = hold.dispatch(&scene.sending());
        assert_eq!(dispatched.is_ok(), is_sent);
        assert_eq!(journal.take().is_empty(), !is_sent);
        if let Err(refusal) = dispatched {
            assert_eq!(refusal.reason, Reason::LedgerUnavailable);
            assert_eq!(scene.amounts(), (0, 0));
        }
    }
}
