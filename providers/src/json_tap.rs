//! A tap on a JSON answer that arrives in any pieces: it keeps the values of a few chosen members and counts the text, in
//! constant memory however long the answer is.

use crate::estimate::TextCount;
use crate::scan::{Scanner, Token};

/// A member whose value is longer than this is not kept, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;
/// As much of a string is remembered; every name of ours is shorter.
const NAME_BYTES: usize = 48;

/// The tap. It is for the answers of vendors: it follows the structure and does not judge whether all of it is valid JSON.
#[derive(Debug)]
pub struct JsonTap {
    paths: &'static [&'static str],
    values: Vec<Option<Vec<u8>>>,
    scanner: Scanner,
    state: State,
    string: Text,
    /// The newest key at the document's top.
    top: Name,
    /// What the newest key, wherever it is, means for the strings behind it.
    key: KeyKind,
    capture: Option<Capture>,
    found: Found,
}

/// What the tap finds beside the chosen members.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    /// The text in the values, but for those at the document's top and for encoded media.
    pub(crate) text: TextCount,
    /// Searches, as told by the items of the answer: OpenAI's search calls, Gemini's queries.
    pub(crate) searches: u64,
    /// Whether a part of the text rests on something that was found on the web.
    pub(crate) cites: bool,
    /// Whether any part of the answer says why it ended.
    pub(crate) has_finish_reason: bool,
}

/// Where the document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    Within,
    /// Its outermost bracket is closed.
    Closed,
    /// It is neither an object nor an array.
    Broken,
}

/// Keys whose strings mean something, whatever their depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyKind {
    Any,
    /// Its strings are no text: encoded media, signatures.
    Encoded,
    Type,
    FinishReason,
    SearchQueries,
}

/// A value that is being kept.
#[derive(Debug)]
struct Capture {
    index: usize,
    /// The depth around it.
    depth: u32,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Its first byte is still to come.
    Awaited,
    Atom,
    String,
    Container,
}

/// The string at hand: a key, if a colon follows, else a value.
#[derive(Debug, Default)]
struct Text {
    state: TextState,
    depth: u32,
    name: Name,
    count: TextCount,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TextState {
    #[default]
    None,
    Reading,
    Read,
}

impl JsonTap {
    /// A tap for these members: `usage` of the document itself, `response.usage` of an object in it; no deeper.
    #[must_use]
    pub fn new(paths: &'static [&'static str]) -> Self {
        Self {
            paths,
            values: vec![None; paths.len()],
            scanner: Scanner::default(),
            state: State::Before,
            string: Text::default(),
            top: Name::default(),
            key: KeyKind::Any,
            capture: None,
            found: Found::default(),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let (mut at, mut kept) = (0, 0);
        while matches!(self.state, State::Before | State::Within) {
            let start = at;
            let Some(token) = self.scanner.next(bytes, &mut at) else { break };
            if self.state == State::Before && token != Token::Space {
                self.state = if token == Token::Open { State::Within } else { State::Broken };
            }
            self.follow_string(token, bytes);
            self.follow_capture(token, bytes, start..at, &mut kept);
            if token == Token::Close && self.scanner.depth() == 0 {
                self.state = State::Closed;
            }
        }
        if self.capture.as_ref().is_some_and(|capture| capture.form != Form::Awaited) {
            self.keep(bytes.get(kept..).unwrap_or_default());
        }
    }

    /// The value of a member as it stands in the document; of several, the last. `None`: it is not there, has not come to its
    /// end, or is longer than [`MAX_VALUE_BYTES`].
    #[must_use]
    pub fn value(&self, path: &str) -> Option<&[u8]> {
        let index = self.paths.iter().position(|known| *known == path)?;
        if self.capture.as_ref().is_some_and(|capture| capture.index == index) {
            return None;
        }
        self.values.get(index)?.as_deref()
    }

    /// Whether the whole document has come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether what comes is no JSON object or array.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// What was found so far; a string that has begun counts as text.
    pub(crate) fn found(&self) -> Found {
        let mut found = self.found;
        if self.string.state != TextState::None && self.is_text() {
            found.text += self.string.count;
        }
        found
    }

    fn follow_string(&mut self, token: Token, bytes: &[u8]) {
        match token {
            Token::Space => {}
            Token::Text { from, to, is_last } => {
                let piece = bytes.get(from..to).unwrap_or_default();
                self.string.name.push(piece);
                self.string.count.add_unescaped(piece);
                self.string.state = if is_last { TextState::Read } else { TextState::Reading };
            }
            Token::Colon if self.string.state == TextState::Read => self.take_key(),
            _ => {
                if self.string.state == TextState::Read {
                    self.take_value();
                }
                if token == Token::Quote {
                    let depth = self.scanner.depth();
                    self.string = Text { state: TextState::Reading, depth, ..Text::default() };
                }
            }
        }
    }

    fn take_key(&mut self) {
        self.string.state = TextState::None;
        let name = self.string.name;
        self.key = KeyKind::of(&name);
        if self.string.depth == 1 {
            self.top = name;
        }
        if self.capture.is_none() && self.string.depth <= 2 {
            self.capture = self.wanted(&name);
        }
    }

    /// The capture that a key begins.
    fn wanted(&mut self, name: &Name) -> Option<Capture> {
        let depth = self.string.depth;
        let is_wanted = |path: &&str| match path.split_once('.') {
            Some((outer, inner)) => depth == 2 && name.is(inner) && self.top.is(outer),
            None => depth == 1 && name.is(path),
        };
        let index = self.paths.iter().position(is_wanted)?;
        *self.values.get_mut(index)? = Some(Vec::new());
        Some(Capture { index, depth, form: Form::Awaited })
    }

    fn take_value(&mut self) {
        self.string.state = TextState::None;
        if self.is_text() {
            self.found.text += self.string.count;
        }
        let is_search = match self.key {
            KeyKind::Type => self.string.depth == 3 && self.string.name.is("web_search_call"),
            KeyKind::SearchQueries => true,
            _ => false,
        };
        self.found.searches += u64::from(is_search);
        self.found.cites |= self.key == KeyKind::Type && self.string.name.is("url_citation");
        self.found.has_finish_reason |= self.key == KeyKind::FinishReason;
    }

    /// Whether the string at hand is text, if it is a value.
    fn is_text(&self) -> bool {
        self.string.depth > 1 && !matches!(self.key, KeyKind::Encoded | KeyKind::Type | KeyKind::FinishReason)
    }

    fn follow_capture(&mut self, token: Token, bytes: &[u8], span: std::ops::Range<usize>, kept: &mut usize) {
        let depth = self.scanner.depth();
        let Some(capture) = &mut self.capture else { return };
        let end = match (capture.form, token) {
            (Form::Awaited, Token::Quote | Token::Open | Token::Atom) => {
                capture.form = match token {
                    Token::Quote => Form::String,
                    Token::Open => Form::Container,
                    _ => Form::Atom,
                };
                *kept = span.start;
                return;
            }
            (Form::String, Token::Text { is_last: true, .. }) => span.end,
            (Form::Container, Token::Close) if depth == capture.depth => span.end,
            (Form::Atom, Token::Comma | Token::Close | Token::Space) => span.start,
            _ => return,
        };
        self.keep(bytes.get(*kept..end).unwrap_or_default());
        self.capture = None;
    }

    fn keep(&mut self, bytes: &[u8]) {
        let Some(capture) = &self.capture else { return };
        let Some(place) = self.values.get_mut(capture.index) else { return };
        if let Some(value) = place {
            if value.len() + bytes.len() > MAX_VALUE_BYTES {
                *place = None;
            } else {
                value.extend_from_slice(bytes);
            }
        }
    }
}

impl KeyKind {
    fn of(name: &Name) -> Self {
        match name.as_bytes() {
            b"data" | b"b64_json" | b"signature" | b"thoughtSignature" | b"encrypted_content" | b"result" => {
                Self::Encoded
            }
            b"type" => Self::Type,
            b"finishReason" | b"finish_reason" | b"stop_reason" => Self::FinishReason,
            b"webSearchQueries" => Self::SearchQueries,
            _ => Self::Any,
        }
    }
}

/// The beginning of a string.
#[derive(Clone, Copy, Debug)]
struct Name {
    bytes: [u8; NAME_BYTES],
    /// Of the whole string, not only of what is kept.
    length: usize,
}

impl Default for Name {
    fn default() -> Self {
        Self { bytes: [0; NAME_BYTES], length: 0 }
    }
}

impl Name {
    fn push(&mut self, piece: &[u8]) {
        let free = self.bytes.get_mut(self.length..).unwrap_or_default();
        free.iter_mut().zip(piece).for_each(|(place, byte)| *place = *byte);
        self.length = self.length.saturating_add(piece.len());
    }

    /// The string as it was written; empty where it is longer than any name.
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn is(&self, name: &str) -> bool {
        let own = self.as_bytes();
        if own == name.as_bytes() {
            return true;
        }
        if !own.contains(&b'\\') {
            return false;
        }
        let quoted = [b"\"", own, b"\""].concat();
        serde_json::from_slice::<String>(&quoted).is_ok_and(|own| own == name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const PATHS: &[&str] = &["usage", "error", "a", "response.usage"];

    fn tapped<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> JsonTap {
        let mut tap = JsonTap::new(PATHS);
        pieces.into_iter().for_each(|piece| tap.push(piece));
        tap
    }

    fn value(tap: &JsonTap, path: &str) -> Option<String> {
        tap.value(path).map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    #[test]
    fn chosen_members_are_kept_whatever_the_border() {
        let document = " {\"id\":\"usage\",\"choices\":[{\"usage\":1,\"error\":{\"a\":\"}\"}}],\"us\\u0061ge\" : { \"x\":[1,{}] },\
            \"error\":null ,\"a\":\"q\\\"\\\\\",\"response\":{\"usage\":-1.5e3,\"error\":1}} ";
        let expected =
            [("usage", "{ \"x\":[1,{}] }"), ("error", "null"), ("a", "\"q\\\"\\\\\""), ("response.usage", "-1.5e3")];
        let bytes = document.as_bytes();
        let check = |tap: JsonTap, place: &str| {
            for (path, text) in expected {
                assert_eq!(value(&tap, path).as_deref(), Some(text), "{path} {place}");
            }
            assert!(tap.is_closed() && !tap.is_broken());
        };
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            check(tapped([head, tail]), &format!("cut at {cut}"));
        }
        check(tapped(bytes.chunks(1)), "byte by byte");
    }

    #[test]
    fn a_value_that_is_cut_or_too_long_is_not_given() {
        assert_eq!(value(&tapped([br#"{"usage":{"x":1"#.as_slice()]), "usage"), None);
        assert_eq!(value(&tapped([br#"{"usage":12"#.as_slice()]), "usage"), None);
        assert_eq!(value(&tapped([br#"{"usage":"#.as_slice()]), "usage"), None);
        let long = format!("{{\"usage\":\"{}\",\"error\":1}}", "x".repeat(MAX_VALUE_BYTES));
        let tap = tapped(long.as_bytes().chunks(1_000));
        assert_eq!((value(&tap, "usage"), value(&tap, "error")), (None, Some("1".to_owned())));
    }

    #[test]
    fn what_is_no_document_is_noticed() {
        for (text, is_closed, is_broken) in [
            ("", false, false),
            ("  ", false, false),
            ("<html>", false, true),
            ("\"text\"", false, true),
            ("[1]", true, false),
            ("{", false, false),
            ("{}{\"usage\":1}", true, false),
        ] {
            let tap = tapped([text.as_bytes()]);
            assert_eq!((tap.is_closed(), tap.is_broken()), (is_closed, is_broken), "{text}");
            assert_eq!(value(&tap, "usage"), None);
        }
    }

    #[test]
    fn text_searches_and_ends_are_found() {
        let document = json!({"id": "not text", "output": [
            {"type": "web_search_call", "status": ""},
            {"type": "message", "content": [{"type": "output_text", "text": "eight ch", "data": "ABCD".repeat(100)}]},
        ], "choices": [{"finish_reason": "stop"}], "groundingMetadata": {"webSearchQueries": ["aa", "bb"]}});
        let text = document.to_string();
        for chunk in [1, 7, 1_000] {
            let found = tapped(text.as_bytes().chunks(chunk)).found();
            assert_eq!((found.searches, found.has_finish_reason, found.text.tokens()), (3, true, 3));
        }
        assert_eq!(tapped([br#"{"choices":[{"text":"four"#.as_slice()]).found().text.tokens(), 1);
    }

    #[test]
    fn nesting_costs_no_memory() {
        let mut tap = JsonTap::new(PATHS);
        (0..10_000).for_each(|_| tap.push("[{\"a\":".repeat(100).as_bytes()));
        assert!(!tap.is_closed());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\\\\"{}\\[\\]:,]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let key = prop_oneof![
                any::<String>(),
                prop::sample::select(PATHS).prop_map(str::to_owned),
                Just("response".to_owned())
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn it_finds_what_serde_json_finds(
            members in prop::collection::btree_map(
                prop_oneof![prop::sample::select(vec!["usage", "error", "a", "response"]).prop_map(str::to_owned), any::<String>()],
                any_json(),
                0..6,
            ),
            pretty in any::<bool>(),
            size in 1_usize..50,
        ) {
            let document = Value::Object(members.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
            let tap = tapped(text.as_bytes().chunks(size));
            for path in PATHS {
                let expected = match path.split_once('.') {
                    Some((outer, inner)) => document.get(outer).and_then(|outer| outer.get(inner)),
                    None => document.get(path),
                };
                let found = tap.value(path).map(|value| serde_json::from_slice::<Value>(value).unwrap());
                prop_assert_eq!(found.as_ref(), expected, "{}", path);
            }
            prop_assert!(tap.is_closed());
        }
    }
}
