//! Bytes in JSON. Google takes base64 in both alphabets; its Python SDK sends the one for URLs, which other vendors refuse.

use std::borrow::Cow;

use crate::hub::text::Str;

/// The base64 in the usual alphabet.
pub(super) fn standard(base64: Str<'_>) -> Str<'_> {
    let raw = base64.raw();
    if memchr::memchr2(b'-', b'_', raw.as_bytes()).is_none() {
        return base64;
    }
    Str::of(&raw.replace('-', "+").replace('_', "/")).into_owned()
}

/// Whether it is base64 that the SDKs can decode, in either alphabet: they refuse an answer in which it is not.
pub(super) fn is_base64(text: &Str<'_>) -> bool {
    let plain: Cow<'_, str> = text.plain();
    let digits = plain.trim_end_matches('=');
    let padding = plain.len() - digits.len();
    !digits.is_empty()
        && plain.len().is_multiple_of(4)
        && padding <= 2
        && digits.bytes().all(|byte| sextet(byte).is_some())
        && digits.bytes().last().and_then(sextet).is_some_and(|last| last.trailing_zeros() >= spare_bits(padding))
}

/// How many bits of the last digit stand for nothing, and must not be set.
const fn spare_bits(padding: usize) -> u32 {
    match padding {
        0 => 0,
        1 => 2,
        _ => 4,
    }
}

/// The six bits that a digit stands for, in either alphabet.
const fn sextet(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_for_urls_becomes_the_usual_one() {
        assert_eq!(standard(Str::raw_of("__77-74=")).raw(), "//77+74=");
        assert_eq!(standard(Str::raw_of(r"iVBO\/w0=")).raw(), r"iVBO\/w0=");
    }

    #[test]
    fn only_what_can_be_decoded_is_base64() {
        for (text, is) in [
            ("aGk=", true),
            ("_-__", true),
            (r"aG\/w", true),
            ("aG/=", false),
            ("aA==", true),
            ("ah==", false),
            ("aGk", false),
            ("a===", false),
            ("", false),
            ("====", false),
            ("rs_1:ab", false),
        ] {
            assert_eq!(is_base64(&Str::raw_of(text)), is, "{text}");
        }
    }
}
