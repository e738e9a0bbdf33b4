//! A pull reader of JSON text: strict (RFC 8259), one pass, no allocation, no recursion of its own, spans instead of values.
//!
//! A general parser gives either values, which must be built, or the spans of values it has skipped, which must be read again to
//! look inside. Bodies are large and looked into at few places, so this one gives both in the same pass. It must accept what
//! `serde_json` accepts and nothing else, which the tests hold it to; only nesting is bounded differently.

use std::borrow::Cow;

mod lex;

/// Containers within containers, at most; deeper ones are an attack on somebody's stack.
pub(crate) const MAX_DEPTH: usize = 512;

/// A piece of the text that is read, in bytes from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) const fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }
}

/// A member or element to be cut out of an object or array, with one comma.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    span: Span,
    /// No comma precedes it, so one behind it goes with it.
    wants_comma: bool,
}

impl Cut {
    /// What stands behind this comma, or, where there is none, behind the opening bracket; it ends at `end`.
    pub(crate) fn new(comma: Option<usize>, open: usize, end: usize) -> Self {
        Self { span: Span { start: comma.unwrap_or(open), end }, wants_comma: comma.is_none() }
    }

    /// The cut when the walk has come to what is next, behind this comma.
    pub(crate) fn until(mut self, comma: Option<usize>) -> Self {
        if let (true, Some(comma)) = (self.wants_comma, comma) {
            self.span.end = comma + 1;
            self.wants_comma = false;
        }
        self
    }

    pub(crate) const fn span(self) -> Span {
        self.span
    }
}

/// What is wrong with a text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    pub(crate) offset: usize,
    pub(crate) message: &'static str,
}

type Result<T> = std::result::Result<T, JsonError>;

/// The kind of a value, seen from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A string as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    quoted: &'a [u8],
    is_escaped: bool,
}

impl<'a> Text<'a> {
    /// What is between the quotes, escapes and all.
    pub(crate) fn raw(self) -> &'a [u8] {
        self.quoted.get(1..self.quoted.len().saturating_sub(1)).unwrap_or_default()
    }

    /// The string that is meant. `None`: it has half a surrogate pair or is no UTF-8, so no string has it.
    pub(crate) fn decoded(self) -> Option<Cow<'a, str>> {
        if self.is_escaped {
            return serde_json::from_slice(self.quoted).ok().map(Cow::Owned);
        }
        std::str::from_utf8(self.raw()).ok().map(Cow::Borrowed)
    }

    /// The string that is meant, as a name to compare with; one that cannot be decoded equals no name of ours.
    pub(crate) fn name(self) -> Cow<'a, str> {
        self.decoded().unwrap_or(Cow::Borrowed("\u{FFFD}"))
    }

    /// Whether it is this string.
    pub(crate) fn is(self, text: &str) -> bool {
        if self.is_escaped { self.decoded().is_some_and(|own| own == text) } else { self.raw() == text.as_bytes() }
    }
}

/// Where a reader is within an object or array that it walks through.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// How many members or elements were begun.
    pub(crate) count: usize,
    /// Where the comma before the newest one is; `None` before the first.
    pub(crate) comma: Option<usize>,
    /// Where the newest member's name is, quotes and all.
    pub(crate) key: Span,
    /// Where the closing bracket is, once it was read.
    pub(crate) close: usize,
}

/// The reader.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// The offset of the next byte to be read.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The bytes of a span.
    pub(crate) fn slice(&self, span: Span) -> &'a [u8] {
        self.bytes.get(span.start..span.end).unwrap_or_default()
    }

    /// The kind of the next value; the reader then stands at its first byte.
    pub(crate) fn kind(&mut self) -> Result<Kind> {
        self.skip_space();
        match self.byte() {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(_) => self.fail("expected a value"),
            None => self.fail("the text ends where a value is expected"),
        }
    }

    /// Goes into the object that is next.
    pub(crate) fn object(&mut self) -> Result<Walk> {
        self.enter(b'{', "expected an object")
    }

    /// Goes into the array that is next.
    pub(crate) fn array(&mut self) -> Result<Walk> {
        self.enter(b'[', "expected an array")
    }

    /// The next member's key; the reader then stands behind its colon. `None`: the object is over.
    pub(crate) fn next_key(&mut self, walk: &mut Walk) -> Result<Option<Text<'a>>> {
        if !self.advance(walk, b'}')? {
            return Ok(None);
        }
        self.skip_space();
        let start = self.at;
        let key = self.key()?;
        walk.key = Span { start, end: start + key.quoted.len() };
        Ok(Some(key))
    }

    /// Whether there is another element; the reader then stands before it.
    pub(crate) fn next_element(&mut self, walk: &mut Walk) -> Result<bool> {
        self.advance(walk, b']')
    }

    /// The string that is next.
    pub(crate) fn string(&mut self) -> Result<Text<'a>> {
        self.skip_space();
        let start = self.at;
        if self.byte() != Some(b'"') {
            return self.fail("expected a string");
        }
        self.at += 1;
        let is_escaped = self.finish_string()?;
        Ok(Text { quoted: self.slice(Span { start, end: self.at }), is_escaped })
    }

    /// Skips the next value, checking it. Gives where it stands.
    pub(crate) fn skip(&mut self) -> Result<Span> {
        let kind = self.kind()?;
        let start = self.at;
        match kind {
            Kind::Object | Kind::Array => self.skip_container()?,
            Kind::String => {
                self.at += 1;
                self.finish_string()?;
            }
            Kind::Number => self.finish_number()?,
            Kind::True => self.finish_word(b"true")?,
            Kind::False => self.finish_word(b"false")?,
            Kind::Null => self.finish_word(b"null")?,
        }
        Ok(Span { start, end: self.at })
    }

    /// Checks that nothing but space is left.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.skip_space();
        if self.at < self.bytes.len() { self.fail("there is more after the end of the value") } else { Ok(()) }
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fail<T>(&self, message: &'static str) -> Result<T> {
        Err(JsonError { offset: self.at, message })
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    fn enter(&mut self, bracket: u8, expected: &'static str) -> Result<Walk> {
        self.skip_space();
        if self.byte() != Some(bracket) {
            return self.fail(expected);
        }
        self.deepen()?;
        self.at += 1;
        Ok(Walk::default())
    }

    fn deepen(&mut self) -> Result<()> {
        if self.depth >= MAX_DEPTH {
            return self.fail("the nesting is too deep");
        }
        self.depth += 1;
        Ok(())
    }

    /// Goes to the next member or element, or out of the container.
    fn advance(&mut self, walk: &mut Walk, close: u8) -> Result<bool> {
        self.skip_space();
        match self.byte() {
            Some(byte) if byte == close => {
                walk.close = self.at;
                self.at += 1;
                self.depth = self.depth.saturating_sub(1);
                return Ok(false);
            }
            Some(b',') if walk.count > 0 => {
                walk.comma = Some(self.at);
                self.at += 1;
            }
            Some(_) if walk.count == 0 => {}
            Some(_) => return self.fail("expected a comma or the closing bracket"),
            None => return self.fail("the text ends within an object or array"),
        }
        walk.count += 1;
        Ok(true)
    }

    fn key(&mut self) -> Result<Text<'a>> {
        let key = self.string()?;
        self.skip_space();
        if self.byte() != Some(b':') {
            return self.fail("expected a colon");
        }
        self.at += 1;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::lex::plain_length;
    use super::*;

    fn accepts(text: &[u8]) -> bool {
        let mut reader = Reader::new(text);
        reader.skip().and_then(|_| reader.finish()).is_ok()
    }

    fn serde_accepts(text: &[u8]) -> bool {
        serde_json::from_slice::<IgnoredAny>(text).is_ok()
    }

    #[test]
    fn it_accepts_what_serde_json_accepts() {
        let texts = [
            "",
            " ",
            "{}",
            "[]",
            "{,}",
            "[,]",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1 \"b\":2}",
            "[1 2]",
            "nul",
            "null",
            "nulll",
            "true",
            "TRUE",
            "NaN",
            "Infinity",
            "-Infinity",
            "-",
            "-0",
            "0",
            "00",
            "01",
            "-01",
            "1.",
            ".5",
            "1.5",
            "1e",
            "1e5",
            "1E+5",
            "1e-5",
            "1e+",
            "0.0e0",
            "\"",
            "\"\"",
            "\"\\\"",
            "\"\\\"\"",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "\"\\x\"",
            "\"a\nb\"",
            "\"a\tb\"",
            "\"\u{7f}\"",
            "{}{}",
            "[]x",
            " [ 1 , { \"a\" : [ ] } ] ",
            "[}",
            "{]",
            "[[]",
            "]",
            "[{\"a\":[{}]},{}]",
            "{\"a\":{\"b\":[1,[2,[3]]]},\"c\":null}",
            "\u{feff}{}",
            "{\"a\":1}}",
            "'a'",
            "[1,2",
            "{\"a\":[",
            "\"aaaaaaaaaaaaaaa\u{1f}\"",
            "\"ééééééééé\\n\"",
            "tru",
            "[true,false,null,\"x\",-1.5e3]",
            "+1",
            "0x1",
            "[1]]",
        ];
        for text in texts {
            assert_eq!(accepts(text.as_bytes()), serde_accepts(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(accepts(nested(MAX_DEPTH).as_bytes()));
        assert!(!accepts(nested(MAX_DEPTH + 1).as_bytes()));
        assert!(!accepts("[".repeat(100_000).as_bytes()));
        assert!(!accepts("{\"a\":".repeat(100_000).as_bytes()));
        assert!(accepts(format!("[{}]", vec![nested(MAX_DEPTH - 1); 3].join(",")).as_bytes()));
    }

    #[test]
    fn errors_say_where() {
        let fail = |text: &str| Reader::new(text.as_bytes()).skip().unwrap_err();
        assert_eq!(fail("{\"a\": nope}").offset, 6);
        assert_eq!(fail("[1, 2").offset, 5);
        assert_eq!(fail("\"a\nb\"").offset, 2);
    }

    #[test]
    fn members_come_with_their_spans() {
        let text = " { \"a\" : [1, {\"x\":2}] , \"mod\\u0065l\":\"m\" }";
        let mut reader = Reader::new(text.as_bytes());
        let mut walk = reader.object().unwrap();
        let mut found = Vec::new();
        while let Some(key) = reader.next_key(&mut walk).unwrap() {
            let value = reader.skip().unwrap();
            found.push((key.name().into_owned(), text[value.start..value.end].to_owned(), walk.comma));
        }
        let expected = [("a", "[1, {\"x\":2}]", None), ("model", "\"m\"", Some(22))];
        assert_eq!(found, expected.map(|(name, value, comma)| (name.to_owned(), value.to_owned(), comma)));
        assert_eq!((walk.close, walk.count), (text.len() - 1, 2));
        reader.finish().unwrap();
    }

    #[test]
    fn strings_are_decoded_on_demand() {
        let string = |text| Reader::new(text).string().unwrap();
        assert!(string(b"\"model\"").is("model"));
        assert!(string(b"\"mod\\u0065l\"").is("model"));
        assert!(!string(b"\"mod\\\\u0065l\"").is("model"));
        assert_eq!(string(b"\"\\ud83d\\ude00\"").decoded().unwrap(), "\u{1F600}");
        assert!(string(b"\"\\ud83d\"").decoded().is_none());
        assert_eq!(string(b"\"a\\\"b\"").raw(), b"a\\\"b");
    }

    fn json_like() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"\\u0041\"",
            "\"",
            "\\",
            "1",
            "-1.5e3",
            "0",
            "null",
            "true",
            " ",
            "\n",
            "é",
        ]);
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn it_agrees_with_serde_json_on_near_json(text in json_like()) {
            prop_assert_eq!(accepts(text.as_bytes()), serde_accepts(text.as_bytes()));
        }

        #[test]
        fn it_agrees_with_serde_json_on_bytes(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let quoted = [b"\"".as_slice(), &text, b"\""].concat();
            if std::str::from_utf8(&quoted).is_ok() {
                prop_assert_eq!(accepts(&quoted), serde_accepts(&quoted));
            }
        }

        #[test]
        fn plain_characters_are_counted_exactly(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
            let expected = bytes.iter().take_while(|byte| **byte >= 0x20 && **byte != b'"' && **byte != b'\\').count();
            prop_assert_eq!(plain_length(&bytes), expected);
        }
    }
}
