//! What a plan holds, for those who ask what would happen.

use std::fmt;

use super::credentials::{attempt, usable};
use super::{Attempt, Plan, Target, Weight};

const MILLIONTHS: u64 = 1_000_000;

impl Plan {
    /// The attempts that can be made at a target, one with each credential that the caller may use, and the credential's weight.
    pub fn attempts<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = (Weight, Attempt)> + 'a {
        let Target { provider, model, pinned, .. } = target;
        usable(provider, model, pinned.as_ref(), &self.caller)
            .map(|(weight, credential)| (weight, attempt(&self.pricing, target, credential)))
    }
}

/// As it is written in a configuration: `1`, `0.25`.
impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / MILLIONTHS, self.0 % MILLIONTHS);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:06}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_shown_as_it_was_written() {
        for text in ["0", "1", "0.25", "12.5", "0.000001", "1000000000"] {
            assert_eq!(Weight::from_text(text).unwrap().to_string(), text);
        }
        assert_eq!(Weight::from_text("2.50").unwrap().to_string(), "2.5");
    }
}
