//! Server-sent events (WHATWG HTML §9.2, "event stream interpretation"), taken apart as they arrive.
//!
//! A block is what one blank line ends. Every byte that comes in is in exactly one item that comes out, so that a stream can be
//! put together again, with some of its blocks changed.

use std::borrow::Cow;

use memchr::memchr2;

/// A block longer than this is not kept but handed on in pieces, in bytes.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// What a decoder finds.
#[derive(Debug)]
pub enum Item<'a> {
    /// A block.
    Event(Event<'a>),
    /// A piece of a block that is longer than [`MAX_EVENT_BYTES`].
    Piece(Piece<'a>),
}

/// One block: an event, a comment, or nothing but its blank line.
#[derive(Debug)]
pub struct Event<'a> {
    /// The block as it came, its blank line included.
    pub raw: &'a [u8],
    /// The `event` field.
    pub name: Option<&'a [u8]>,
    /// The `data` fields, joined by line feeds. `None`: there is none, so it is no event.
    pub data: Option<Cow<'a, [u8]>>,
    /// Where in `raw` the data begins. `None`: it has no data, or several lines of it.
    pub data_at: Option<usize>,
    /// The `id` field; ids with a NUL are ignored, as the standard has it.
    pub id: Option<&'a [u8]>,
    /// The `retry` field, in milliseconds.
    pub retry: Option<u64>,
    /// Whether its blank line came. The standard wants what has none ignored.
    pub is_whole: bool,
}

/// A piece of a block that is too long to be kept.
#[derive(Debug)]
pub struct Piece<'a> {
    /// The piece as it came.
    pub raw: &'a [u8],
    /// What of it is data.
    pub data: &'a [u8],
    /// Whether the block ends with it.
    pub is_last: bool,
}

/// The decoder. It keeps the block that has begun, and no more.
#[derive(Debug, Default)]
pub struct Decoder {
    border: Border,
    pending: Vec<u8>,
    /// Set within a block that is too long.
    long: Option<DataFilter>,
    is_begun: bool,
}

impl Decoder {
    /// Takes the next bytes, and hands on what they complete.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Item<'_>)) {
        let mut rest = bytes;
        while let Some(end) = self.border.find(rest) {
            let (block, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.end_block(block, true, &mut each);
            rest = after;
        }
        if self.long.is_none() && self.pending.len() + rest.len() > MAX_EVENT_BYTES {
            self.give_up(&mut each);
        }
        match &mut self.long {
            Some(filter) => filter.pieces(rest, &mut each),
            None => self.pending.extend_from_slice(rest),
        }
    }

    /// Hands on the block that was begun and never ended, if there is one.
    pub fn finish(&mut self, mut each: impl FnMut(Item<'_>)) {
        if self.long.is_some() || !self.pending.is_empty() {
            self.end_block(&[], self.border.is_block_over(), &mut each);
        }
        self.border = Border::default();
    }

    fn end_block(&mut self, block: &[u8], is_whole: bool, each: &mut impl FnMut(Item<'_>)) {
        if self.pending.len() + block.len() > MAX_EVENT_BYTES && !self.pending.is_empty() {
            self.give_up(each);
        }
        if let Some(mut filter) = self.long.take() {
            filter.pieces(block, each);
            each(Item::Piece(Piece { raw: &[], data: &[], is_last: true }));
            return;
        }
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        if self.pending.is_empty() {
            each(Item::Event(Event::parse(block, is_first, is_whole)));
            return;
        }
        self.pending.extend_from_slice(block);
        each(Item::Event(Event::parse(&self.pending, is_first, is_whole)));
        self.pending.clear();
    }

    /// Stops keeping the block.
    fn give_up(&mut self, each: &mut impl FnMut(Item<'_>)) {
        let mut filter = DataFilter::default();
        filter.pieces(&self.pending, each);
        self.long = Some(filter);
        self.is_begun = true;
        self.pending = Vec::new();
    }
}

impl<'a> Event<'a> {
    fn parse(raw: &'a [u8], is_first: bool, is_whole: bool) -> Self {
        let mut event = Self { raw, name: None, data: None, data_at: None, id: None, retry: None, is_whole };
        let mut at = if is_first && raw.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
            let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or_default();
            event.field(line, at);
            // The line feed after a carriage return is one more empty line here, which means nothing within a block.
            at += length + 1;
        }
        event
    }

    fn field(&mut self, line: &'a [u8], line_at: usize) {
        let (name, value_at) = match memchr::memchr(b':', line) {
            Some(0) => return,
            Some(colon) if line.get(colon + 1) == Some(&b' ') => (line.get(..colon), colon + 2),
            Some(colon) => (line.get(..colon), colon + 1),
            None => (Some(line), line.len()),
        };
        let value = line.get(value_at..).unwrap_or_default();
        match name.unwrap_or_default() {
            b"data" => self.add_data(value, line_at + value_at),
            b"event" => self.name = Some(value),
            b"id" if !value.contains(&0) => self.id = Some(value),
            b"retry" => self.retry = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()),
            _ => {}
        }
    }

    fn add_data(&mut self, value: &'a [u8], at: usize) {
        match &mut self.data {
            None => {
                self.data = Some(Cow::Borrowed(value));
                self.data_at = Some(at);
            }
            Some(data) => {
                let data = data.to_mut();
                data.push(b'\n');
                data.extend_from_slice(value);
                self.data_at = None;
            }
        }
    }
}

/// Where blocks end: behind a line that is empty. Lines end with LF, CR or CRLF.
#[derive(Debug, Default)]
struct Border {
    line_has_bytes: bool,
    after_cr: bool,
    /// The block is over, but for a line feed that may belong to it.
    awaits_lf: bool,
}

impl Border {
    /// Goes on with these bytes; gives how many of them belong to the block that ends in them.
    fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.awaits_lf {
            let first = bytes.first()?;
            *self = Self::default();
            return Some(usize::from(*first == b'\n'));
        }
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                self.line_has_bytes = true;
                self.after_cr = false;
                return None;
            };
            if length > 0 {
                self.line_has_bytes = true;
                self.after_cr = false;
            }
            let is_lf = rest.get(length) == Some(&b'\n');
            at += length + 1;
            if is_lf && std::mem::take(&mut self.after_cr) {
                continue;
            }
            self.after_cr = !is_lf;
            if std::mem::take(&mut self.line_has_bytes) {
                continue;
            }
            return self.end_at(bytes, at, is_lf);
        }
        None
    }

    fn end_at(&mut self, bytes: &[u8], at: usize, is_lf: bool) -> Option<usize> {
        *self = Self::default();
        match bytes.get(at) {
            _ if is_lf => Some(at),
            Some(b'\n') => Some(at + 1),
            Some(_) => Some(at),
            None => {
                self.awaits_lf = true;
                None
            }
        }
    }

    const fn is_block_over(&self) -> bool {
        self.awaits_lf
    }
}

/// Finds the data in a block that comes in pieces.
#[derive(Debug, Default)]
struct DataFilter {
    line: Line,
}

/// Where in a line the filter is.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// This many bytes of it were `data:` so far; behind all five, one space is skipped.
    Name(usize),
    Data,
    Other,
}

impl Default for Line {
    fn default() -> Self {
        Self::Name(0)
    }
}

impl DataFilter {
    fn pieces(&mut self, bytes: &[u8], each: &mut impl FnMut(Item<'_>)) {
        let mut raw = bytes;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or_default();
            let data = self.data(line);
            if !data.is_empty() {
                each(Item::Piece(Piece { raw: std::mem::take(&mut raw), data, is_last: false }));
            }
            if length < rest.len() {
                self.line = Line::default();
            }
            at += length + 1;
        }
        if !raw.is_empty() {
            each(Item::Piece(Piece { raw, data: &[], is_last: false }));
        }
    }

    /// What of a part of a line is data.
    fn data<'a>(&mut self, part: &'a [u8]) -> &'a [u8] {
        for (index, byte) in part.iter().enumerate() {
            self.line = match (self.line, byte) {
                (Line::Name(5), b' ') => Line::Data,
                (Line::Name(5) | Line::Data, _) => {
                    self.line = Line::Data;
                    return part.get(index..).unwrap_or_default();
                }
                (Line::Name(matched), byte) if b"data:".get(matched) == Some(byte) => Line::Name(matched + 1),
                _ => {
                    self.line = Line::Other;
                    return &[];
                }
            };
        }
        &[]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Name, data, id, retry.
    type Owned = (Option<String>, Option<String>, Option<String>, Option<u64>);

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// The events with data, and all raw bytes.
    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Owned>, Vec<u8>) {
        let (mut events, mut raw) = (Vec::new(), Vec::new());
        let mut decoder = Decoder::default();
        let mut each = |item: Item<'_>| match item {
            Item::Event(event) => {
                raw.extend_from_slice(event.raw);
                if let Some(at) = event.data_at {
                    assert!(event.raw[at..].starts_with(event.data.as_deref().unwrap()));
                }
                if event.data.is_some() {
                    events.push((
                        event.name.map(text),
                        event.data.as_deref().map(text),
                        event.id.map(text),
                        event.retry,
                    ));
                }
            }
            Item::Piece(piece) => raw.extend_from_slice(piece.raw),
        };
        for piece in pieces {
            decoder.push(piece, &mut each);
        }
        decoder.finish(&mut each);
        (events, raw)
    }

    fn data(data: &str) -> Owned {
        (None, Some(data.to_owned()), None, None)
    }

    #[test]
    fn streams_are_taken_apart_whatever_the_border() {
        let named = |name: &str, text: &str| (Some(name.to_owned()), Some(text.to_owned()), None, None);
        let cases: Vec<(&str, Vec<Owned>)> = vec![
            ("", vec![]),
            ("data: a\n\ndata:b\n\n", vec![data("a"), data("b")]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", vec![data("a"), data("b")]),
            ("data: a\r\rdata: b\r\r", vec![data("a"), data("b")]),
            ("data: a\r\n\ndata: b\n\r\n", vec![data("a"), data("b")]),
            ("data: a\r\r\ndata: b\n\n", vec![data("a"), data("b")]),
            ("\u{feff}data: a\n\n", vec![data("a")]),
            (": comment\n\ndata: a\n: more\n\n:\n\n", vec![data("a")]),
            ("data: a\ndata: b\ndata\n\n", vec![data("a\nb\n")]),
            ("data:  two spaces\n\n", vec![data(" two spaces")]),
            ("event: x\ndata: {\"é\":\"\u{1F600}\"}\n\n", vec![named("x", "{\"é\":\"\u{1F600}\"}")]),
            ("event: x\n\ndata: y\n\n", vec![data("y")]),
            ("unknown: x\ndata\n\n", vec![data("")]),
            ("\n\n\ndata: a\n\n\n\n", vec![data("a")]),
            ("data: no end", vec![data("no end")]),
            ("data: no end\r\n", vec![data("no end")]),
            (
                "id: 7\nretry: 100\ndata: a\n\nretry: x\nid: \0\ndata: b\n\n",
                vec![(None, Some("a".to_owned()), Some("7".to_owned()), Some(100)), data("b")],
            ),
        ];
        for (stream, expected) in cases {
            let bytes = stream.as_bytes();
            for cut in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                let (events, raw) = decode([head, tail]);
                assert_eq!((&events, &*raw), (&expected, bytes), "{stream:?} cut at {cut}");
            }
            let (events, raw) = decode(bytes.chunks(1));
            assert_eq!((events, &*raw), (expected, bytes), "{stream:?} byte by byte");
        }
    }

    #[test]
    fn events_within_one_piece_are_not_copied() {
        let bytes = b"data: a\n\ndata: b\n\n";
        Decoder::default().push(bytes, |item| match item {
            Item::Event(event) => assert!(bytes.as_ptr_range().contains(&event.raw.as_ptr())),
            Item::Piece(_) => panic!("no piece"),
        });
    }

    #[test]
    fn an_event_without_its_blank_line_is_not_whole() {
        let whole = |stream: &[u8]| {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            let mut each = |item: Item<'_>| match item {
                Item::Event(event) => found.push(event.is_whole),
                Item::Piece(_) => {}
            };
            decoder.push(stream, &mut each);
            decoder.finish(&mut each);
            found
        };
        assert_eq!(whole(b"data: a\n\ndata: b\n"), [true, false]);
        assert_eq!(whole(b"data: a\r\n\r"), [true]);
    }

    #[test]
    fn long_events_come_in_pieces() {
        let long = "x".repeat(MAX_EVENT_BYTES + 10);
        let stream = format!("data: a\n\nevent: long\r\ndata: {long}\r\nother: y\r\n\r\ndata: b\n\n");
        for size in [1_000, 4_096, 100_001] {
            let (mut found, mut raw, mut kept) = (String::new(), Vec::new(), 0);
            let mut decoder = Decoder::default();
            for chunk in stream.as_bytes().chunks(size) {
                decoder.push(chunk, |item| match item {
                    Item::Event(event) => {
                        raw.extend_from_slice(event.raw);
                        found += &format!("[{}]", text(event.data.as_deref().unwrap_or_default()));
                    }
                    Item::Piece(piece) => {
                        raw.extend_from_slice(piece.raw);
                        found += &text(piece.data);
                        found += if piece.is_last { "|" } else { "" };
                    }
                });
                kept = kept.max(decoder.pending.capacity());
            }
            assert!(found == format!("[a]{long}|[b]"), "chunks of {size}");
            assert!(raw == stream.as_bytes());
            assert!(kept <= 2 * MAX_EVENT_BYTES, "{kept}");
        }
    }

    proptest! {
        #[test]
        fn any_stream_is_the_same_however_it_is_cut(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "data", ":", " ", "\n", "\r", "\r\n", "\n\n", "event: e", "data: x", "é", "\u{feff}", "{}", "id",
            ]), 0..30),
            cuts in prop::collection::vec(1_usize..6, 0..60),
        ) {
            let stream = pieces.concat();
            let mut rest = stream.as_bytes();
            let mut chunks = Vec::new();
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            chunks.push(rest);
            let (events, raw) = decode(chunks);
            prop_assert_eq!(&raw, stream.as_bytes());
            prop_assert_eq!(events, decode([stream.as_bytes()]).0);
        }
    }
}
