//! Strings and values as they stand in JSON text, borrowed from it wherever they can be.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::json::Reader;

/// A string as JSON has it: what stands between the quotes, escapes and all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Str<'a>(Cow<'a, str>);

impl<'a> Str<'a> {
    /// What stood between the quotes of a JSON string.
    pub(crate) const fn raw_of(between_quotes: &'a str) -> Self {
        Self(Cow::Borrowed(between_quotes))
    }

    /// A string that is no JSON yet.
    pub(crate) fn of(plain: &'a str) -> Self {
        match escaped(plain) {
            None => Self(Cow::Borrowed(plain)),
            Some(escaped) => Self(Cow::Owned(escaped)),
        }
    }

    /// What to write between quotes.
    pub(crate) fn raw(&self) -> &str {
        &self.0
    }

    /// The string that is meant. Half a surrogate pair, which no string has, becomes U+FFFD.
    pub(crate) fn plain(&self) -> Cow<'_, str> {
        if memchr::memchr(b'\\', self.0.as_bytes()).is_none() {
            return Cow::Borrowed(&self.0);
        }
        Cow::Owned(unescaped(&self.0))
    }

    /// Whether it is this string.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0 == text || (self.0.contains('\\') && self.plain() == text)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds another string behind it.
    pub(crate) fn push(&mut self, more: &Str<'_>) {
        if !more.is_empty() {
            self.0.to_mut().push_str(&more.0);
        }
    }

    /// Strings one behind the other, as JSON has them.
    pub(crate) fn joined(raw: &[&str]) -> Str<'static> {
        Str(Cow::Owned(raw.concat()))
    }

    /// The same, owing nothing to the text that it was read from.
    pub(crate) fn into_owned(self) -> Str<'static> {
        Str(Cow::Owned(self.0.into_owned()))
    }

    /// The same, borrowed from this one.
    pub(crate) fn by_ref(&self) -> Str<'_> {
        Str(Cow::Borrowed(&self.0))
    }

    /// The MIME type and the base64 of a `data:` URL. `None`: it is none, or not in base64.
    pub(crate) fn data_url(&self) -> Option<(Str<'a>, Str<'a>)> {
        // Some write a slash as `\/`.
        let url = if self.0.contains('\\') { Cow::Owned(self.plain().into_owned()) } else { self.0.clone() };
        let (head, base64) = url.split_once(',')?;
        let (scheme, kind) = head.split_at_checked("data:".len())?;
        let kind = kind.strip_suffix(";base64").filter(|_| scheme.eq_ignore_ascii_case("data:"))?;
        let mime = kind.split(';').next().unwrap_or_default();
        let (from, to) = (scheme.len(), scheme.len() + mime.len());
        let data = url.len() - base64.len();
        Some(match &url {
            Cow::Borrowed(url) => (Str::raw_of(url.get(from..to)?), Str::raw_of(url.get(data..)?)),
            Cow::Owned(_) => (Str::of(mime).into_owned(), Str::of(base64).into_owned()),
        })
    }

    /// The JSON value whose text this string is. `None`: it is the text of none.
    pub(crate) fn as_json(&self) -> Option<Json<'static>> {
        Json::checked(self.plain().into_owned())
    }
}

/// The text of one valid JSON value, without space around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Json<'a>(Cow<'a, str>);

impl<'a> Json<'a> {
    /// A text that was read, and so checked, as a value.
    pub(crate) const fn read(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// A text that may be a value.
    pub(crate) fn checked(text: String) -> Option<Json<'static>> {
        let mut reader = Reader::new(text.as_bytes());
        reader.skip().and_then(|_| reader.finish()).ok()?;
        Some(Json(Cow::Owned(text.trim_ascii().to_owned())))
    }

    /// What to write.
    pub(crate) fn raw(&self) -> &str {
        &self.0
    }

    /// Whether it is this word, number or (quotes and all) string, letter by letter.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0 == text
    }

    pub(crate) fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }

    /// The string that this value is. `None`: it is something else.
    pub(crate) fn string(&self) -> Option<Str<'_>> {
        self.0.strip_prefix('"')?.strip_suffix('"').map(Str::raw_of)
    }

    /// The string that has this value's text as its content.
    pub(crate) fn as_text(&self) -> Str<'_> {
        Str::of(&self.0)
    }

    /// The same, owing nothing to the text that it was read from.
    pub(crate) fn into_owned(self) -> Json<'static> {
        Json(Cow::Owned(self.0.into_owned()))
    }
}

/// The text with what JSON wants escaped. `None`: nothing is.
fn escaped(plain: &str) -> Option<String> {
    let first = plain.bytes().position(wants_escape)?;
    let mut escaped = String::with_capacity(plain.len() + plain.len() / 8 + 8);
    let (head, mut rest) = plain.split_at_checked(first)?;
    escaped.push_str(head);
    while let Some(next) = rest.bytes().position(wants_escape) {
        let (plain, tail) = rest.split_at_checked(next)?;
        escaped.push_str(plain);
        let mut characters = tail.chars();
        escape(characters.next()?, &mut escaped);
        rest = characters.as_str();
    }
    escaped.push_str(rest);
    Some(escaped)
}

const fn wants_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(character: char, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(other));
        }
    }
}

/// The string that is meant by what stands between quotes.
fn unescaped(raw: &str) -> String {
    let mut plain = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, escape)) = memchr::memchr(b'\\', rest.as_bytes()).and_then(|at| rest.split_at_checked(at)) {
        plain.push_str(before);
        let (character, length) = character(escape);
        plain.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// The character for which the escape stands that this begins with, and how long the escape is.
fn character(escape: &str) -> (char, usize) {
    let character = match escape.as_bytes().get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return coded(escape),
        Some(itself @ (b'"' | b'\\' | b'/')) => char::from(*itself),
        // The reader lets no others pass.
        _ => return (char::REPLACEMENT_CHARACTER, 1),
    };
    (character, 2)
}

/// The character of `\uXXXX`, or of two of them that are a surrogate pair.
fn coded(escape: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let (code, length) = match (unit(0), unit(6)) {
        (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
            (0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00), 12)
        }
        (Some(code), _) => (code, 6),
        (None, _) => (0xD800, 2),
    };
    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_surrogate_pair_is_no_character() {
        for (raw, plain) in [
            (r"a\ud83db", "a\u{FFFD}b"),
            (r"\ud83d\ude00", "\u{1F600}"),
            (r"\ud83d\ude00\ude00", "\u{1F600}\u{FFFD}"),
            (r"\\ud83d", r"\ud83d"),
            (r"\ud83d\n", "\u{FFFD}\n"),
            (r#"\b\f\r\t\/\""#, "\u{8}\u{c}\r\t/\""),
        ] {
            assert_eq!(Str::raw_of(raw).plain(), plain, "{raw}");
        }
    }

    #[test]
    fn a_data_url_is_cut_into_type_and_base64() {
        for (raw, parts) in [
            ("data:image/png;base64,iVBO/w0=", Some(("image/png", "iVBO/w0="))),
            (r"data:image\/png;base64,iVBO\/w0=", Some(("image/png", "iVBO/w0="))),
            ("DATA:text/plain;charset=utf-8;base64,YQ==", Some(("text/plain", "YQ=="))),
            ("data:;base64,", Some(("", ""))),
            ("data:text/plain,a%20b", None),
            ("https://example.com/a;base64,b", None),
            ("data", None),
            ("", None),
        ] {
            let found = Str::raw_of(raw).data_url();
            let found = found.as_ref().map(|(mime, base64)| (mime.raw(), base64.raw()));
            assert_eq!(found, parts, "{raw}");
        }
    }

    #[test]
    fn the_text_of_a_value_is_one_and_others_are_not() {
        assert_eq!(Str::raw_of(r#"{\"a\":1}"#).as_json().unwrap().raw(), r#"{"a":1}"#);
        assert!(Str::raw_of(r#"{\"a\":"#).as_json().is_none());
        assert!(Str::raw_of("").as_json().is_none());
        assert_eq!(Json::read(r#"{"a":"\n"}"#).as_text().raw(), r#"{\"a\":\"\\n\"}"#);
    }

    proptest! {
        #[test]
        fn every_escape_is_what_a_general_parser_makes_of_it(text in any::<String>()) {
            let coded: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            let long = Str::raw_of(&coded);
            prop_assert_eq!(long.plain(), text.as_str());
            let quoted = serde_json::to_string(&text).unwrap();
            let short = Str::raw_of(&quoted[1..quoted.len() - 1]);
            prop_assert_eq!(short.plain(), text.as_str());
        }

        #[test]
        fn a_string_comes_back_from_its_escapes(text in any::<String>()) {
            let string = Str::of(&text);
            prop_assert_eq!(string.plain(), text.as_str());
            prop_assert!(string.is(&text));
            let quoted = format!("\"{}\"", string.raw());
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
    }
}
