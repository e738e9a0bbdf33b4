//! Counts as they stand in JSON: whole numbers that are not negative, also where they are written `12.0`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The largest count that a float holds exactly; anything beyond is no count of anything.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// More tokens than this in one answer are a mistake of whoever counted them.
const MAX_TOKENS: u64 = 1_000_000_000_000;

/// Reads the text of a JSON number. `None`: it is negative, broken, or too large.
pub(crate) fn read(number: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(number).ok()?;
    if let Ok(count) = text.parse() {
        return Some(count);
    }
    let float: f64 = text.parse().ok()?;
    if float.fract() != 0.0 || !(0.0..=MAX_EXACT).contains(&float) {
        return None;
    }
    // Without a fraction its text is that of an integer; there is no checked conversion.
    format!("{:.0}", float.abs()).parse().ok()
}

/// A count in a vendor's answer. Null counts as absent; what is no count makes the whole report unreadable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl Count {
    pub(crate) fn or_zero(self) -> u64 {
        self.0.unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(number) = Option::<&RawValue>::deserialize(deserializer)? else { return Ok(Self(None)) };
        let count = read(number.get().as_bytes()).filter(|count| *count <= MAX_TOKENS);
        let count = count.ok_or_else(|| D::Error::custom("no count"))?;
        Ok(Self(Some(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn counts_are_whole_and_not_negative() {
        let cases = [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("1.2e1", Some(12)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("1e400", None),
            ("12.5", None),
            ("-1", None),
            ("-1.0", None),
            ("", None),
            ("\"12\"", None),
            ("NaN", None),
        ];
        for (text, count) in cases {
            assert_eq!(read(text.as_bytes()), count, "{text}");
        }
    }
}
