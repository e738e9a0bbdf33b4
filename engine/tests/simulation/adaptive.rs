//! Adaptive balancing between upstreams of which one is ten times slower.

use engine::health::{Flight, RouteHealth};
use policy::route::balance::{Balance, Choice};

use crate::world::{Agenda, MS, SECOND, Seeded, Upstream, order};

/// How an upstream answers.
#[derive(Clone, Copy, Debug)]
enum Answers {
    /// However many calls there are, each gets its first content after half of this time, and as much again on average.
    /// Then it streams for four seconds.
    AtOnce { content_us: u64 },
    /// Four calls at a time, each for this long on average; the others wait in line. The first content comes at the end.
    InLine { service_us: u64 },
}

const WORKERS: usize = 4;

enum Event {
    Arrival,
    Content { call: usize },
    End { call: usize },
}

struct Call {
    upstream: usize,
    began_us: u64,
    flight: Option<Flight>,
}

/// When each call began, where it went, and the time to its first content.
#[derive(Clone, Copy, Debug)]
struct Record {
    began_us: u64,
    upstream: usize,
    waited_us: u64,
}

struct Simulation<'a> {
    answers: &'a dyn Fn(usize, u64) -> Answers,
    upstreams: Vec<Upstream>,
    /// Until when each worker of each upstream is busy.
    busy: Vec<[u64; WORKERS]>,
    health: RouteHealth,
    dice: Seeded,
    agenda: Agenda<Event>,
    calls: Vec<Call>,
    records: Vec<Record>,
}

impl<'a> Simulation<'a> {
    fn of(upstreams: usize, answers: &'a dyn Fn(usize, u64) -> Answers) -> Self {
        Self {
            answers,
            upstreams: (0..upstreams).map(|number| Upstream::new(&format!("upstream-{number}"), "1")).collect(),
            busy: vec![[0; WORKERS]; upstreams],
            health: RouteHealth::default(),
            dice: Seeded::new(11),
            agenda: Agenda::new(),
            calls: Vec::new(),
            records: Vec::new(),
        }
    }

    fn run(mut self, balance: Balance, per_second: u64, lasts_us: u64) -> Vec<Record> {
        self.agenda.put(0, Event::Arrival);
        while let Some((now_us, event)) = self.agenda.next() {
            match event {
                Event::Arrival if now_us < lasts_us => {
                    self.arrive(balance, now_us);
                    let next_us = now_us + self.dice.exponential(SECOND / per_second);
                    self.agenda.put(next_us, Event::Arrival);
                }
                Event::Arrival => {}
                Event::Content { call } => {
                    let call = &mut self.calls[call];
                    call.flight.as_mut().unwrap().first_content(now_us);
                    let waited_us = now_us - call.began_us;
                    self.records.push(Record { began_us: call.began_us, upstream: call.upstream, waited_us });
                }
                Event::End { call } => self.calls[call].flight.take().unwrap().succeeded(now_us),
            }
        }
        self.records
    }

    fn arrive(&mut self, balance: Balance, now_us: u64) {
        let choice = Choice { balance, stick_to: None };
        let upstream = order(&self.upstreams, &self.health, choice, &mut self.dice, now_us)[0];
        let flight = self.health.begin(self.upstreams[upstream].route(), now_us);
        let call = self.calls.len();
        self.calls.push(Call { upstream, began_us: now_us, flight });
        let (content_us, end_us) = match (self.answers)(upstream, now_us) {
            Answers::AtOnce { content_us: mean_us } => {
                let content_us = now_us + mean_us / 2 + self.dice.exponential(mean_us / 2);
                (content_us, content_us + self.dice.exponential(4 * SECOND))
            }
            Answers::InLine { service_us } => {
                let worker = self.busy[upstream].iter_mut().min().unwrap();
                *worker = now_us.max(*worker) + self.dice.exponential(service_us);
                (*worker, *worker)
            }
        };
        self.agenda.put(content_us, Event::Content { call });
        self.agenda.put(end_us, Event::End { call });
    }
}

/// The time within which 99 of a hundred calls got their first content.
fn p99(records: &[Record]) -> u64 {
    let mut waited: Vec<_> = records.iter().map(|record| record.waited_us).collect();
    waited.sort_unstable();
    waited[waited.len() * 99 / 100]
}

/// The first upstream's part of the calls, in thousandths.
fn part_of_first(records: &[Record]) -> usize {
    records.iter().filter(|record| record.upstream == 0).count() * 1_000 / records.len()
}

/// Upstreams that answer however many calls they get; the first one may be so many times slower.
fn at_once(times: u64) -> impl Fn(usize, u64) -> Answers {
    move |upstream, _| Answers::AtOnce { content_us: if upstream == 0 { times } else { 1 } * 200 * MS }
}

/// Upstreams with a line in front of them; the first one may be so many times slower.
fn in_line(times: u64) -> impl Fn(usize, u64) -> Answers {
    move |upstream, _| Answers::InLine { service_us: if upstream == 0 { times } else { 1 } * 200 * MS }
}

/// The time to the first content that 99 of a hundred calls stay within: with one of four ten times slower, and with all
/// four well.
fn slow_and_well<S, W>(slow: S, well: W, balance: Balance, per_second: u64) -> (u64, u64)
where
    S: Fn(usize, u64) -> Answers,
    W: Fn(usize, u64) -> Answers,
{
    // So long that there are thousands of calls.
    let lasts_us = 120 * SECOND + 6_000 * SECOND / per_second;
    let slow = Simulation::of(4, &slow).run(balance, per_second, lasts_us);
    let well = Simulation::of(4, &well).run(Balance::Adaptive, per_second, lasts_us);
    (p99(&slow), p99(&well))
}

#[test]
fn one_of_four_ten_times_slower_leaves_the_time_to_first_content_as_it_is() {
    for per_second in [5, 20, 100, 400] {
        let (slow, well) = slow_and_well(at_once(10), at_once(1), Balance::Adaptive, per_second);
        assert!(slow * 10 <= well * 13, "{per_second} calls a second: {slow} µs, {well} µs where all are well");
    }
}

#[test]
fn so_it_does_where_calls_wait_in_line() {
    // Three healthy ones can do sixty a second.
    for per_second in [5, 20, 30, 45] {
        let (slow, well) = slow_and_well(in_line(10), in_line(1), Balance::Adaptive, per_second);
        assert!(slow * 10 <= well * 13, "{per_second} calls a second: {slow} µs, {well} µs where all are well");
    }
}

#[test]
fn by_weight_alone_the_slow_one_makes_itself_felt() {
    let (slow, well) = slow_and_well(at_once(10), at_once(1), Balance::Weighted, 100);
    assert!(slow > well * 5, "{slow} µs, {well} µs: the simulation would not see a difference");
}

#[test]
fn a_slow_one_that_gets_well_is_used_again() {
    let well_from_us = 120 * SECOND;
    for per_second in [5, 100] {
        let answers = |upstream, now_us| {
            let is_slow = upstream == 0 && now_us < well_from_us;
            Answers::AtOnce { content_us: if is_slow { 2_000 * MS } else { 200 * MS } }
        };
        let records = Simulation::of(4, &answers).run(Balance::Adaptive, per_second, 300 * SECOND);
        let between = |from_us: u64, to_us: u64| {
            let within = records.iter().filter(|record| (from_us..to_us).contains(&record.began_us));
            part_of_first(&within.copied().collect::<Vec<_>>())
        };
        let (before, after) = (between(60 * SECOND, well_from_us), between(well_from_us + 90 * SECOND, 300 * SECOND));
        assert!(before < 20, "{per_second} calls a second: {before} thousandths while it is slow");
        assert!(after > 150, "{per_second} calls a second: {after} thousandths once it is well");
    }
}
