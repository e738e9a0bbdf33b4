//! Headers that every request must carry (`client.required_headers`).

use regex::Regex;
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::decision::{Reason, Refusal};
use crate::provider::Secret;

/// One required header and what its value must be.
#[derive(Clone, Debug)]
pub struct RequiredHeader {
    /// The name, in lower case.
    pub name: Box<str>,
    /// What its value must be.
    pub value: HeaderRule,
}

/// What the value of a required header must be.
#[derive(Clone, Debug)]
pub enum HeaderRule {
    /// Anything, also nothing, as long as the header is there.
    Present,
    /// Just this text, which may be a proof of who calls. Compared in constant time.
    Equals(Secret),
    /// Matched from its first to its last character.
    Matches(Regex),
}

/// A pattern that is no regular expression.
#[derive(Clone, Debug, Error)]
#[error("no regular expression: {0}")]
pub struct PatternError(#[from] regex::Error);

impl HeaderRule {
    /// The rule for a pattern: `""` and `"*"` ask for presence, anything else is a regular expression for the whole value.
    ///
    /// # Errors
    /// When the pattern is no regular expression, or compiles to more than 64 KiB.
    pub fn from_pattern(pattern: &str) -> Result<Self, PatternError> {
        if pattern.is_empty() || pattern == "*" {
            return Ok(Self::Present);
        }
        let anchored = format!("^(?:{pattern})$");
        let regex = regex::RegexBuilder::new(&anchored).size_limit(64 * 1024).build()?;
        Ok(Self::Matches(regex))
    }

    fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Present => true,
            Self::Equals(expected) => expected.reveal().as_bytes().ct_eq(value.as_bytes()).into(),
            Self::Matches(regex) => regex.is_match(value),
        }
    }
}

/// Checks the required headers. `value_of` gives the value of a header by its lower-case name; a value that is no text counts as `""`.
///
/// # Errors
/// The refusal that names every missing header, or else every header with a wrong value (never the value itself).
pub fn check_required<'a>(
    required: &[RequiredHeader],
    value_of: impl Fn(&str) -> Option<&'a str>,
) -> Result<(), Refusal> {
    let names = |chosen: Vec<&RequiredHeader>| chosen.iter().map(|header| &*header.name).collect::<Vec<_>>().join(", ");
    let missing: Vec<_> = required.iter().filter(|header| value_of(&header.name).is_none()).collect();
    if !missing.is_empty() {
        let message = format!("missing required headers: {}", names(missing));
        return Err(Refusal::new(Reason::MissingRequiredHeaders, message));
    }
    let wrong: Vec<_> = required
        .iter()
        .filter(|header| !value_of(&header.name).is_some_and(|value| header.value.accepts(value)))
        .collect();
    if !wrong.is_empty() {
        let message = format!("invalid required header value: {}", names(wrong));
        return Err(Refusal::new(Reason::MissingRequiredHeaders, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<RequiredHeader> {
        let header = |name: &str, value| RequiredHeader { name: name.into(), value };
        vec![
            header("x-tenant", HeaderRule::Present),
            header("x-stage", HeaderRule::from_pattern("dev|prod").unwrap()),
            header("x-code", HeaderRule::Equals(Secret::new("s3cret"))),
        ]
    }

    fn check(headers: &[(&str, &'static str)]) -> Result<(), String> {
        check_required(&rules(), |name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
            .map_err(|refusal| refusal.message)
    }

    #[test]
    fn all_missing_headers_are_named_at_once() {
        let refused = check(&[("x-stage", "dev")]).unwrap_err();
        assert_eq!(refused, "missing required headers: x-tenant, x-code");
    }

    #[test]
    fn a_pattern_must_match_the_whole_value() {
        let all = |stage| [("x-tenant", ""), ("x-stage", stage), ("x-code", "s3cret")];
        assert!(check(&all("prod")).is_ok());
        assert_eq!(check(&all("production")).unwrap_err(), "invalid required header value: x-stage");
    }

    #[test]
    fn a_wrong_value_is_not_repeated_in_the_message() {
        let refused = check(&[("x-tenant", "a"), ("x-stage", "dev"), ("x-code", "guess")]).unwrap_err();
        assert!(!refused.contains("guess") && !refused.contains("s3cret"), "{refused}");
    }
}
