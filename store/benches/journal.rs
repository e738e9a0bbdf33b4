//! What writing an attempt and a call down costs, while the writer does its work beside it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use store::{
    AttemptId, CallStatus, Called, Closed, Entry, FileJournal, Journal, Kind, Opened, Outcome, Store, TokenCounts,
};

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

    /// The end of an attempt and of its call.
    fn end(&self, attempt: AttemptId) {
        self.close(attempt);
        self.tell(attempt);
    }

    fn tell(&self, attempt: AttemptId) {
        self.journal.called(black_box(&call(attempt)));
    }

    /// One that is to be opened, in place of one that is over.
    fn replace(&self) -> AttemptId {
        let mut opened = self.opened.borrow_mut();
        if opened.len() > 1_000 {
            opened.drain(..).for_each(|attempt| self.end(attempt));
        }
        let attempt = self.next();
        opened.push(attempt);
        attempt
    }
}

/// A call as it is most often, of one of a few keys.
fn call(attempt: AttemptId) -> Called<'static> {
    const KEYS: [&str; 4] = ["vk-0123456789", "vk-1123456789", "vk-2123456789", "vk-3123456789"];
    Called {
        call: Some(attempt),
        at_ms: NOW + attempt.number % 60_000,
        request_id: "0195f2c1-9d1e-7c4b-8b11-0d5b0a5c9f3e".into(),
        key: KEYS[(attempt.number % 4) as usize].into(),
        team: "team-ml".into(),
        customer: "customer-acme".into(),
        provider: "openai".into(),
        credential: "main".into(),
        model: "gpt-4o-mini".into(),
        model_asked: "openai/gpt-4o-mini".into(),
        operation: "chat_completion".into(),
        dialect: "openai".into(),
        status: CallStatus::Success,
        http_status: 200,
        vendor_status: 200,
        is_priced: true,
        first_content_us: Some(345_678),
        total_us: 1_234_567,
        tokens: TokenCounts { input: 1_234, output: 567, ..TokenCounts::default() },
        total_tokens: 1_801,
        source: "reported".into(),
        cost_nano: 1_234,
        attempts: 1,
        bytes_in: 4_321,
        bytes_out: 2_345,
        ..Called::default()
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
    bench.bench_function("tell of a call", |bencher| {
        let called = Called { call: None, ..call(caller.next()) };
        bencher.iter_custom(|times| {
            blocks(times, || caller.journal.called(black_box(&called)), || store.flush().unwrap())
        });
    });
}

/// How long something takes that is done so often, in blocks; what is done after each of them does not count.
fn blocks(times: u64, work: impl Fn(), after: impl Fn()) -> Duration {
    const BLOCK: u64 = 2_000;
    let mut spent = Duration::ZERO;
    for block in 0..times.div_ceil(BLOCK) {
        let begin = Instant::now();
        (block * BLOCK..times.min((block + 1) * BLOCK)).for_each(|_| work());
        spent += begin.elapsed();
        after();
    }
    spent
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
                caller.end(attempt);
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
