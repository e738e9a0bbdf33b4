//! The power of two choices: of two drawn by weight, the one that costs less.

use super::pool::Pool;
use crate::route::Dice;
use crate::route::health::{Reading, State};

/// From here on downwards, what a vendor says is left of its limits makes it dearer.
const AMPLE_HEADROOM: u16 = 200;

/// Two members drawn by weight; the one that costs less.
pub(super) fn cheaper_of_two(pool: &Pool<'_>, dice: &mut dyn Dice) -> Option<usize> {
    let first = pool.draw(None, dice)?;
    let Some(second) = pool.draw(Some(first), dice) else {
        return Some(first);
    };
    let reading = |index: usize| pool.members().find(|(place, _)| *place == index).map(|(_, one)| one.reading);
    let unseen_us = pool.members().map(|(_, one)| one.reading.latency_us).filter(|latency| *latency > 0).min();
    let rank =
        |index: usize| reading(index).map(|reading| (!waits_for_probe(reading), cost(reading, unseen_us.unwrap_or(1))));
    Some(if rank(second) < rank(first) { second } else { first })
}

/// Somebody has to make the one call that shows whether it is back.
fn waits_for_probe(reading: Reading) -> bool {
    reading.state == State::Probe
}

/// latency² × (calls that wait for content + 1) × (1 + 4 × errors) × (1 + 4 × lack of headroom), the last two in
/// thousandths.
///
/// A latency never seen is the lowest of the others', so that it is tried. Lack of headroom goes from 0 where a fifth of
/// the vendor's limits is left to 1 where nothing is.
fn cost(reading: Reading, unseen_us: u64) -> u128 {
    let latency_us = if reading.latency_us == 0 { unseen_us } else { reading.latency_us };
    // More than an hour is as good as an hour, and its square leaves room for the rest.
    let latency = u128::from(latency_us.min(u64::from(u32::MAX)));
    let waiting = u128::from(reading.waiting) + 1;
    let errors = 1_000 + 4 * u128::from(reading.errors.min(1_000));
    let lack = u128::from(AMPLE_HEADROOM.saturating_sub(reading.headroom)) * 1_000 / u128::from(AMPLE_HEADROOM);
    latency * latency * waiting * errors * (1_000 + 4 * lack)
}
