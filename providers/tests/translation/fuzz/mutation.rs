//! Documents and streams with something changed: values put in the place of others, members left out or doubled, bytes turned.

use std::ops::Range;

use fastrand::Rng;

/// Values that are hard on readers.
const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1",
    "0.5",
    "1e400",
    "-0.0",
    "18446744073709551615",
    "18446744073709551616",
    "9007199254740993",
    "1e3",
    "\"\"",
    "\" \"",
    "\"x\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\\n\\r\"",
    "\"\u{2028}\u{1F600}\"",
    "\"data:image/png;base64,iVBORw0KGgo=\"",
    "\"data:;base64,\"",
    "\"{\\\"a\\\":1}\"",
    "\"{\\\"a\\\":\"",
    "\"[1,2]\"",
    "\"null\"",
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    "[null]",
    "{\"\":null}",
    "{\"type\":\"text\"}",
    "{\"type\":\"text\",\"text\":\"x\"}",
    "{\"text\":\"x\"}",
    "{\"type\":\"tool_use\"}",
    "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}",
    "{\"functionCall\":{\"name\":\"f\"}}",
    "{\"type\":\"reasoning\"}",
    "{\"role\":\"user\",\"content\":\"x\"}",
    "{\"role\":\"tool\",\"tool_call_id\":\"1\"}",
    "{\"error\":{}}",
    "{\"index\":4294967296}",
    "{\"index\":1}",
    "{\"index\":0}",
    "{\"type\":\"object\"}",
    "\"assistant\"",
    "\"user\"",
    "\"stop\"",
    "\"length\"",
    "\"STOP\"",
    "\"end_turn\"",
    "\"tool_calls\"",
    "\"function\"",
    "\"message\"",
    "\"error\"",
    "\"base64\"",
    "\"call_1\"",
];

/// One input's changes.
pub(crate) struct Mutation {
    rng: Rng,
}

impl Mutation {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed) }
    }

    /// One of the seeds, changed.
    pub(crate) fn of(mut self, seeds: &[Vec<u8>], is_stream: bool) -> Vec<u8> {
        let mut input = self.rng.choice(seeds).cloned().unwrap_or_default();
        let other = self.rng.choice(seeds).cloned().unwrap_or_default();
        let changes = [1, 1, 1, 1, 2, 2, 3, 5, 12][self.rng.usize(0..9)];
        for _ in 0..changes {
            input = if is_stream && self.rng.u8(..) < 80 {
                self.events(&input, &other)
            } else {
                self.values(input, &other)
            };
        }
        for _ in 0..if self.rng.u8(..) < 40 { self.rng.usize(1..6) } else { 0 } {
            self.bytes(&mut input, &other);
        }
        input
    }

    /// Changes the events of a stream, or what frames them.
    fn events(&mut self, stream: &[u8], other: &[u8]) -> Vec<u8> {
        let mut events = split(stream);
        let others = split(other);
        let at = self.rng.usize(0..=events.len().saturating_sub(1));
        if events.is_empty() {
            return others.concat();
        }
        match self.rng.u8(0..9) {
            0 => drop(events.remove(at)),
            1 => events.insert(at, events[at].clone()),
            2 => {
                let with = self.rng.usize(0..events.len());
                events.swap(at, with);
            }
            3 => events.insert(at, self.rng.choice(&others).cloned().unwrap_or_default()),
            4 => events.truncate(at),
            5 => events.insert(at, b": comment\nid: 7\nretry: 1\n\n".to_vec()),
            6 => events[at] = String::from_utf8_lossy(&events[at]).replace('\n', "\r\n").into_bytes(),
            7 => events.insert(at, b"data: [DONE]\n\n".to_vec()),
            _ => {
                let times = self.rng.usize(1..200);
                let event = events[at].clone();
                events.splice(at..at, std::iter::repeat_n(event, times));
            }
        }
        events.concat()
    }

    /// Changes a value, a key, or a whole member or element within the JSON that is in it.
    fn values(&mut self, mut input: Vec<u8>, other: &[u8]) -> Vec<u8> {
        let (own, theirs) = (Spans::of(&input), Spans::of(other));
        let what = self.rng.u8(0..16);
        let places = match what {
            0..=9 => &own.values,
            10 => &own.keys,
            _ => &own.items,
        };
        let Some(mut span) = self.rng.choice(places).cloned() else { return input };
        let new = match what {
            0..=4 => (*self.rng.choice(VALUES).unwrap()).as_bytes().to_vec(),
            5 | 6 => self.one_of(other, &theirs.values),
            7 => self.one_of(&input, &own.values),
            8 => {
                let depth = self.rng.usize(1..700);
                let (open, close) = if self.rng.bool() { ("[", "]") } else { ("{\"a\":", "}") };
                format!("{}0{}", open.repeat(depth), close.repeat(depth)).into_bytes()
            }
            9 => format!("\"{}\"", "x\\n".repeat(self.rng.usize(0..40_000))).into_bytes(),
            10 => self.one_of(other, &theirs.keys),
            11 => {
                let times = self.rng.usize(2..300);
                vec![input[span.clone()].to_vec(); times].join(&b","[..])
            }
            12 => [&input[span.clone()], b",", &self.one_of(other, &theirs.items)].concat(),
            _ => {
                span = with_comma(&input, span);
                Vec::new()
            }
        };
        if input.len() - span.len() + new.len() <= MAX_BYTES {
            input.splice(span, new);
        }
        input
    }

    fn one_of(&mut self, text: &[u8], spans: &[Range<usize>]) -> Vec<u8> {
        self.rng.choice(spans).map_or_else(|| b"null".to_vec(), |span| text[span.clone()].to_vec())
    }

    fn bytes(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        if input.is_empty() {
            return;
        }
        let at = self.rng.usize(0..input.len());
        match self.rng.u8(0..6) {
            0 => input[at] ^= 1 << self.rng.u32(0..8),
            1 => input.truncate(at),
            2 => input.insert(at, *self.rng.choice(b"{}[]\",:\\\n\r0e-".as_slice()).unwrap()),
            3 => drop(input.drain(at..(at + self.rng.usize(0..40)).min(input.len()))),
            4 => input.insert(at, self.rng.u8(..)),
            _ => {
                let start = self.rng.usize(0..=other.len());
                let piece = &other[start..(start + 60).min(other.len())];
                input.splice(at..at, piece.iter().copied());
            }
        }
    }
}

/// No input grows beyond it.
const MAX_BYTES: usize = 400_000;

fn split(stream: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(stream);
    text.split_inclusive("\n\n").map(|event| event.as_bytes().to_vec()).collect()
}

/// An item and the comma that goes with it.
fn with_comma(text: &[u8], item: Range<usize>) -> Range<usize> {
    let behind = text[item.end..].iter().position(|byte| !byte.is_ascii_whitespace()).map(|at| item.end + at);
    if let Some(comma) = behind.filter(|at| text[*at] == b',') {
        return item.start..comma + 1;
    }
    let before = text[..item.start].iter().rposition(|byte| !byte.is_ascii_whitespace());
    before.filter(|at| text[*at] == b',').map_or(item.clone(), |comma| comma..item.end)
}

/// Where things stand in JSON; of a stream, in the data of all its events.
#[derive(Debug, Default)]
struct Spans {
    /// Strings, numbers, words and whole containers.
    values: Vec<Range<usize>>,
    keys: Vec<Range<usize>>,
    /// Members and elements.
    items: Vec<Range<usize>>,
}

impl Spans {
    fn of(text: &[u8]) -> Self {
        let mut spans = Self::default();
        // Where each container that is open begins, and the item in it.
        let mut open: Vec<(usize, Option<usize>)> = Vec::new();
        let (mut at, mut end) = (0, 0);
        while at < text.len() {
            let byte = text[at];
            if let b',' | b'}' | b']' = byte
                && let Some((start, item)) = open.last_mut()
            {
                spans.items.extend(item.take().map(|item| item..end));
                if byte != b',' {
                    spans.values.push(*start..at + 1);
                    open.pop();
                    end = at + 1;
                }
            } else if !byte.is_ascii_whitespace() && byte != b':' {
                if let Some((_, item)) = open.last_mut() {
                    item.get_or_insert(at);
                }
                match byte {
                    b'{' | b'[' => open.push((at, None)),
                    _ => {
                        end = if byte == b'"' { string_end(text, at) } else { word_end(text, at) };
                        spans.add(text, at..end, !open.is_empty());
                        at = end;
                        continue;
                    }
                }
            }
            at += 1;
        }
        spans
    }

    fn add(&mut self, text: &[u8], span: Range<usize>, is_inside: bool) {
        let next = text[span.end..].iter().find(|byte| !byte.is_ascii_whitespace());
        match next {
            Some(b':') => self.keys.push(span),
            _ if is_inside => self.values.push(span),
            _ => {}
        }
    }
}

fn word_end(text: &[u8], start: usize) -> usize {
    let length = text[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    start + length.max(1)
}

fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[test]
fn what_can_be_changed_is_found_within_documents_and_streams() {
    let text = b"data: {\"a\": [1,\"x\\\"\" , null]}\n\ndata: {}\n\n";
    let shown = |spans: &[Range<usize>]| -> Vec<String> {
        spans.iter().map(|span| String::from_utf8_lossy(&text[span.clone()]).into_owned()).collect()
    };
    let spans = Spans::of(text);
    let container = "[1,\"x\\\"\" , null]";
    assert_eq!(shown(&spans.values), ["1", "\"x\\\"\"", "null", container, &format!("{{\"a\": {container}}}"), "{}"]);
    assert_eq!(shown(&spans.keys)[1..], ["\"a\"", "data"]);
    assert_eq!(shown(&spans.items), ["1", "\"x\\\"\"", "null", &format!("\"a\": {container}")]);
}

#[test]
fn a_seed_gives_the_same_input_again() {
    let seeds = [b"{\"a\":[1,2]}".to_vec(), b"[\"x\"]".to_vec()];
    let of = |seed| Mutation::new(seed).of(&seeds, false);
    assert_eq!(of(7), of(7));
    assert!((0..50).map(of).any(|input| input != of(7)));
}
