//! Random lives of a store against a plain model of what it is meant to keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;

use super::world::{NOW, World, scratch};
use crate::journal::{Journal, record};
use crate::{
    Amount, AttemptId, Attempted, Began, BudgetState, Closed, Kind, Opened, Outcome, Page, SliceState, State, read,
};
use proptest::prelude::*;

/// One step of a life.
#[derive(Clone, Debug)]
enum Step {
    Open(u64, Vec<Amount>),
    Close(u64, Outcome),
    /// What is in the segment already, once more.
    Again(usize),
    Write,
    Fold,
    Flush,
    Void(u64),
    Adopt(usize, usize),
    /// The process ends, and so many thousandths of the last segment are there.
    Crash(usize),
    /// The process ends after a fold was kept, and before the segment was deleted.
    CrashInFold,
}

const BUDGETS: [&str; 3] = ["b0", "b1", "b2"];
const WINDOWS: [&str; 2] = ["1d", "1M"];

fn amounts() -> impl Strategy<Value = Amount> {
    let budget = (0..3_usize, 1..4_u64, 0..100_u64).prop_map(|(budget, window, amount)| Amount {
        kind: Kind::Budget,
        id: BUDGETS[budget].to_owned(),
        start_ms: window * 100,
        length_ms: 0,
        amount,
    });
    let rate = (any::<bool>(), 0..2_u64, 1..9_u64).prop_map(|(is_tokens, slice, amount)| Amount {
        kind: if is_tokens { Kind::Tokens } else { Kind::Requests },
        id: "r".to_owned(),
        start_ms: NOW + slice * 1_000,
        length_ms: 1_000,
        amount,
    });
    prop_oneof![2 => budget, 1 => rate]
}

fn steps() -> impl Strategy<Value = Step> {
    let outcomes = prop_oneof![
        4 => (0..100_u64, 0..9_u64).prop_map(|(nano, tokens)| Outcome::Charged { nano, tokens }),
        1 => Just(Outcome::Abandoned),
        1 => Just(Outcome::Unsent),
    ];
    prop_oneof![
        12 => (0..40_u64, prop::collection::vec(amounts(), 0..4)).prop_map(|(number, amounts)| Step::Open(number, amounts)),
        10 => (0..40_u64, outcomes).prop_map(|(number, outcome)| Step::Close(number, outcome)),
        3 => (0..30_usize).prop_map(Step::Again),
        3 => Just(Step::Write),
        1 => Just(Step::Fold),
        2 => Just(Step::Flush),
        3 => (0..40_u64).prop_map(Step::Void),
        1 => (0..3_usize, 0..2_usize).prop_map(|(budget, window)| Step::Adopt(budget, window)),
        1 => (0..=1000_usize).prop_map(Step::Crash),
        1 => Just(Step::CrashInFold),
    ]
}

/// A record of the journal.
#[derive(Clone, Debug)]
enum Record {
    Opened(Attempted),
    Closed(Closed),
}

/// What is meant to be kept: each record in turn, with nothing forgotten.
#[derive(Clone, Debug, Default)]
struct Books {
    budgets: BTreeMap<String, BudgetState>,
    slices: BTreeMap<(Kind, String, u64, u64), u64>,
    open: BTreeMap<AttemptId, Attempted>,
    seen: BTreeSet<AttemptId>,
    /// With whether the charge was taken back.
    abandoned: BTreeMap<AttemptId, (Attempted, bool)>,
}

impl Books {
    fn note(&mut self, record: &Record) {
        match record {
            Record::Opened(attempted) if self.seen.insert(attempted.attempt) => {
                attempted.amounts.iter().filter(|amount| amount.kind == Kind::Requests).for_each(|amount| {
                    *self.slice(amount) += amount.amount;
                });
                self.open.insert(attempted.attempt, attempted.clone());
            }
            Record::Opened(_) => {}
            Record::Closed(closed) => {
                if let Some(attempted) = self.open.remove(&closed.attempt) {
                    self.settle(attempted, closed.outcome);
                }
            }
        }
    }

    fn settle(&mut self, attempted: Attempted, outcome: Outcome) {
        for amount in &attempted.amounts {
            match (amount.kind, outcome) {
                (Kind::Budget, Outcome::Charged { nano, .. }) => self.charge(amount, nano),
                (Kind::Budget, Outcome::Abandoned) => self.charge(amount, amount.amount),
                (Kind::Tokens, Outcome::Charged { tokens, .. }) => *self.slice(amount) += tokens,
                (Kind::Tokens, Outcome::Abandoned) => *self.slice(amount) += amount.amount,
                (Kind::Requests, Outcome::Unsent) => *self.slice(amount) -= amount.amount,
                _ => {}
            }
        }
        if outcome == Outcome::Abandoned {
            self.abandoned.insert(attempted.attempt, (attempted, false));
        }
    }

    fn charge(&mut self, amount: &Amount, nano: u64) {
        let budget = self.budget(&amount.id);
        budget.total_nano += nano;
        if amount.start_ms > budget.window_ms {
            (budget.window_ms, budget.spent_nano) = (amount.start_ms, 0);
        }
        if amount.start_ms == budget.window_ms && amount.start_ms > 0 {
            budget.spent_nano += nano;
        }
    }

    fn abandon_all(&mut self) {
        while let Some((_, attempted)) = self.open.pop_first() {
            self.settle(attempted, Outcome::Abandoned);
        }
    }

    fn void(&mut self, attempt: AttemptId) -> bool {
        let Some((attempted, is_voided)) = self.abandoned.get_mut(&attempt) else { return false };
        if std::mem::replace(is_voided, true) {
            return false;
        }
        for amount in attempted.clone().amounts {
            match amount.kind {
                Kind::Budget => {
                    let budget = self.budget(&amount.id);
                    budget.total_nano -= amount.amount;
                    if budget.window_ms == amount.start_ms && amount.start_ms > 0 {
                        budget.spent_nano -= amount.amount;
                    }
                }
                Kind::Tokens => *self.slice(&amount) -= amount.amount,
                Kind::Requests => {}
            }
        }
        true
    }

    fn adopt(&mut self, began: &Began) {
        let budget = self.budget(&began.id);
        if budget.window == began.window {
            return;
        }
        let is_changed = !budget.window.is_empty();
        (budget.window, budget.began_ms) = (began.window.clone(), began.began_ms);
        if is_changed {
            (budget.window_ms, budget.spent_nano) = (0, 0);
            let amounts = self.open.values_mut().flat_map(|attempted| &mut attempted.amounts);
            amounts
                .filter(|amount| amount.kind == Kind::Budget && amount.id == began.id)
                .for_each(|amount| amount.start_ms = 0);
        }
    }

    fn budget(&mut self, id: &str) -> &mut BudgetState {
        self.budgets.entry(id.to_owned()).or_insert_with(|| BudgetState { id: id.to_owned(), ..BudgetState::default() })
    }

    fn slice(&mut self, amount: &Amount) -> &mut u64 {
        self.slices.entry((amount.kind, amount.id.clone(), amount.length_ms, amount.start_ms)).or_default()
    }

    fn check(&self, found: &State) {
        assert_eq!(found.budgets, self.budgets.values().cloned().collect::<Vec<_>>());
        let used = |slices: Vec<SliceState>| -> BTreeMap<_, _> {
            let parts = slices.into_iter().filter(|slice| slice.used > 0);
            parts.map(|slice| ((slice.kind, slice.id, slice.length_ms, slice.start_ms), slice.used)).collect()
        };
        let expected = self.slices.iter().filter(|(_, used)| **used > 0);
        assert_eq!(used(found.slices.clone()), expected.map(|(slice, used)| (slice.clone(), *used)).collect());
    }
}

/// A life under way: what is folded, what is in the segment, what is queued.
struct Life {
    world: World,
    run: u64,
    folded: Books,
    segment: Vec<(Record, usize)>,
    queue: Vec<Closed>,
}

impl Life {
    fn step(mut self, step: Step) -> Self {
        match step {
            Step::Open(number, amounts) => self.open(number, amounts),
            Step::Close(number, outcome) => self.close(Closed { attempt: self.id(number), at_ms: NOW, outcome }),
            Step::Again(place) => match self.segment.get(place).map(|(record, _)| record.clone()) {
                Some(Record::Opened(attempted)) => self.open(attempted.attempt.number, attempted.amounts),
                Some(Record::Closed(closed)) => self.close(closed),
                None => {}
            },
            Step::Write => self.write(),
            Step::Fold => {
                self.world.bookkeeper.fold().unwrap();
                self.fold();
            }
            Step::Flush => self.flush(),
            Step::Void(number) => {
                let attempt = self.id(number);
                self.flush();
                let voided = self.world.bookkeeper.void(attempt, NOW).unwrap();
                assert_eq!(voided.is_some(), self.folded.void(attempt));
            }
            Step::Adopt(budget, window) => self.adopt(budget, window),
            Step::Crash(thousandths) => return self.crash(thousandths),
            Step::CrashInFold => return self.crash_in_fold(),
        }
        self
    }

    fn id(&self, number: u64) -> AttemptId {
        AttemptId { run: self.run, number }
    }

    fn open(&mut self, number: u64, amounts: Vec<Amount>) {
        let attempt = self.id(number);
        // An attempt is not remembered for ever: what is folded and over could be opened again.
        if self.folded.seen.contains(&attempt) && !self.folded.open.contains_key(&attempt) {
            return;
        }
        let attempted = Attempted { attempt, at_ms: NOW, amounts, ..Attempted::default() };
        let entries: Vec<_> = attempted.amounts.iter().map(Amount::entry).collect();
        let opened = Opened { attempt, call: 0, at_ms: NOW, key: "", provider: "", model: "", entries: &entries };
        self.world.bookkeeper.journal().open(&opened).unwrap();
        let mut bytes = Vec::new();
        record::write_opened(&mut bytes, &opened).unwrap();
        self.segment.push((Record::Opened(attempted.clone()), bytes.len()));
    }

    fn close(&mut self, closed: Closed) {
        self.world.bookkeeper.journal().close(closed);
        self.queue.push(closed);
    }

    fn write(&mut self) {
        self.world.bookkeeper.pen().write_ends().unwrap();
        for closed in self.queue.drain(..) {
            let mut bytes = Vec::new();
            record::write_closed(&mut bytes, &closed).unwrap();
            self.segment.push((Record::Closed(closed), bytes.len()));
        }
    }

    fn fold(&mut self) {
        self.segment.drain(..).for_each(|(record, _)| self.folded.note(&record));
        let standing = read(&self.world.folder).unwrap().state;
        self.folded.check(&standing);
    }

    fn flush(&mut self) {
        self.write();
        self.world.bookkeeper.flush().unwrap();
        self.fold();
    }

    fn adopt(&mut self, budget: usize, window: usize) {
        let began = Began { id: BUDGETS[budget].to_owned(), window: WINDOWS[window].to_owned(), began_ms: 50 };
        self.flush();
        self.world.bookkeeper.adopt(std::slice::from_ref(&began)).unwrap();
        self.folded.adopt(&began);
    }

    fn crash(mut self, thousandths: usize) -> Self {
        let (path, bytes) = self.world.segments().pop().unwrap();
        let length = bytes.len() * thousandths / 1000;
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(length as u64).unwrap();
        let mut end = 0;
        self.segment.retain(|(_, bytes)| {
            end += bytes;
            end <= length
        });
        let whole: usize = self.segment.iter().map(|(_, bytes)| bytes).sum();
        let (next, state) = self.restart();
        let is_torn = whole < length;
        let strays = state.trouble.iter().filter(|line| line.contains("were not open")).count();
        assert_eq!(state.trouble.len() - strays, usize::from(is_torn), "{:?} {whole} {length}", state.trouble);
        next
    }

    fn crash_in_fold(mut self) -> Self {
        self.write();
        let files = self.world.segments();
        self.world.bookkeeper.fold().unwrap();
        files.into_iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        self.restart().0
    }

    fn restart(self) -> (Self, State) {
        let Self { world, mut folded, segment, .. } = self;
        segment.into_iter().for_each(|(record, _)| folded.note(&record));
        let before = folded.abandoned.len();
        folded.abandon_all();
        let (world, state) = world.crash();
        folded.check(&state);
        assert_eq!(state.abandoned.attempts, (folded.abandoned.len() - before) as u64);
        let life = Self { world, run: state.run, folded, segment: vec![], queue: vec![] };
        (life, state)
    }

    /// What a reader sees beside the process.
    fn check_reading(&self) {
        let mut books = self.folded.clone();
        self.segment.iter().for_each(|(record, _)| books.note(record));
        let reading = read(&self.world.folder).unwrap();
        books.check(&reading.state);
        let held = |amounts: &mut dyn Iterator<Item = &Amount>| -> u64 {
            amounts.filter(|amount| amount.kind != Kind::Requests).map(|amount| amount.amount).sum()
        };
        let expected = held(&mut books.open.values().flat_map(|attempted| &attempted.amounts));
        assert_eq!(held(&mut reading.held.iter()), expected);
    }

    fn end(mut self) {
        self.world.bookkeeper.close().unwrap();
        self.write_nothing_but_queue();
        let charges = {
            let page = Page { before: None, most: 10_000 };
            self.world.bookkeeper.abandoned(page).unwrap()
        };
        let told: BTreeMap<_, _> = charges
            .into_iter()
            .map(|charge| (charge.attempted.attempt, (charge.attempted, charge.voided_at_ms.is_some())))
            .collect();
        assert_eq!(told, self.folded.abandoned);
    }

    fn write_nothing_but_queue(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        self.segment.extend(queue.into_iter().map(|closed| (Record::Closed(closed), 0)));
        self.segment.drain(..).for_each(|(record, _)| self.folded.note(&record));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn balances_are_what_they_are_meant_to_be(steps in prop::collection::vec(steps(), 1..120)) {
        let folder = scratch();
        let (world, state) = World::recover(folder.path());
        let mut life = Life {
            world,
            run: state.run,
            folded: Books::default(),
            segment: vec![],
            queue: vec![],
        };
        for (place, step) in steps.into_iter().enumerate() {
            life = life.step(step);
            if place % 8 == 0 {
                life.check_reading();
            }
        }
        life.end();
    }
}
