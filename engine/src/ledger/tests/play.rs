//! Plays random steps on a ledger and on the plain books, and compares the two after each.

use std::sync::Arc;

use policy::decision::{LimitsLeft, Reason};
use policy::limit::{Accounts, Algorithm, Mode, Quota, RateLimit};
use policy::money::NanoUsd;
use policy::price::ModelPrice;
use policy::route::{Attempt, Caller};
use policy::snapshot::Snapshot;
use policy::usage::{Metered, Usage, UsageSource};
use policy::window::{BudgetWindow, Now};
use store::{AttemptId, Journal, Outcome, State};

use super::books::{Booked, Books, Lack, Refused, Which, Wish, Written};
use super::notebook::{Note, Notebook};
use super::step::{Pause, Step};
use super::world::{Ask, Goal, World};
use crate::hold::{Admission, Hold, Sending, Sent};
use crate::ledger::commit::Lock;
use crate::ledger::{Denied, Ledger, Meters, Request};

/// A call that the client still waits for.
struct Call {
    number: usize,
    key: Option<usize>,
    ask: Ask,
    may_clamp: bool,
    /// Once its first attempt was held: what that reserved.
    admission: Option<(Admission, Booked)>,
    /// What the journal is told of it, and whether it was.
    entries: Vec<Written>,
    is_told: bool,
}

/// An attempt under way.
struct Under {
    call: usize,
    booked: Booked,
    caller: Caller,
    attempt: Attempt,
    price: Option<ModelPrice>,
    ask: Ask,
    entries: Vec<Written>,
    /// What is left of the tightest quotas: on requests, on tokens.
    left: [Option<(u64, u64)>; 2],
    /// Under which name it is in the journal.
    written: Option<AttemptId>,
    /// Whether it told of its call.
    tells_of_call: bool,
}

/// A ledger and the books beside it.
pub(super) struct Play {
    world: World,
    snapshot: Snapshot,
    ledger: Ledger,
    notebook: Arc<Notebook>,
    books: Books,
    now: Now,
    calls: Vec<Call>,
    /// How many there have been.
    made: usize,
    holds: Vec<(Hold, Under)>,
    sents: Vec<(Sent, Under)>,
    /// What was counted: exceeded, unwritten, clamped.
    counts: [u64; 3],
}

impl Play {
    pub(super) fn new(world: World) -> Self {
        let notebook = Arc::new(Notebook::default());
        let (snapshot, journal) = (world.snapshot(), Arc::clone(&notebook) as Arc<dyn Journal>);
        let now = Now { wall_ms: 1_790_000_000_000, mono_ms: 1_790_000_000_000 };
        let (ledger, _) = Ledger::restored(&snapshot, &State::default(), Some(journal), now);
        Self {
            snapshot,
            books: Books::new(&world, now),
            world,
            ledger,
            notebook,
            now,
            calls: Vec::new(),
            made: 0,
            holds: Vec::new(),
            sents: Vec::new(),
            counts: [0; 3],
        }
    }

    pub(super) fn step(&mut self, (steady, set): Pause, step: &Step) {
        self.now.mono_ms += steady;
        self.now.wall_ms = self.now.wall_ms.saturating_add(steady).saturating_add_signed(set);
        match step.clone() {
            Step::Call { key, goal, ask, may_clamp } => {
                let may_clamp = may_clamp && ask.max_output.is_none();
                let (number, entries) = (self.made, Vec::new());
                self.made += 1;
                self.calls.push(Call { number, key, ask, may_clamp, admission: None, entries, is_told: false });
                self.hold(self.calls.len() - 1, goal);
            }
            Step::Again { call, goal } => {
                if let Some(at) = picked(&self.calls, call) {
                    self.hold(at, goal);
                }
            }
            Step::Drop { hold } => {
                if let Some(at) = picked(&self.holds, hold) {
                    let (hold, under) = self.holds.swap_remove(at);
                    drop(hold);
                    self.books.release(&under.booked);
                }
            }
            Step::Dispatch { hold, is_full } => {
                if let Some(at) = picked(&self.holds, hold) {
                    self.dispatch(at, is_full);
                }
            }
            Step::End { call } => {
                if let Some(at) = picked(&self.calls, call) {
                    self.end(at);
                }
            }
            Step::EditBudget { at, limit, mode, window } => self.edit_budget(at, limit, mode, window),
            Step::EditRate { at, limit } => self.edit_rate(at, &limit),
            over => self.over(&over),
        }
        self.compare();
    }

    /// An attempt is over.
    fn over(&mut self, step: &Step) {
        let (Step::Settle { sent, .. } | Step::SettleFree { sent } | Step::TakeBack { sent } | Step::Abandon { sent }) =
            step
        else {
            panic!("{step:?} is of another kind")
        };
        let Some(at) = picked(&self.sents, *sent) else { return };
        let (sent, under) = self.sents.swap_remove(at);
        let at_ms = self.now.wall_ms;
        let outcome = match *step {
            Step::Settle { source, input, output, .. } => self.settle(sent, &under, (source, input, output)),
            Step::SettleFree { .. } => {
                sent.settle_free(at_ms);
                self.books.settle(&under.booked, NanoUsd::ZERO, Some(0));
                Outcome::Charged { nano: 0, tokens: 0 }
            }
            Step::TakeBack { .. } => {
                let call = self.calls.iter_mut().find(|call| call.number == under.call);
                let call = call.and_then(|call| Some((&call.admission.as_ref()?.0, &mut call.is_told)));
                sent.take_back(call.as_ref().map(|(admission, _)| *admission), at_ms);
                if let Some((_, is_told)) = call {
                    *is_told &= !under.tells_of_call;
                }
                self.books.release(&under.booked);
                Outcome::Unsent
            }
            _ => {
                drop(sent);
                self.books.settle(&under.booked, under.booked.amount, None);
                Outcome::Abandoned
            }
        };
        let expected: Vec<_> = under.written.map(|attempt| Note::Closed { attempt, outcome }).into_iter().collect();
        assert_eq!(self.notebook.take(), expected, "what was opened is closed, once");
    }

    fn settle(&mut self, sent: Sent, under: &Under, (source, input, output): (UsageSource, u64, u64)) -> Outcome {
        let demand = under.ask.demand();
        let limit = under.attempt.worst_case.map_or(0, |worst| worst.output_limit());
        let limit = sent.clamped().unwrap_or(limit) * u64::from(demand.choices.max(1));
        let usage =
            Usage { input: demand.input_bound(None) * input / 100, output: limit * output / 100, ..Usage::default() };
        let charge = sent.settle(&Metered { usage, source }, under.price.as_ref(), self.now.wall_ms);
        assert_eq!(charge.source, source);
        let held = under.booked.amount;
        let is_limited = !under.booked.lines.is_empty();
        if source == UsageSource::Abandoned {
            assert_eq!(charge.cost, held);
            self.books.settle(&under.booked, held, None);
            return Outcome::Abandoned;
        }
        let cost = under.price.as_ref().map_or(NanoUsd::ZERO, |price| price.cost(&usage));
        // Nobody is charged more than was reserved because of an estimate.
        let cost = if source == UsageSource::Estimated { cost.min(held) } else { cost };
        assert!(cost <= held || input > 100 || output > 100, "the worst case is not the worst");
        assert_eq!(charge.cost, cost, "{is_limited}");
        self.counts[0] += u64::from(cost > held);
        let tokens = usage.input + usage.output;
        self.books.settle(&under.booked, cost, Some(tokens));
        Outcome::Charged { nano: cost.0, tokens }
    }

    fn hold(&mut self, call: usize, goal: Goal) {
        let (world, now, Call { key, ask, may_clamp, admission, .. }) = (&self.world, self.now, &self.calls[call]);
        let (caller, attempt, asked) = (world.caller(&self.snapshot, *key), world.attempt(goal, *ask), goal.asked());
        let (key, ask, is_admitted) = (*key, *ask, admission.is_some());
        let (worst, likely_tokens, may_clamp) = (attempt.worst_case, attempt.likely_tokens, *may_clamp);
        let before = self.standings();
        let expected =
            self.books.hold(world, &Wish { key, goal, ask, worst, likely_tokens, may_clamp, is_admitted }, now);
        let snapshot = &self.snapshot;
        let request = Request {
            more_input: 0,
            snapshot,
            caller: &caller,
            asked: &asked,
            attempt: &attempt,
            may_clamp,
            is_admitted,
            now,
        };
        self.check_order(&request);
        let probed = self.ledger.probe(&request).map_err(|denied| denied.refusal);
        assert_eq!(self.standings(), before, "what is only asked changes nothing");
        let made = self.ledger.hold(&request);
        assert_eq!(probed.as_ref().err(), made.as_ref().err().map(|denied| &denied.refusal));
        match (made, expected) {
            (Ok((hold, admission)), Ok(booked)) => {
                assert_eq!((hold.amount(), hold.clamped()), (booked.amount, booked.clamped));
                assert_eq!(admission.is_none(), is_admitted);
                self.counts[2] += u64::from(booked.clamped.is_some());
                let [entries, of_call] = self.books.written(&self.world, &booked);
                if let Some(admission) = admission {
                    self.calls[call].admission = Some((admission, booked.clone()));
                    self.calls[call].entries = of_call;
                }
                let call = self.calls[call].number;
                let price = self.world.price(goal);
                self.check_rooms(&booked);
                let left = self.left(&booked);
                let (written, tells_of_call) = (None, false);
                let under = Under { call, booked, caller, attempt, price, ask, entries, left, written, tells_of_call };
                self.holds.push((hold, under));
            }
            (Err(denied), Err(refused)) => {
                assert_told(&denied, &refused);
                assert_eq!(self.standings(), before, "what is denied changes nothing");
            }
            (made, expected) => panic!("{made:?}, expected {expected:?}"),
        }
        assert_eq!(self.notebook.take(), [], "what is not sent is not written");
    }

    /// Accounts are locked in one order, each once.
    fn check_order(&self, request: &Request<'_>) {
        let lines = self.ledger.lines(request);
        assert!(lines.iter().is_sorted_by(|one, next| one.account.number < next.account.number), "{lines:?}");
    }

    /// Right after an attempt was held, no limit that it touched is exceeded.
    fn check_rooms(&self, booked: &Booked) {
        let view = self.ledger.at(self.now);
        for line in &booked.lines {
            match line.which {
                Which::Budget(at) if self.world.budgets[at].mode == Mode::Hard => {
                    let (limit, standing) = (self.world.budgets[at].limit, view.of_budget(&self.world.budgets[at]));
                    assert!(standing.spent.saturating_add(standing.held) <= limit, "{at}: {standing:?} of {limit:?}");
                }
                Which::Budget(_) => {}
                Which::Rate(at) => {
                    let limit = &self.world.rates[at];
                    if let (Algorithm::Rolling, Some(Quota { most, window })) = (limit.algorithm, limit.requests) {
                        let made = self.books.requests_within(at, window.nominal_ms(), self.now);
                        assert!(made <= most || !line.is_counted, "{made} requests in a window of {most}");
                    }
                }
            }
        }
    }

    /// What is left of the quotas of which the smallest share is left, and how many there are of each.
    fn left(&self, booked: &Booked) -> [Option<(u64, u64)>; 2] {
        let mut tightest = [None; 2];
        for line in &booked.lines {
            let Which::Rate(at) = line.which else { continue };
            let (limit, standing) = (&self.world.rates[at], self.books.rate(&self.world, at, self.now));
            let quotas = [(limit.requests, standing.requests), (limit.tokens, standing.tokens)];
            for ((quota, standing), tightest) in quotas.into_iter().zip(&mut tightest) {
                let Some(Quota { most, .. }) = quota else { continue };
                let left = most.saturating_sub(standing.used);
                if tightest.is_none_or(|(other, of)| left * of < other * most) {
                    *tightest = Some((left, most));
                }
            }
        }
        tightest
    }

    fn dispatch(&mut self, at: usize, is_full: bool) {
        let (hold, mut under) = self.holds.swap_remove(at);
        self.notebook.fill(is_full);
        let at_ms = self.now.wall_ms;
        let mut call = self.calls.iter_mut().find(|call| call.number == under.call);
        let admission = call.as_ref().and_then(|call| Some(&call.admission.as_ref()?.0));
        let sent = hold.dispatch(&Sending { caller: &under.caller, attempt: &under.attempt, admission, at_ms });
        let notes = self.notebook.take();
        let is_limited = !under.booked.lines.is_empty();
        self.counts[1] += u64::from(is_limited && is_full);
        match sent {
            Ok(sent) => {
                assert!(!(is_full && under.booked.is_hard), "it is sent though it is not written down");
                if is_limited && !is_full {
                    let [Note::Opened { attempt, at_ms: noted_ms, key, entries }] = &*notes else {
                        panic!("{notes:?}")
                    };
                    if let Some(call) = call.as_mut().filter(|call| call.admission.is_some() && !call.is_told) {
                        (call.is_told, under.tells_of_call) = (true, true);
                        under.entries.extend(call.entries.iter().cloned());
                    }
                    under.entries.sort();
                    let id = under.caller.key.as_ref().map_or("", |key| key.id.as_str());
                    assert_eq!((&**key, *noted_ms, entries), (id, at_ms, &under.entries));
                    under.written = Some(*attempt);
                } else {
                    assert_eq!(notes, []);
                }
                let LimitsLeft { requests, tokens } = sent.left();
                let told = [requests, tokens].map(|quota| quota.as_ref().map(|quota| (quota.left, quota.most)));
                for (told, expected) in told.into_iter().zip(under.left) {
                    assert_eq!(told.is_some(), expected.is_some());
                    // Of two quotas with the same share left either may be told.
                    let is_same = |((left, of), (other, most)): ((u64, u64), (u64, u64))| left * most == other * of;
                    assert!(told.zip(expected).is_none_or(is_same), "{told:?}, expected {expected:?}");
                }
                self.sents.push((sent, under));
            }
            Err(refusal) => {
                assert!(is_full && under.booked.is_hard, "{refusal:?}");
                assert_eq!((refusal.reason, notes), (Reason::LedgerUnavailable, Vec::new()));
                self.books.release(&under.booked);
            }
        }
    }

    fn end(&mut self, at: usize) {
        if let Some((admission, first)) = self.calls.swap_remove(at).admission {
            drop(admission);
            self.books.leave(&first);
        }
    }

    fn edit_budget(&mut self, at: usize, limit: NanoUsd, mode: Mode, window: Option<BudgetWindow>) {
        let at = at % self.world.budgets.len();
        let budget = &mut self.world.budgets[at];
        (budget.limit, budget.mode) = (limit, mode);
        if let Some(window) = window {
            budget.window = window;
        }
        self.books.excuse(at);
        self.snapshot = self.world.snapshot();
    }

    fn edit_rate(&mut self, at: usize, limit: &RateLimit) {
        if let Some(at) = picked(&self.world.rates, at) {
            let id = self.world.rates[at].id.clone();
            self.world.rates[at] = RateLimit { id, ..limit.clone() };
            self.snapshot = self.world.snapshot();
        }
    }

    /// What stands on all accounts, as the ledger says.
    fn standings(&self) -> (Vec<policy::limit::BudgetStanding>, Vec<policy::limit::RateStanding>) {
        let view = self.ledger.at(self.now);
        let budgets = self.world.budgets.iter().map(|one| view.of_budget(one)).collect();
        (budgets, self.world.rates.iter().map(|one| view.of_rate_limit(one)).collect())
    }

    fn compare(&self) {
        let (budgets, rates) = self.standings();
        for (at, standing) in budgets.into_iter().enumerate() {
            let budget = &self.world.budgets[at];
            assert_eq!(standing, self.books.budget(&self.world, at, self.now), "budget {at}");
            assert_eq!(self.in_all(at), self.books.in_all(at), "charged and reserved in all on budget {at}");
            assert!(
                standing.spent <= budget.limit || self.books.is_excused(at),
                "budget {at} is overspent: {standing:?}"
            );
        }
        for (at, standing) in rates.into_iter().enumerate() {
            assert_eq!(standing, self.books.rate(&self.world, at, self.now), "rate limit {at}");
        }
        let counts = self.ledger.counts();
        assert_eq!([counts.exceeded(), counts.unwritten(), counts.clamped()], self.counts);
    }

    fn in_all(&self, at: usize) -> (NanoUsd, NanoUsd) {
        let account = self.ledger.accounts.find_budget(&self.world.budgets[at].id);
        account.map_or_else(Default::default, |account| match &*account.lock() {
            Meters::Budget(spending) => (spending.total(), spending.held_in_all()),
            Meters::Rate(_) => panic!("a budget's account is none"),
        })
    }

    /// Ends all that is under way, in no good order, and looks whether anything stays.
    pub(super) fn finish(mut self) {
        for number in 0.. {
            match number % 3 {
                0 if !self.calls.is_empty() => self.end(0),
                1 if !self.holds.is_empty() => self.step((0, 0), &Step::Drop { hold: number }),
                2 if !self.sents.is_empty() => self.step((0, 0), &Step::Abandon { sent: number }),
                _ if self.calls.is_empty() && self.holds.is_empty() && self.sents.is_empty() => break,
                _ => {}
            }
        }
        self.compare();
        for (at, budget) in self.world.budgets.iter().enumerate() {
            assert_eq!(self.ledger.at(self.now).of_budget(budget).held, NanoUsd::ZERO);
            assert_eq!(self.in_all(at).1, NanoUsd::ZERO, "something stays held on budget {at}");
        }
        for limit in &self.world.rates {
            let standing = self.ledger.at(self.now).of_rate_limit(limit);
            assert_eq!((standing.concurrent, standing.tokens.held), (0, 0), "somebody stays in flight on {}", limit.id);
        }
    }
}

/// A denial says whose account is short, and the worst of what is lacking there.
fn assert_told(denied: &Denied, refused: &Refused) {
    let reason = denied.refusal.reason;
    match refused {
        Refused::Unpriced => assert_eq!((reason, denied.is_callers), (Reason::ModelUnpriced, false)),
        Refused::Short { is_callers, lacks } => {
            assert_eq!(denied.is_callers, *is_callers, "{denied:?}, {lacks:?}");
            let worst = lacks.iter().max().unwrap();
            let allowed: Vec<Reason> = match worst {
                Lack::Limited { .. } => lacks.iter().filter_map(|lack| of_rate(*lack)).collect(),
                Lack::Spent => vec![Reason::BudgetExceeded],
                Lack::Reserved => vec![Reason::BudgetReserved],
                Lack::Crowded => vec![Reason::ConcurrencyLimited],
            };
            assert!(allowed.contains(&reason), "{reason:?}, {lacks:?}");
        }
    }
}

fn of_rate(lack: Lack) -> Option<Reason> {
    match lack {
        Lack::Limited { requests: true, tokens: true } => Some(Reason::RateLimited),
        Lack::Limited { requests: true, .. } => Some(Reason::RequestLimited),
        Lack::Limited { .. } => Some(Reason::TokenLimited),
        _ => None,
    }
}

fn picked<T>(of: &[T], number: usize) -> Option<usize> {
    number.checked_rem(of.len())
}
