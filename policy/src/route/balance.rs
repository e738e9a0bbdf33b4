//! Which of several candidates comes first: by weight, or by how they do. Integers only, so that a choice can be replayed
//! to the bit; the reasons for the formulas are in `docs/decisions/0006-balancing.md`.

mod cost;
mod pool;
mod rendezvous;

use self::pool::Pool;
use super::health::{Reading, State};
use super::{Dice, Weight};

/// How traffic is spread over what is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// By the weights alone.
    #[default]
    Weighted,
    /// By the weights and by how each one does: load, latency, errors, and what the vendor says is left.
    Adaptive,
}

/// How one call chooses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// How traffic is spread.
    pub balance: Balance,
    /// Calls with the same value go the same way while that way is there.
    pub stick_to: Option<Stick>,
}

/// What keeps calls together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stick {
    /// A session.
    Session(u64),
    /// A prompt that begins alike, so that the vendor's prompt cache is used; given up where one route would have too much.
    Prompt(u64),
}

impl Stick {
    /// The same calls kept together in another question: whoever chooses a provider and then one of its credentials with
    /// the same value would find all sessions of the first provider at its first credential.
    #[must_use]
    pub const fn within(self, question: u64) -> Self {
        match self {
            Self::Session(seed) => Self::Session(rendezvous::mix(seed, question)),
            Self::Prompt(seed) => Self::Prompt(rendezvous::mix(seed, question)),
        }
    }

    const fn seed(self) -> u64 {
        match self {
            Self::Session(seed) | Self::Prompt(seed) => seed,
        }
    }
}

/// One of those among which is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its share of traffic. Zero: only where nothing else is left, in the order in which they are given.
    pub weight: Weight,
    /// How it does.
    pub reading: Reading,
    /// Whether it may be chosen. What may not still has its place: it holds the others in theirs, so that sessions of
    /// theirs do not move.
    pub is_usable: bool,
}

/// The index of the candidate that comes first; `None` where none is usable. Asked again with that one not usable any
/// more, it gives the second, and so on.
///
/// Candidates that are up, or wait for their probe, come before marked ones, and those before the ones that are down; of
/// marked ones and of ones that are down, the first to be free again. One that is coming back takes part with the
/// probability of its share, where anything else is left, be it of weight zero.
///
/// Sessions and prompts keep to the place that a candidate has in the list: its order should only change with the
/// configuration.
pub fn pick(candidates: &[Candidate], choice: Choice, dice: &mut dyn Dice) -> Option<usize> {
    let tier = candidates.iter().filter(|one| one.is_usable).map(|one| Tier::of(one.reading.state)).min()?;
    if tier != Tier::Up {
        return first_free(candidates, tier);
    }
    // A session's own number decides when it follows a candidate that is coming back, so it moves once and stays.
    let salt = choice.stick_to.map_or_else(|| pool::throw(candidates, dice), Stick::seed);
    let pool = Pool::of(candidates, salt);
    if !pool.is_weighted() || pool.len() == 1 {
        return pool.first();
    }
    match (choice.stick_to, choice.balance) {
        (Some(Stick::Session(seed)), _) => rendezvous::home(&pool, seed),
        (Some(Stick::Prompt(seed)), _) => rendezvous::home_with_room(&pool, seed),
        (None, Balance::Weighted) => pool.draw(None, dice),
        (None, Balance::Adaptive) => cost::cheaper_of_two(&pool, dice),
    }
}

/// What comes before what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Up,
    Marked,
    Down,
}

impl Tier {
    const fn of(state: State) -> Self {
        match state {
            State::Up | State::Probe => Self::Up,
            State::Marked { .. } => Self::Marked,
            State::Down { .. } => Self::Down,
        }
    }
}

fn first_free(candidates: &[Candidate], tier: Tier) -> Option<usize> {
    let until_ms = |state| match state {
        State::Up | State::Probe => 0,
        State::Marked { until_ms, .. } | State::Down { until_ms } => until_ms,
    };
    let usable = candidates.iter().enumerate().filter(|(_, one)| one.is_usable);
    let in_tier = usable.filter(|(_, one)| Tier::of(one.reading.state) == tier);
    in_tier.min_by_key(|(_, one)| until_ms(one.reading.state)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests;
