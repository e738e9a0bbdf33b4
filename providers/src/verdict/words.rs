//! The words by which vendors' errors are told apart: codes, and sentences where a vendor has no code.

use crate::error::VendorError;

/// What an error can be about. An error can be about several; who asks knows which comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The credential is bad, barred, or out of money or quota.
    Credential,
    /// The request is refused for what it says, or for where it comes from.
    Policy,
    /// The vendor has too much to do.
    Overloaded,
    /// A rate limit was reached.
    Throttled,
    /// The model or its deployment is not there.
    NoModel,
    /// The model, or the path to it, is not there, in words that say so with a 404 only.
    NotThere,
    /// The input is longer than the model, or the vendor, takes.
    TooLong,
    /// The last message may not be the assistant's, or not this one.
    Prefill,
}

/// The words of one vendor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    /// Values of `code`, `type`, `status` or `reason`; compared whole.
    pub(crate) codes: &'static [(Class, &'static [&'static str])],
    /// How messages begin: a letter stands for itself in either case, `#` for a number, `*` for up to 256 bytes without a space.
    /// `$` at the end stands for the message's end.
    /// They are held against the beginning only, so that a message that quotes the user's text is not taken for another.
    pub(crate) sentences: &'static [(Class, &'static [&'static str])],
}

/// How much `*` stands for, in bytes.
const MAX_NAME: usize = 256;

impl Words {
    /// Whether the error is about this. Sentences count only where the code leaves it open.
    pub(crate) fn tell(&self, class: Class, error: &VendorError) -> bool {
        let codes = of(self.codes, class);
        let mut given = [&error.code, &error.reason, &error.kind].into_iter().flatten();
        if given.any(|word| codes.contains(&word.as_str())) {
            return true;
        }
        let sentences = of(self.sentences, class);
        !sentences.is_empty() && !has_telling_code(error) && sentences.iter().any(|form| begins(&error.message, form))
    }
}

fn of(table: &'static [(Class, &'static [&'static str])], class: Class) -> &'static [&'static str] {
    table.iter().find(|(of, _)| *of == class).map_or(&[], |(_, words)| words)
}

/// Whether the code names the very case: not a number, not a sentence, not the error's type again, not one that covers all.
fn has_telling_code(error: &VendorError) -> bool {
    const GENERAL: [&str; 5] = ["invalid_request_error", "invalid_request", "bad_request", "BadRequest", "NOT_FOUND"];
    error.code.as_deref().is_some_and(|code| {
        !code.bytes().all(|byte| byte.is_ascii_digit())
            && !code.contains(' ')
            && error.kind.as_deref() != Some(code)
            && !GENERAL.contains(&code)
    })
}

/// Whether a message begins like that.
fn begins(message: &str, form: &str) -> bool {
    let mut rest = message.trim().as_bytes();
    let mut wild = None;
    let (form, is_whole) = form.strip_suffix('$').map_or((form, false), |form| (form, true));
    for piece in form.split_inclusive(['#', '*']) {
        let literal = piece.trim_end_matches(['#', '*']).as_bytes();
        let Some(after) = pass(rest, wild, literal) else { return false };
        rest = after;
        wild = piece.bytes().last().filter(|byte| matches!(byte, b'#' | b'*'));
    }
    (wild != Some(b'#') || rest.first().is_some_and(u8::is_ascii_digit)) && (!is_whole || rest.is_empty())
}

/// What follows the wild card and the literal behind it. `None`: they are not there.
fn pass<'a>(rest: &'a [u8], wild: Option<u8>, literal: &[u8]) -> Option<&'a [u8]> {
    match wild {
        Some(b'#') => {
            let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
            let digits = rest.iter().take_while(|byte| is_number(byte)).count();
            if digits == 0 { None } else { strip(rest.get(digits..)?, literal) }
        }
        Some(_) => {
            // A name has no space. Were it anything, a caller could have a text of theirs quoted that tells of another model.
            let name = rest.iter().take(MAX_NAME).take_while(|byte| !byte.is_ascii_whitespace()).count();
            (0..=name).find_map(|skipped| strip(rest.get(skipped..)?, literal))
        }
        None => strip(rest, literal),
    }
}

fn strip<'a>(rest: &'a [u8], literal: &[u8]) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(literal.len())?;
    head.eq_ignore_ascii_case(literal).then_some(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_held_against_the_beginning() {
        let cases = [
            ("prompt is too long: 201,234 tokens > 200000 maximum", "prompt is too long: # tokens > # maximum", true),
            ("Prompt Is too long: 1 tokens > 2 maximum", "prompt is too long: # tokens > # maximum", true),
            ("prompt is too long: many tokens > 2 maximum", "prompt is too long: # tokens > # maximum", false),
            ("he said: prompt is too long", "prompt is too long", false),
            ("The model `a/b` does not exist", "The model * does not exist", true),
            ("The model `a b` does not exist", "The model * does not exist", false),
            ("The model ` does not", "The model * does not exist", false),
            ("limit 12", "limit #", true),
            ("limit x", "limit #", false),
            ("limit ", "limit #", false),
            ("", "a", false),
            (" Not Found ", "Not found$", true),
            ("Not found: a file", "Not found$", false),
        ];
        for (message, form, expected) in cases {
            assert_eq!(begins(message, form), expected, "{message} / {form}");
        }
    }

    #[test]
    fn a_name_has_an_end() {
        let long = format!("The model {} does not exist", "x".repeat(MAX_NAME + 1));
        assert!(!begins(&long, "The model * does not exist"));
    }
}
