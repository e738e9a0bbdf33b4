//! The plain model: every charge and every reservation in a list, added up anew whenever somebody asks.

mod budget;
mod count;

use std::collections::BTreeMap;

use policy::limit::{Budget, BudgetStanding, Mode, Quota, RateLimit, RateStanding};
use policy::money::NanoUsd;
use policy::price::WorstCase;
use policy::settings::Settings;
use policy::window::Now;
use store::Kind;

use super::world::{Ask, Goal, World};
use budget::BudgetBook;
use count::{CountBook, Counted};

/// Which account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Which {
    Budget(usize),
    Rate(usize),
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Books {
    budgets: BTreeMap<usize, BudgetBook>,
    rates: BTreeMap<usize, RateBook>,
    attempts: u64,
}

#[derive(Debug, Default)]
struct RateBook {
    requests: CountBook,
    tokens: CountBook,
    inside: u32,
}

/// What an attempt wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) key: Option<usize>,
    pub(super) goal: Goal,
    pub(super) ask: Ask,
    pub(super) worst: Option<WorstCase>,
    pub(super) likely_tokens: u64,
    pub(super) may_clamp: bool,
    pub(super) is_admitted: bool,
}

/// What an attempt reserved.
#[derive(Clone, Debug)]
pub(super) struct Booked {
    pub(super) number: u64,
    pub(super) lines: Vec<BookedLine>,
    pub(super) amount: NanoUsd,
    pub(super) clamped: Option<u64>,
    pub(super) is_hard: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct BookedLine {
    pub(super) which: Which,
    is_callers: bool,
    /// As a request, and as one in flight.
    pub(super) is_counted: bool,
}

/// What the journal is told of a line: kind, id, start and length of the slice, amount.
pub(super) type Written = (Kind, String, u64, u64, u64);

/// Why an account is short, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lack {
    Reserved,
    Crowded,
    Limited { requests: bool, tokens: bool },
    Spent,
}

/// Why an attempt cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Unpriced,
    /// One side's accounts, each with what it lacks; the caller's if any of them is short.
    Short {
        is_callers: bool,
        lacks: Vec<Lack>,
    },
}

impl Books {
    /// Books in which each budget begins now.
    pub(super) fn new(world: &World, now: Now) -> Self {
        let begun = |(at, budget): (usize, &Budget)| (at, BudgetBook::new(&budget.window, now.wall_ms));
        Self { budgets: world.budgets.iter().enumerate().map(begun).collect(), ..Self::default() }
    }

    /// The accounts that an attempt touches, each once, and whether they are the caller's.
    fn touched(world: &World, wish: &Wish) -> BTreeMap<Which, bool> {
        let key = wish.key.map(|at| &world.keys[at]);
        let team = key.and_then(|key| key.team).map(|at| &world.teams[at]);
        let customer = key.and_then(|key| key.customer).or_else(|| team?.customer).map(|at| &world.customers[at]);
        let callers = [key.map(|key| &key.hung), team.map(|team| &team.hung), customer];
        let provider = wish.goal.provider;
        let names = wish.goal.names();
        let of_model =
            world.models.iter().filter(|((of, name), _)| names.contains(name) && of.is_none_or(|of| of == provider));
        let targets = [key.map(|key| &key.configs[provider]), Some(&world.providers[provider])];
        let mut all = BTreeMap::new();
        let callers = callers.into_iter().flatten().map(|hung| (hung, true));
        let targets = targets.into_iter().flatten().chain(of_model.map(|(_, hung)| hung)).map(|hung| (hung, false));
        for (hung, is_callers) in callers.chain(targets) {
            let budgets = hung.budgets.iter().map(|at| Which::Budget(*at));
            for which in budgets.chain(hung.rate.map(Which::Rate)) {
                *all.entry(which).or_default() |= is_callers;
            }
        }
        all
    }

    /// Reserves what an attempt may use.
    pub(super) fn hold(&mut self, world: &World, wish: &Wish, now: Now) -> Result<Booked, Refused> {
        let touched = Self::touched(world, wish);
        touched.keys().for_each(|which| self.touch(world, *which, now));
        let hard = |which: &Which| matches!(which, Which::Budget(at) if world.budgets[*at].mode == Mode::Hard);
        let rests = touched.keys().filter(|which| hard(which)).map(|which| self.rest(world, *which));
        let rest = rests.min();
        let (amount, clamped) = clamp(wish, rest);
        let tokens = tokens(wish, clamped);
        let lines: Vec<_> = touched
            .iter()
            .map(|(which, is_callers)| {
                let is_counted = !(*is_callers && wish.is_admitted);
                BookedLine { which: *which, is_callers: *is_callers, is_counted }
            })
            .collect();
        let lacking =
            lines.iter().filter_map(|line| Some((line.is_callers, self.lack(world, line, amount, tokens, now)?)));
        let lacking: Vec<_> = lacking.collect();
        if let Some(is_callers) = lacking.iter().map(|(is_callers, _)| *is_callers).max() {
            let of_side = lacking.into_iter().filter(|(side, _)| *side == is_callers);
            return Err(Refused::Short { is_callers, lacks: of_side.map(|(_, lack)| lack).collect() });
        }
        if wish.worst.is_none() && rest.is_some() && world.refuse_unpriced {
            return Err(Refused::Unpriced);
        }
        self.attempts += 1;
        let booked = Booked { number: self.attempts, lines, amount: NanoUsd(amount), clamped, is_hard: rest.is_some() };
        booked.lines.iter().for_each(|line| self.book(world, &booked, line, tokens, now));
        Ok(booked)
    }

    fn touch(&mut self, world: &World, which: Which, now: Now) {
        match which {
            Which::Budget(at) => {
                self.budgets.get_mut(&at).unwrap().roll(&world.budgets[at], now.wall_ms);
            }
            Which::Rate(at) => {
                let (book, limit) = (self.rates.entry(at).or_default(), &world.rates[at]);
                book.requests.roll(limit.algorithm, limit.requests, now.mono_ms);
                book.tokens.roll(limit.algorithm, limit.tokens, now.mono_ms);
            }
        }
    }

    fn rest(&self, world: &World, which: Which) -> u64 {
        match which {
            Which::Budget(at) => world.budgets[at].limit.0.saturating_sub(self.budgets[&at].spent()),
            Which::Rate(_) => u64::MAX,
        }
    }

    fn lack(&self, world: &World, line: &BookedLine, amount: u64, tokens: u64, now: Now) -> Option<Lack> {
        match line.which {
            Which::Budget(at) => {
                let (budget, rest) = (&world.budgets[at], self.rest(world, line.which));
                let is_hard = budget.mode == Mode::Hard;
                if rest == 0 || (is_hard && amount > rest) {
                    return Some(Lack::Spent);
                }
                (is_hard && self.budgets[&at].held() + amount > rest).then_some(Lack::Reserved)
            }
            Which::Rate(at) => {
                let (book, limit) = (&self.rates[&at], &world.rates[at]);
                let is_full = |counted: &CountBook, quota: Option<Quota>, need: u64| {
                    quota.is_some_and(|quota| need > 0 && counted.used(now.mono_ms) + need.min(quota.most) > quota.most)
                };
                let requests = is_full(&book.requests, limit.requests, line.is_counted.into());
                let tokens = is_full(&book.tokens, limit.tokens, tokens);
                if requests || tokens {
                    return Some(Lack::Limited { requests, tokens });
                }
                let is_crowded = line.is_counted && limit.concurrent.is_some_and(|most| book.inside >= most);
                is_crowded.then_some(Lack::Crowded)
            }
        }
    }

    fn book(&mut self, world: &World, booked: &Booked, line: &BookedLine, tokens: u64, now: Now) {
        match line.which {
            Which::Budget(at) => {
                let book = self.budgets.get_mut(&at).unwrap();
                book.reserved.insert(booked.number, (book.number, booked.amount.0));
                if world.budgets[at].mode == Mode::Soft {
                    book.excused.insert(book.number);
                }
            }
            Which::Rate(at) => {
                let (book, limit) = (self.rates.get_mut(&at).unwrap(), &world.rates[at]);
                book.inside += u32::from(line.is_counted);
                if limit.requests.is_some() && line.is_counted {
                    book.requests.count(booked.number, 1, 0, now.mono_ms);
                }
                if let Some(quota) = limit.tokens {
                    let held = tokens.min(quota.most);
                    book.tokens.count(booked.number, held, held, now.mono_ms);
                }
            }
        }
    }

    /// What the journal is to be told of an attempt.
    /// What the journal is told of an attempt, and what of its call.
    pub(super) fn written(&self, world: &World, booked: &Booked) -> [Vec<Written>; 2] {
        let [mut all, mut of_call] = [Vec::new(), Vec::new()];
        for line in &booked.lines {
            match line.which {
                Which::Budget(at) => {
                    let start_ms = self.budgets[&at].period.start_ms;
                    all.push((Kind::Budget, world.budgets[at].id.to_string(), start_ms, 0, booked.amount.0));
                }
                Which::Rate(at) => {
                    let (id, book) = (world.rates[at].id.to_string(), &self.rates[&at]);
                    let requests = book.requests.written(booked.number);
                    let tokens = book.tokens.written(booked.number);
                    let entry = |kind, (start_ms, length_ms, amount)| (kind, id.clone(), start_ms, length_ms, amount);
                    let requests = requests.map(|place| entry(Kind::Requests, place));
                    if line.is_callers { &mut of_call } else { &mut all }.extend(requests);
                    all.extend(tokens.map(|place| entry(Kind::Tokens, place)));
                }
            }
        }
        [all, of_call]
    }

    /// Nothing was sent: the attempt was none, but the call it is for was.
    pub(super) fn release(&mut self, booked: &Booked) {
        for line in &booked.lines {
            match line.which {
                Which::Budget(at) => drop(self.budgets.get_mut(&at).unwrap().reserved.remove(&booked.number)),
                Which::Rate(at) => {
                    let book = self.rates.get_mut(&at).unwrap();
                    book.tokens.settle(booked.number, Some(0));
                    if line.is_counted && !line.is_callers {
                        book.requests.counted.retain(|one| one.attempt != booked.number);
                        book.inside -= 1;
                    }
                }
            }
        }
    }

    /// Charges an attempt; tokens of `None`: those that it reserved.
    pub(super) fn settle(&mut self, booked: &Booked, cost: NanoUsd, tokens: Option<u64>) {
        for line in &booked.lines {
            match line.which {
                Which::Budget(at) => {
                    let book = self.budgets.get_mut(&at).unwrap();
                    let (window, held) = book.reserved.remove(&booked.number).unwrap();
                    book.charged.push((window, cost.0));
                    if cost.0 > held {
                        book.excused.insert(window);
                    }
                }
                Which::Rate(at) => {
                    let book = self.rates.get_mut(&at).unwrap();
                    book.tokens.settle(booked.number, tokens);
                    if line.is_counted && !line.is_callers {
                        book.inside -= 1;
                    }
                }
            }
        }
    }

    /// The call is over whose first attempt this was.
    pub(super) fn leave(&mut self, first: &Booked) {
        for line in first.lines.iter().filter(|line| line.is_callers) {
            if let Which::Rate(at) = line.which {
                self.rates.get_mut(&at).unwrap().inside -= 1;
            }
        }
    }

    /// A limit was changed: what was charged before may be more than it.
    pub(super) fn excuse(&mut self, at: usize) {
        let book = self.budgets.get_mut(&at).unwrap();
        book.excused.insert(book.number);
    }

    /// Whether more than the limit may stand on a budget.
    pub(super) fn is_excused(&self, at: usize) -> bool {
        let book = &self.budgets[&at];
        book.excused.contains(&book.number)
    }

    pub(super) fn budget(&self, world: &World, at: usize, now: Now) -> BudgetStanding {
        let mut book = self.budgets[&at].clone_without_past();
        book.roll(&world.budgets[at], now.wall_ms);
        BudgetStanding { spent: NanoUsd(book.spent()), held: NanoUsd(book.held()), resets_at_ms: book.period.end_ms }
    }

    /// Charged since the beginning, and reserved in whatever window.
    pub(super) fn in_all(&self, at: usize) -> (NanoUsd, NanoUsd) {
        let book = &self.budgets[&at];
        let charged = book.charged.iter().map(|(_, amount)| amount).sum();
        let reserved = book.reserved.values().map(|(_, amount)| amount).sum();
        (NanoUsd(charged), NanoUsd(reserved))
    }

    pub(super) fn rate(&self, world: &World, at: usize, now: Now) -> RateStanding {
        let Some(book) = self.rates.get(&at) else { return RateStanding::default() };
        let limit: &RateLimit = &world.rates[at];
        RateStanding {
            requests: book.requests.standing(limit.algorithm, limit.requests, now.mono_ms),
            tokens: book.tokens.standing(limit.algorithm, limit.tokens, now.mono_ms),
            concurrent: book.inside,
        }
    }

    /// The requests of the last window of a rolling limit, to the millisecond.
    pub(super) fn requests_within(&self, at: usize, window_ms: u64, now: Now) -> u64 {
        let since = |one: &&Counted| now.mono_ms - one.at_ms < window_ms;
        self.rates[&at].requests.counted.iter().filter(since).map(|one| one.used).sum()
    }
}

/// Decision 4.2: the amount that is reserved, and the output limit that is lowered for it.
fn clamp(wish: &Wish, rest: Option<u64>) -> (u64, Option<u64>) {
    let Some(worst) = wish.worst else { return (0, None) };
    let whole = worst.amount().0;
    let Some(rest) = rest.filter(|rest| wish.may_clamp && whole > *rest) else { return (whole, None) };
    let floor = Settings::default().min_clamped_tokens;
    // The largest limit that an eighth of the rest pays for, found by trying.
    let is_affordable = |limit: &u64| worst.amount_at(*limit).0 <= rest / 8;
    let limit = binary_search(worst.output_limit(), is_affordable).max(floor);
    if limit < worst.output_limit() { (worst.amount_at(limit).0, Some(limit)) } else { (whole, None) }
}

/// The largest number up to `most` of which it is true; 0 if it is true of none.
fn binary_search(most: u64, is_true: impl Fn(&u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if is_true(&middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// The tokens that are reserved: with an output limit that was lowered, no more than that can come of each answer.
fn tokens(wish: &Wish, clamped: Option<u64>) -> u64 {
    let Some((worst, limit)) = wish.worst.zip(clamped) else { return wish.likely_tokens };
    let default = worst.output_limit().min(Settings::default().default_max_output_tokens);
    wish.likely_tokens - default.saturating_sub(limit) * u64::from(wish.ask.choices.max(1))
}
