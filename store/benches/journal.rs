//! What writing an attempt down costs, while the writer does its work beside it.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use store::{AttemptId, Closed, Entry, FileJournal, Journal, Kind, Opened, Outcome, Store};

const NOW: u64 = 1_795_000_000_000;

const IDS: [&str; 8] = [
    "vk-budget-daily",
    "vk-budget-monthly",
    "vk-rate-limit",
    "team-budget",
    "team-rate-limit",
    "customer-budget",
    "provider-budget",
    "model-budget",
];

/// Makes up attempts, and ends again what it opened: what stays open is carried from fold to fold.
struct Caller {
    journal: Arc<FileJournal>,
    run: u64,
    next: Cell<u64>,
    opened: RefCell<Vec<AttemptId>>,
}

impl Caller {
    fn next(&self) -> AttemptId {
        self.next.set(self.next.get() + 1);
        AttemptId { run: self.run, number: self.next.get() }
    }

    fn open(&self, attempt: AttemptId, entries: &[Entry<'_>]) {
        let (key, provider, model) = ("vk-0123456789", "openai", "gpt-4o-mini");
        let opened = Opened { attempt, call: 0, at_ms: NOW, key, provider, model, entries };
        self.journal.open(black_box(&opened)).unwrap();
    }

    fn close(&self, attempt: AttemptId) {
        let outcome = Outcome::Charged { nano: 1_234, tokens: 567 };
        self.journal.close(black_box(Closed { attempt, at_ms: NOW, outcome }));
    }

    /// One that is to be opened, in place of one that is over.
    fn replace(&self) -> AttemptId {
        let mut opened = self.opened.borrow_mut();
        if opened.len() > 1_000 {
            opened.drain(..).for_each(|attempt| self.close(attempt));
        }
        let attempt = self.next();
        opened.push(attempt);
        attempt
    }
}

fn entries(count: usize) -> Vec<Entry<'static>> {
    let entry = |id| Entry { kind: Kind::Budget, id, start_ms: 1_793_000_000_000, length_ms: 0, amount: 1_234_567 };
    IDS.into_iter().take(count).map(entry).collect()
}

fn journal(bench: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (store, state) = Store::open(folder.path(), NOW).unwrap();
    let (next, opened) = (Cell::new(0), RefCell::default());
    let caller = Caller { journal: store.journal(), run: state.run, next, opened };
    for count in [1, 4, 8] {
        let entries = entries(count);
        bench.bench_function(&format!("open with {count} entries"), |bencher| {
            let open = |attempt| caller.open(attempt, &entries);
            bencher.iter_batched(|| caller.replace(), open, BatchSize::SmallInput);
        });
    }
    let entries = entries(8);
    bench.bench_function("close", |bencher| {
        let opened = || {
            let attempt = caller.next();
            caller.open(attempt, &entries);
            attempt
        };
        bencher.iter_batched(opened, |attempt| caller.close(attempt), BatchSize::SmallInput);
    });
}

/// A fold of what 1,000 calls with eight entries left, its transaction and its syncs included.
fn fold(bench: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (store, state) = Store::open(folder.path(), NOW).unwrap();
    let caller = Caller { journal: store.journal(), run: state.run, next: Cell::new(0), opened: RefCell::default() };
    let entries = entries(8);
    bench.bench_function("fold 1,000 calls", |bencher| {
        let calls = || {
            for _ in 0..1_000 {
                let attempt = caller.next();
                caller.open(attempt, &entries);
                caller.close(attempt);
            }
        };
        bencher.iter_batched(calls, |()| store.flush().unwrap(), BatchSize::PerIteration);
    });
}

fn brief() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
}

criterion_group!(name = benches; config = brief(); targets = journal, fold);
criterion_main!(benches);
