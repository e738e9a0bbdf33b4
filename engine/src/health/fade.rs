//! Things that fade and come back with time.

/// Half of what was is left after so long.
pub(super) const HALF_LIFE_US: u64 = 10_000_000;

/// A share below which nothing falls while it comes back, in thousandths.
pub(super) const LEAST_SHARE: u16 = 100;

/// The whole, in thousandths.
pub(super) const WHOLE: u16 = 1_000;

/// What is left of a value after some time. Between the halvings, 2⁻ˣ is taken as 1 − 0.6931 x + 0.1931 x², which is
/// never off by a hundredth, also when it is applied again and again after short times.
pub(super) fn faded(value: u64, after_us: u64) -> u64 {
    let halvings = u32::try_from(after_us / HALF_LIFE_US).unwrap_or(u32::MAX);
    let halved = value.checked_shr(halvings).unwrap_or(0);
    // Fractions in units of 2⁻³²: shifts, because every reading comes by here, and dividing 128 bits takes its time.
    let x = ((after_us % HALF_LIFE_US) << 32) / HALF_LIFE_US;
    let lost_part = (LINEAR * x - ((SQUARE * x) >> 32) * x) >> 32;
    let lost = (u128::from(halved) * u128::from(lost_part)) >> 32;
    halved.saturating_sub(u64::try_from(lost).unwrap_or(halved))
}

/// 0.6931 and 0.1931 in units of 2⁻³²: together, half is lost at 1.
const LINEAR: u64 = SQUARE + (1 << 31);
const SQUARE: u64 = (1_931 << 32) / 10_000;

/// The share of traffic, in thousandths, that something gets again some time after it came back: from a tenth up to all
/// of it.
pub(super) fn returned_share(since_us: u64, within_us: u64) -> u16 {
    if since_us >= within_us {
        return WHOLE;
    }
    let gained = u128::from(WHOLE - LEAST_SHARE) * u128::from(since_us) / u128::from(within_us);
    LEAST_SHARE.saturating_add(u16::try_from(gained).unwrap_or(WHOLE)).min(WHOLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_left_after_each_half_life() {
        let left = [0, 10, 20, 60].map(|seconds| faded(1 << 40, seconds * 1_000_000));
        assert_eq!(left, [1 << 40, 1 << 39, 1 << 38, 1 << 34]);
        assert_eq!(faded(u64::MAX, u64::MAX), 0);
        assert!(faded(1_000_000, HALF_LIFE_US / 2).abs_diff(707_107) < 7_071);
    }

    #[test]
    fn it_never_grows() {
        let left: Vec<_> = (0..4_000).map(|step| faded(u64::MAX, step * 10_000)).collect();
        assert!(left.is_sorted_by(|earlier, later| earlier > later));
    }

    #[test]
    fn many_short_times_are_as_one_long_one() {
        let left = (0..100_000).fold(1_u64 << 50, |value, _| faded(value, HALF_LIFE_US / 100_000));
        assert!(left.abs_diff(1 << 49) < 1 << 40, "{left}");
    }
}
