//! Weighted rendezvous hashing: each candidate gets a score for a seed, the lowest wins. What one candidate scores says
//! nothing about the others, so only those move who must.

use std::cmp::Ordering;

use super::Candidate;
use super::pool::Pool;

/// A call may find up to this many quarters of a fair share at its home.
const ROOM_IN_QUARTERS: u128 = 5;

/// Binary digits of a score: two in a million are alike.
const DIGITS: u32 = 20;

/// The member where a seed is at home.
pub(super) fn home(pool: &Pool<'_>, seed: u64) -> Option<usize> {
    lowest(pool.members(), seed)
}

/// The member where a seed is at home, of those that do not have more than five quarters of their fair share of the calls
/// under way, and one.
pub(super) fn home_with_room(pool: &Pool<'_>, seed: u64) -> Option<usize> {
    let calls: u128 = pool.members().map(|(_, one)| u128::from(one.reading.in_flight)).sum();
    let weights: u128 = pool.members().map(|(_, one)| u128::from(one.weight.0)).sum();
    let has_room = |one: &Candidate| {
        let own = u128::from(one.reading.in_flight).saturating_sub(1);
        own.saturating_mul(4).saturating_mul(weights) <= ROOM_IN_QUARTERS * calls * u128::from(one.weight.0)
    };
    lowest(pool.members().filter(|(_, one)| has_room(one)), seed).or_else(|| home(pool, seed))
}

fn lowest<'a>(members: impl Iterator<Item = (usize, &'a Candidate)>, seed: u64) -> Option<usize> {
    members
        .map(|(index, one)| (index, Score::of(seed, index, one)))
        .min_by(|(_, a), (_, b)| a.cmp(b))
        .map(|(index, _)| index)
}

/// An exponentially distributed number divided by the weight: of several such, each is the lowest with the probability of
/// its weight.
#[derive(Clone, Copy, Debug)]
struct Score {
    exponential: u64,
    weight: u64,
}

impl Score {
    fn of(seed: u64, index: usize, one: &Candidate) -> Self {
        let place = u64::try_from(index).unwrap_or(u64::MAX);
        // Another number than the one by which a candidate that is coming back gets its calls.
        let drawn = mix(mix(seed, place), u64::MAX);
        Self { exponential: minus_log2(drawn), weight: one.weight.0 }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let left = u128::from(self.exponential) * u128::from(other.weight);
        left.cmp(&(u128::from(other.exponential) * u128::from(self.weight)))
    }
}

/// −log₂ of `drawn` as a fraction of 2⁶⁴, in units of 2⁻²⁰. Each squaring of the mantissa yields the next binary digit.
pub(super) fn minus_log2(drawn: u64) -> u64 {
    let drawn = drawn | 1;
    let zeros = drawn.leading_zeros();
    // From 1 up to 2, in units of 2⁻³¹.
    let mut mantissa = (drawn << zeros) >> 32;
    let mut digits: u64 = 0;
    for _ in 0..DIGITS {
        let square = mantissa * mantissa;
        let digit = square >> 63;
        mantissa = square >> (31 + digit);
        digits = (digits << 1) | digit;
    }
    // The fraction is mantissa × 2⁻¹⁻ᶻᵉʳᵒˢ.
    ((u64::from(zeros) + 1) << DIGITS) - digits
}

/// A number that looks drawn, from two others (SplitMix64's finalizer).
pub(super) const fn mix(seed: u64, value: u64) -> u64 {
    let mut mixed = seed ^ value.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
