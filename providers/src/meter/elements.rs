//! The elements of a JSON array that arrives in any pieces: Gemini's streams that are no event streams.

use crate::scan::{Scanner, Token};
use crate::sse::MAX_EVENT_BYTES;

/// An element, or a piece of one that is too long to be kept.
#[derive(Debug)]
pub(crate) enum Element<'a> {
    Whole(&'a [u8]),
    Piece { data: &'a [u8], is_last: bool },
}

/// The splitter. It keeps the element that has begun, and no more.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    scanner: Scanner,
    pending: Vec<u8>,
    is_within: bool,
    is_long: bool,
}

impl Elements {
    /// Takes the next bytes, and hands on what they complete.
    pub(crate) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Element<'_>)) {
        let (mut at, mut start) = (0, 0);
        while let Some(token) = self.scanner.next(bytes, &mut at) {
            match token {
                Token::Open if !self.is_within && self.scanner.depth() == 2 => {
                    self.is_within = true;
                    start = at - 1;
                }
                Token::Close if self.is_within && self.scanner.depth() <= 1 => {
                    self.is_within = false;
                    self.end(bytes.get(start..at).unwrap_or_default(), &mut each);
                }
                _ => {}
            }
        }
        if !self.is_within {
            return;
        }
        let rest = bytes.get(start..).unwrap_or_default();
        if self.is_long || self.pending.len() + rest.len() > MAX_EVENT_BYTES {
            self.is_long = true;
            each(Element::Piece { data: &std::mem::take(&mut self.pending), is_last: false });
            each(Element::Piece { data: rest, is_last: false });
        } else {
            self.pending.extend_from_slice(rest);
        }
    }

    /// Hands on the element that was begun and never ended, if there is one.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(Element<'_>)) {
        if std::mem::take(&mut self.is_within) {
            self.end(&[], &mut each);
        }
    }

    fn end(&mut self, rest: &[u8], each: &mut impl FnMut(Element<'_>)) {
        if std::mem::take(&mut self.is_long) {
            each(Element::Piece { data: rest, is_last: true });
        } else if self.pending.is_empty() {
            each(Element::Whole(rest));
        } else {
            self.pending.extend_from_slice(rest);
            each(Element::Whole(&self.pending));
            self.pending.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut found = Vec::new();
        let mut elements = Elements::default();
        for piece in pieces {
            elements.push(piece, |element| match element {
                Element::Whole(data) => found.push(String::from_utf8(data.to_vec()).unwrap()),
                Element::Piece { .. } => panic!("no piece"),
            });
        }
        found
    }

    #[test]
    fn elements_are_found_whatever_the_border() {
        let array = "[{\"a\":\"]},{\\\"\"}\r\n,\r\n{\"b\":[{},[1]]} , {\"é\":1}]";
        let expected = ["{\"a\":\"]},{\\\"\"}", "{\"b\":[{},[1]]}", "{\"é\":1}"];
        for cut in 0..array.len() {
            let (head, tail) = array.as_bytes().split_at(cut);
            assert_eq!(split([head, tail]), expected, "cut at {cut}");
        }
        assert_eq!(split(array.as_bytes().chunks(1)), expected);
        assert!(split([b"[]".as_slice()]).is_empty());
    }

    #[test]
    fn long_elements_come_in_pieces() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2 * MAX_EVENT_BYTES));
        let array = format!("[{{}},{long},{{}}]");
        let (mut found, mut elements) = (String::new(), Elements::default());
        for chunk in array.as_bytes().chunks(70_000) {
            elements.push(chunk, |element| match element {
                Element::Whole(data) => found += &format!("[{}]", String::from_utf8_lossy(data)),
                Element::Piece { data, is_last } => {
                    found += &String::from_utf8_lossy(data);
                    found += if is_last { "|" } else { "" };
                }
            });
        }
        assert!(found == format!("[{{}}]{long}|[{{}}]"));
    }
}
