//! Things that fade and come back with time.

/// Half of what was is left after so long.
pub(super) const HALF_LIFE_US: u64 = 10_000_000;

/// A share below which nothing falls while it comes back, in thousandths.
pub(super) const LEAST_SHARE: u16 = 100;

/// The whole, in thousandths.
pub(super) const WHOLE: u16 = 1_000;

/// What is left of a value after some time. Straight lines between the halvings: never more than 6 % above the curve.
pub(super) fn faded(value: u64, after_us: u64) -> u64 {
    let halvings = u32::try_from(after_us / HALF_LIFE_US).unwrap_or(u32::MAX);
    let halved = value.checked_shr(halvings).unwrap_or(0);
    let rest = u128::from(after_us % HALF_LIFE_US);
    let lost = u128::from(halved) * rest / u128::from(2 * HALF_LIFE_US);
    halved.saturating_sub(u64::try_from(lost).unwrap_or(halved))
}

/// The share of traffic, in thousandths, that something gets again some time after it came back: from a tenth up to all
/// of it.
pub(super) fn returned_share(since_us: u64, within_us: u64) -> u16 {
    if since_us >= within_us {
        return WHOLE;
    }
    let gained = u128::from(WHOLE - LEAST_SHARE) * u128::from(since_us) / u128::from(within_us);
    LEAST_SHARE.saturating_add(u16::try_from(gained).unwrap_or(WHOLE)).min(WHOLE)
}
