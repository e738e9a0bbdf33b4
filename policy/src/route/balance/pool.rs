//! Who takes part in one choice.

use super::rendezvous::mix;
use super::{Candidate, Tier};
use crate::route::Dice;

const WHOLE: u16 = 1_000;

/// The candidates that take part in a choice, without a list of their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool<'a> {
    candidates: &'a [Candidate],
    salt: u64,
    level: Level,
}

/// Who takes part: the first of these of which there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// With a weight, and not sitting this one out.
    Weighted,
    /// Without a weight, and not sitting this one out.
    Standby,
    /// With a weight: all of them are coming back.
    WeightedReturning,
    /// Whoever is left.
    StandbyReturning,
}

/// A number that decides who sits this choice out. Thrown only where somebody is coming back.
pub(super) fn throw(candidates: &[Candidate], dice: &mut dyn Dice) -> u64 {
    let is_any_returning = candidates.iter().any(|one| one.is_usable && one.reading.share < WHOLE);
    if is_any_returning { dice.below(u64::MAX) } else { 0 }
}

impl<'a> Pool<'a> {
    pub(super) fn of(candidates: &'a [Candidate], salt: u64) -> Self {
        let levels = [Level::Weighted, Level::Standby, Level::WeightedReturning];
        let pools = levels.map(|level| Self { candidates, salt, level });
        let filled = pools.into_iter().find(|pool| pool.members().next().is_some());
        filled.unwrap_or(Self { candidates, salt, level: Level::StandbyReturning })
    }

    pub(super) fn is_weighted(&self) -> bool {
        matches!(self.level, Level::Weighted | Level::WeightedReturning)
    }

    pub(super) fn len(&self) -> usize {
        self.members().count()
    }

    pub(super) fn first(&self) -> Option<usize> {
        self.members().next().map(|(index, _)| index)
    }

    /// The members with their places in the whole list.
    pub(super) fn members(self) -> impl Iterator<Item = (usize, &'a Candidate)> {
        self.candidates.iter().enumerate().filter(move |(index, one)| self.has(*index, one))
    }

    /// One drawn by weight, other than the one named.
    pub(super) fn draw(&self, other_than: Option<usize>, dice: &mut dyn Dice) -> Option<usize> {
        let others = || self.members().filter(|(index, _)| Some(*index) != other_than);
        let total = others().map(|(_, one)| one.weight.0).fold(0, u64::saturating_add);
        let mut point = dice.below(total);
        let drawn = others().find(|(_, one)| match point.checked_sub(one.weight.0) {
            Some(rest) => {
                point = rest;
                false
            }
            None => true,
        });
        drawn.map(|(index, _)| index)
    }

    fn has(&self, index: usize, one: &Candidate) -> bool {
        let is_there = one.is_usable && Tier::of(one.reading.state) == Tier::Up;
        let has_weight = one.weight.0 > 0;
        is_there
            && match self.level {
                Level::Weighted => has_weight && self.takes_part(index, one),
                Level::Standby => !has_weight && self.takes_part(index, one),
                Level::WeightedReturning => has_weight,
                Level::StandbyReturning => true,
            }
    }

    fn takes_part(&self, index: usize, one: &Candidate) -> bool {
        let place = u64::try_from(index).unwrap_or(u64::MAX);
        one.reading.share >= WHOLE || mix(self.salt, place) % u64::from(WHOLE) < u64::from(one.reading.share)
    }
}
