//! How many tokens a text is, roughly, for where nobody reports it.

use std::ops::{Add, AddAssign};

/// Text, by what decides how many tokens it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextCount {
    ascii_bytes: u64,
    other_characters: u64,
}

impl TextCount {
    /// A likely number of tokens: four ASCII bytes are one, and so is each other character.
    pub(crate) fn tokens(self) -> u64 {
        self.ascii_bytes.div_ceil(4).saturating_add(self.other_characters)
    }

    /// Adds the inside of a JSON string.
    pub(crate) fn add_string(&mut self, raw: &[u8]) {
        let mut rest = raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            self.add_plain(plain);
            rest = self.add_escape(escape);
        }
        self.add_plain(rest);
    }

    /// Adds a piece of the inside of a JSON string, which may begin or end within an escape: an escape counts as its letters.
    pub(crate) fn add_unescaped(&mut self, piece: &[u8]) {
        self.add_plain(piece);
        let backslashes = memchr::memchr_iter(b'\\', piece).count();
        self.ascii_bytes = self.ascii_bytes.saturating_sub(count(backslashes));
    }

    fn add_plain(&mut self, bytes: &[u8]) {
        // A character begins with any byte but a continuation, 0b10xx_xxxx.
        let ascii = bytes.iter().filter(|byte| byte.is_ascii()).count();
        let heads = bytes.iter().filter(|byte| **byte >= 0b1100_0000).count();
        self.ascii_bytes = self.ascii_bytes.saturating_add(count(ascii));
        self.other_characters = self.other_characters.saturating_add(count(heads));
    }

    /// Adds the escape at the front; gives what is behind it.
    fn add_escape<'a>(&mut self, escape: &'a [u8]) -> &'a [u8] {
        let (is_ascii, is_half, length) = match escape {
            [_, b'u', b'0', b'0', b'0'..=b'7', _, ..] => (true, false, 6),
            // The second half of a surrogate pair; the first one stands for the character.
            [_, b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => (false, true, 6),
            [_, b'u', ..] => (false, false, 6),
            _ => (true, false, 2),
        };
        self.ascii_bytes = self.ascii_bytes.saturating_add(u64::from(is_ascii));
        self.other_characters = self.other_characters.saturating_add(u64::from(!is_ascii && !is_half));
        escape.get(length..).unwrap_or_default()
    }
}

impl AddAssign for TextCount {
    fn add_assign(&mut self, other: Self) {
        self.ascii_bytes = self.ascii_bytes.saturating_add(other.ascii_bytes);
        self.other_characters = self.other_characters.saturating_add(other.other_characters);
    }
}

impl Add for TextCount {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_counted_as_they_are_meant() {
        let cases = [
            ("", 0, 0),
            ("abcd", 4, 0),
            ("héé", 1, 2),
            ("日本", 0, 2),
            ("\u{1F600}", 0, 1),
            (r"a\nb\u0041\\", 5, 0),
            (r"\u00e9\u65e5", 0, 2),
            (r"\ud83d\ude00", 0, 1),
            (r"\", 1, 0),
            (r"\u12", 0, 1),
        ];
        for (raw, ascii_bytes, other_characters) in cases {
            let mut text = TextCount::default();
            text.add_string(raw.as_bytes());
            assert_eq!(text, TextCount { ascii_bytes, other_characters }, "{raw}");
        }
    }

    #[test]
    fn pieces_count_the_same_however_they_are_cut() {
        let raw = r"a\nb\u00e9日\\x".as_bytes();
        let whole = |pieces: &[&[u8]]| {
            let mut text = TextCount::default();
            pieces.iter().for_each(|piece| text.add_unescaped(piece));
            text
        };
        for cut in 0..raw.len() {
            let (head, tail) = raw.split_at(cut);
            assert_eq!(whole(&[head, tail]), whole(&[raw]));
        }
    }
}
