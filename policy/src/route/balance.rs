//! Which of several candidates comes first: by weight, or by how they do.

use super::health::Reading;
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

/// The index of the candidate that comes first; `None` where there is none.
pub fn pick(candidates: &[(Weight, Reading)], _choice: Choice, dice: &mut dyn Dice) -> Option<usize> {
    let total: u64 = candidates.iter().map(|(weight, _)| weight.0).fold(0, u64::saturating_add);
    let mut point = if candidates.len() > 1 { dice.below(total) } else { 0 };
    for (index, (weight, _)) in candidates.iter().enumerate() {
        match point.checked_sub(weight.0) {
            Some(rest) => point = rest,
            None => return Some(index),
        }
    }
    candidates
        .iter()
        .enumerate()
        .max_by_key(|(index, (weight, _))| (*weight, std::cmp::Reverse(*index)))
        .map(|(index, _)| index)
}
