//! The only place where chance comes from.

use fastrand::Rng;
use policy::route::Dice;

/// Random numbers of the calling thread; good for spreading load, not for secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadDice;

impl Dice for ThreadDice {
    fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { fastrand::u64(0..bound) }
    }
}

/// Random numbers that are the same for the same seed, and that know whether they were asked for.
#[derive(Clone, Debug)]
pub struct SeededDice {
    rng: Rng,
    was_thrown: bool,
}

impl SeededDice {
    /// Dice that were not thrown yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), was_thrown: false }
    }

    /// Whether any number was asked for so far.
    #[must_use]
    pub const fn was_thrown(&self) -> bool {
        self.was_thrown
    }
}

impl Dice for SeededDice {
    fn below(&mut self, bound: u64) -> u64 {
        self.was_thrown = true;
        if bound == 0 { 0 } else { self.rng.u64(0..bound) }
    }
}
