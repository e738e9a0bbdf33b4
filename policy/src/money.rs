//! Money as integers: prices in pico-dollars per unit, amounts in nano-dollars. Nothing here is a float.

use std::fmt;
use std::iter::Sum;

const PICO_PER_NANO: u128 = 1_000;

/// A price of one unit (a token, an image, a query) in 10⁻¹² US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PicoUsd(pub u64);

/// An amount in 10⁻⁹ US dollars. Arithmetic saturates: an amount can become too large to be true, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(pub u64);

/// A sum of units × prices that is not rounded yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tally(u128);

impl PicoUsd {
    /// Reads US dollars written as a JSON number (`3e-06`), rounded up to the next pico-dollar.
    /// `None` when the text is no such number, is negative, or is too large.
    #[must_use]
    pub fn from_usd_text(text: &str) -> Option<Self> {
        scaled_decimal(text, 12).and_then(|pico| u64::try_from(pico).ok()).map(Self)
    }
}

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads US dollars written as a JSON number (`500.00`), rounded up to the next nano-dollar.
    /// `None` when the text is no such number, is negative, or is too large.
    #[must_use]
    pub fn from_usd_text(text: &str) -> Option<Self> {
        scaled_decimal(text, 9).and_then(|nano| u64::try_from(nano).ok()).map(Self)
    }

    /// The sum, or the largest amount there is.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

/// Dollars with nine decimals, as logs and error messages show them: `0.000012500`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

impl Tally {
    /// Adds `units` at `price` each.
    pub fn add(&mut self, units: u64, price: PicoUsd) {
        self.0 = self.0.saturating_add(u128::from(units) * u128::from(price.0));
    }

    /// How many more times `units` at `price` each an amount pays for, beside what is tallied: none where that alone is more, and any
    /// number of those that cost nothing.
    #[must_use]
    pub fn pays_for(self, amount: NanoUsd, units: u64, price: PicoUsd) -> u64 {
        let Some(left) = (u128::from(amount.0) * PICO_PER_NANO).checked_sub(self.0) else { return 0 };
        let each = u128::from(units) * u128::from(price.0);
        left.checked_div(each).map_or(u64::MAX, |times| u64::try_from(times).unwrap_or(u64::MAX))
    }

    /// The amount, rounded up: the one rounding that an attempt's cost sees.
    #[must_use]
    pub fn round_up(self) -> NanoUsd {
        NanoUsd(u64::try_from(self.0.div_ceil(PICO_PER_NANO)).unwrap_or(u64::MAX))
    }
}

/// Reads a non-negative decimal number with optional exponent as `value × 10^scale`, rounded up. Exact: no float is involved.
#[must_use]
pub fn scaled_decimal(text: &str, scale: i32) -> Option<u128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let value = digits.trim_start_matches('0');
    let value: u128 = if value.is_empty() { 0 } else { value.parse().ok()? };
    let shift = exponent.checked_add(scale)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let power = 10_u128.checked_pow(shift.unsigned_abs());
    match (shift >= 0, power) {
        _ if value == 0 => Some(0),
        (true, Some(power)) => value.checked_mul(power),
        (true, None) => None,
        (false, Some(power)) => Some(value.div_ceil(power)),
        (false, None) => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prices_are_read_exactly() {
        let cases = [
            ("3e-06", 3_000_000),
            ("1.25e-07", 125_000),
            ("0.06", 60_000_000_000),
            ("0", 0),
            ("5E-12", 5),
            ("1e-13", 1),
            ("0.0000025", 2_500_000),
        ];
        for (text, pico) in cases {
            assert_eq!(PicoUsd::from_usd_text(text), Some(PicoUsd(pico)), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["-1", "", "abc", "1e", "NaN", "1e400", ".5", "1,5"] {
            assert_eq!(NanoUsd::from_usd_text(text), None, "{text}");
        }
    }

    #[test]
    fn a_cost_is_rounded_up_once() {
        let mut tally = Tally::default();
        tally.add(1, PicoUsd(1));
        tally.add(1, PicoUsd(1));
        assert_eq!(tally.round_up(), NanoUsd(1));
    }

    #[test]
    fn what_is_tallied_is_paid_first() {
        let mut tally = Tally::default();
        tally.add(3, PicoUsd(1_000));
        assert_eq!(tally.pays_for(NanoUsd(2), 1, PicoUsd(0)), 0, "not even what costs nothing");
        assert_eq!(tally.pays_for(NanoUsd(3), 1, PicoUsd(0)), u64::MAX);
        assert_eq!(tally.pays_for(NanoUsd(3), 1, PicoUsd(1)), 0);
        assert_eq!(tally.pays_for(NanoUsd(5), 2, PicoUsd(500)), 2);
        assert_eq!(tally.pays_for(NanoUsd(u64::MAX), u64::MAX, PicoUsd(u64::MAX)), 0);
    }

    proptest! {
        #[test]
        fn an_amount_pays_for_that_many_and_not_for_one_more(
            tallied in any::<u32>(),
            amount in any::<u32>(),
            units in 1_u64..100,
            price in 1_u64..1_000_000,
        ) {
            let mut tally = Tally::default();
            tally.add(u64::from(tallied), PicoUsd(1_000));
            let times = tally.pays_for(NanoUsd(u64::from(amount)), units, PicoUsd(price));
            let cost = |times: u64| {
                let mut tally = tally;
                tally.add(times * units, PicoUsd(price));
                tally.round_up()
            };
            prop_assert!(times == 0 || cost(times) <= NanoUsd(u64::from(amount)));
            prop_assert!(cost(times + 1) > NanoUsd(u64::from(amount)));
        }

        #[test]
        fn whole_dollars_survive_the_round_trip(dollars in 0_u64..10_000_000) {
            let amount = NanoUsd::from_usd_text(&dollars.to_string());
            prop_assert_eq!(amount, Some(NanoUsd(dollars * 1_000_000_000)));
        }

        #[test]
        fn rounding_never_loses_money(units in any::<u32>(), price in any::<u32>()) {
            let mut tally = Tally::default();
            tally.add(u64::from(units), PicoUsd(u64::from(price)));
            let exact = u128::from(units) * u128::from(price);
            prop_assert!(u128::from(tally.round_up().0) * 1000 >= exact);
            prop_assert!(u128::from(tally.round_up().0) * 1000 < exact + 1000);
        }
    }
}
