//! Bytes in JSON. Google takes base64 in both alphabets; its Python SDK sends the one for URLs, which other vendors refuse.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

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
    let is_one = |engine: GeneralPurpose| engine.decode(plain.as_bytes()).is_ok();
    !plain.is_empty() && (is_one(BASE64_STANDARD) || is_one(BASE64_URL_SAFE))
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
            (r"a\/8=", true),
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
