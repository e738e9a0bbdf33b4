//! Random steps on a rate limit on tokens, against a list of all attempts.

use std::collections::HashMap;

use proptest::prelude::*;

use super::rolling::{WINDOWS, pause, start_ms};
use super::*;

/// What may happen. Which attempt is meant is a number, modulo how many are in flight.
#[derive(Clone, Debug)]
enum Step {
    Wait((u64, u64)),
    Most(u64),
    Change(&'static str, Algorithm),
    /// An attempt, by a thread whose time is so much old.
    Attempt(u64, u64),
    Settle(usize, Option<u64>),
    /// The end of the process, and a new one whose clock was set back by so many thousandths of the window.
    Restart(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let algorithm = prop_oneof![Just(Algorithm::Rolling), Just(Algorithm::Fixed)];
    prop_oneof![
        8 => pause().prop_map(Step::Wait),
        1 => (1..200_u64).prop_map(Step::Most),
        1 => (proptest::sample::select(WINDOWS.to_vec()), algorithm).prop_map(|(window, algorithm)| Step::Change(window, algorithm)),
        12 => (prop_oneof![8 => Just(0), 1 => 0..5_u64], 0..60_u64).prop_map(|(stale, tokens)| Step::Attempt(stale, tokens)),
        8 => (any::<usize>(), prop::option::of(0..90_u64)).prop_map(|(which, used)| Step::Settle(which, used)),
        1 => prop_oneof![2 => Just(0), 1 => 0..3_000_u64].prop_map(Step::Restart),
    ]
}

/// An attempt: by which counter, when and in which slice it was counted, and as how many tokens.
#[derive(Clone, Debug)]
struct Counted {
    counter: u32,
    at_ms: u64,
    /// As the clock of its own process had it.
    first_ms: u64,
    place: (u64, u64),
    tokens: u64,
    mark: Option<PaceMark>,
}

#[derive(Debug)]
struct World {
    pace: Pace,
    limit: RateLimit,
    now_ms: u64,
    /// The counter under way, told by its number: how many there were before.
    counter: u32,
    /// When the fixed window under way began.
    fixed_ms: Option<u64>,
    all: Vec<Counted>,
}

impl World {
    fn new(window: &str, algorithm: Algorithm, now_ms: u64) -> Self {
        let limit = RateLimit { algorithm, ..limit(None, quota(100, window)) };
        Self { pace: Pace::default(), limit, now_ms, counter: 0, fixed_ms: None, all: Vec::new() }
    }

    fn quota(&self) -> Quota {
        self.limit.tokens.unwrap()
    }

    fn window_ms(&self) -> u64 {
        self.quota().window.nominal_ms()
    }

    /// The least and the most that may count: what one window has, and what one has that is a slice longer.
    fn bounds(&self) -> (u64, u64) {
        let window_ms = self.window_ms();
        let of_this = || self.all.iter().filter(|one| one.counter == self.counter);
        let sum =
            |is_in: &dyn Fn(&Counted) -> bool| of_this().filter(|one| is_in(one)).map(|one| one.tokens).sum::<u64>();
        match self.limit.algorithm {
            Algorithm::Rolling => {
                let longer_ms = window_ms + window_ms.div_ceil(12);
                (sum(&|one| one.at_ms + window_ms >= self.now_ms), sum(&|one| one.at_ms + longer_ms > self.now_ms))
            }
            Algorithm::Fixed => {
                let began_ms = self.fixed_ms.filter(|began| began + window_ms > self.now_ms);
                let exact = began_ms.map_or(0, |began| sum(&|one| one.at_ms >= began));
                (exact, exact)
            }
        }
    }

    fn compare(&self) {
        let standing = self.pace.standing(&self.limit, self.now_ms).tokens;
        let (least, most) = self.bounds();
        assert!((least..=most).contains(&standing.used), "{} is not in {least}..={most}", standing.used);
        let mut rolled = self.pace.clone();
        rolled.roll(&self.limit, self.now_ms);
        assert_eq!(rolled.standing(&self.limit, self.now_ms).tokens, standing);
        assert!(standing.held <= standing.used);
        if standing.used > 0 {
            let at = |ms| self.pace.standing(&self.limit, ms).tokens.used;
            assert_eq!(at(self.now_ms + standing.frees_in_ms - 1), standing.used);
            assert!(at(self.now_ms + standing.frees_in_ms) < standing.used);
        }
    }

    fn attempt(&mut self, stale_ms: u64, tokens: u64) {
        let thread_ms = self.now_ms.saturating_sub(stale_ms);
        let (least, most) = self.bounds();
        let need = tokens.min(self.quota().most);
        match attempt(&mut self.pace, &self.limit, slot(tokens), thread_ms) {
            Ok(mark) => {
                assert!(need == 0 || least + need <= self.quota().most, "{least} + {need} is too much");
                self.count(mark);
            }
            Err(Short::Limited { requests: false, tokens: true, wait }) => {
                assert!(stale_ms > 0 || most + need > self.quota().most, "{most} + {need} is not too much");
                self.wait_is_exact(tokens, thread_ms, wait);
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn count(&mut self, mark: PaceMark) {
        let (start_ms, length_ms, held) = mark.tokens(&self.limit).unwrap();
        if self.limit.algorithm == Algorithm::Fixed {
            let is_over = self.fixed_ms.is_none_or(|began| began + length_ms <= self.now_ms);
            // A thread may be late, but not before the last window's end.
            assert!(!is_over || self.now_ms - start_ms < 5, "a window begins with the first that is counted in it");
            assert!(is_over || self.fixed_ms == Some(start_ms));
            self.fixed_ms = Some(start_ms);
        }
        let place = (start_ms, length_ms);
        // Counted as of the newest moment that the account has seen.
        let at_ms = self.now_ms;
        self.all.push(Counted { counter: self.counter, at_ms, first_ms: at_ms, place, tokens: held, mark: Some(mark) });
    }

    fn wait_is_exact(&self, tokens: u64, thread_ms: u64, wait: Duration) {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap();
        let at = |ms: u64| attempt(&mut self.pace.clone(), &self.limit, slot(tokens), ms).is_ok();
        let standing = self.pace.standing(&self.limit, thread_ms).tokens;
        let are_reserved = standing.used - standing.held + tokens.min(self.quota().most) <= self.quota().most;
        assert!(!at(thread_ms + wait_ms - 1), "told {wait_ms}, which is too long");
        assert!(at(thread_ms + wait_ms) || are_reserved && wait_ms == 1_000, "told {wait_ms}, which is too short");
        assert!(!are_reserved || wait_ms <= 1_000);
    }

    fn settle(&mut self, which: usize, used: Option<u64>) {
        let mut in_flight: Vec<_> = self.all.iter_mut().filter(|one| one.mark.is_some()).collect();
        let Some(which) = which.checked_rem(in_flight.len()) else { return };
        let one = &mut in_flight[which];
        self.pace.settle(one.mark.take().unwrap(), used);
        one.tokens = used.unwrap_or(one.tokens);
    }

    fn change(&mut self, window: &str, algorithm: Algorithm) {
        let before = (self.quota().window, self.limit.algorithm);
        self.limit = RateLimit { algorithm, ..limit(None, quota(self.quota().most, window)) };
        if before != (self.quota().window, algorithm) {
            self.counter += 1;
            self.fixed_ms = None;
        }
        self.pace.roll(&self.limit, self.now_ms);
    }

    /// What a store would have kept: sums by slice, of whichever counter; what was in flight is charged as held.
    fn restart(&mut self, permille: u64) {
        self.now_ms = self.now_ms.saturating_sub(self.window_ms() / 1_000 * permille);
        self.pace = Pace::default();
        let mut saved: HashMap<(u64, u64), u64> = HashMap::new();
        self.all.iter().for_each(|one| *saved.entry(one.place).or_default() += one.tokens);
        saved.iter().for_each(|(place, tokens)| self.pace.restore_tokens(&self.limit, *place, *tokens, self.now_ms));
        let length_ms =
            if self.limit.algorithm == Algorithm::Fixed { self.window_ms() } else { self.window_ms().div_ceil(12) };
        for one in self.all.iter_mut().filter(|one| one.place.1 == length_ms) {
            one.counter = self.counter;
            one.at_ms = one.first_ms.min(self.now_ms);
        }
        self.all.iter_mut().for_each(|one| one.mark = None);
        self.fixed_ms = None;
        if self.limit.algorithm == Algorithm::Fixed {
            self.restart_fixed(length_ms);
        }
        self.gone_after_a_window();
    }

    /// The windows that are not over, by the new clock, go on as one, that began with the last of them.
    fn restart_fixed(&mut self, window_ms: u64) {
        let now_ms = self.now_ms;
        let began = |one: &Counted| one.place.0.min(now_ms);
        let is_alive = |one: &Counted| one.place.1 == window_ms && began(one) + window_ms > now_ms;
        self.fixed_ms = self.all.iter().filter(|one| is_alive(one)).map(began).max();
        for one in &mut self.all {
            one.at_ms = if is_alive(one) { now_ms } else { 0 };
        }
    }

    fn gone_after_a_window(&self) {
        let at = self.now_ms + self.window_ms() + self.window_ms().div_ceil(12);
        assert_eq!(self.pace.standing(&self.limit, at).tokens, QuotaStanding::default(), "whatever was saved");
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Wait((permille, ms)) => self.now_ms += self.window_ms() / 1_000 * permille + ms,
            Step::Most(most) => self.limit.tokens = Some(Quota { most, ..self.quota() }),
            Step::Change(window, algorithm) => self.change(window, algorithm),
            Step::Attempt(stale_ms, tokens) => self.attempt(stale_ms, tokens),
            Step::Settle(which, used) => self.settle(which, used),
            Step::Restart(permille) => self.restart(permille),
        }
        self.compare();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// What counts is at least what one window has, and at most what one has that is a slice longer; fixed windows are exact;
    /// changes, settlements and restarts included.
    #[test]
    fn the_account_agrees_with_the_list(
        window in proptest::sample::select(WINDOWS.to_vec()),
        is_fixed: bool,
        start_ms in start_ms(),
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let algorithm = if is_fixed { Algorithm::Fixed } else { Algorithm::Rolling };
        let mut world = World::new(window, algorithm, start_ms);
        steps.iter().for_each(|step| world.step(step));
    }
}
