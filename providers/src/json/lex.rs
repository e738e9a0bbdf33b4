//! The reader's steps through single tokens and whole containers.

use super::{Kind, MAX_DEPTH, Reader, Result, Walk};

impl Reader<'_> {
    /// Skips the rest of a string, its closing quote included. Gives whether it has escapes.
    pub(super) fn finish_string(&mut self) -> Result<bool> {
        let mut is_escaped = false;
        loop {
            self.at += plain_length(self.bytes.get(self.at..).unwrap_or_default());
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(is_escaped);
                }
                Some(b'\\') => {
                    is_escaped = true;
                    self.finish_escape()?;
                }
                Some(_) => return self.fail("a control character must be escaped"),
                None => return self.fail("the text ends within a string"),
            }
        }
    }

    fn finish_escape(&mut self) -> Result<()> {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let length = match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', digits @ ..] if digits.iter().take(4).filter(|digit| digit.is_ascii_hexdigit()).count() == 4 => 6,
            _ => return self.fail("invalid escape"),
        };
        self.at += length;
        Ok(())
    }

    pub(super) fn finish_number(&mut self) -> Result<()> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
            if self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
                return self.fail("a number must not begin with 0");
            }
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.fail("expected a digit") } else { Ok(()) }
    }

    pub(super) fn finish_word(&mut self, word: &'static [u8]) -> Result<()> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
            return self.fail("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    /// Skips a whole container without recursion: which bracket each level wants is kept in bits.
    pub(super) fn skip_container(&mut self) -> Result<()> {
        let floor = self.depth;
        let mut levels = Levels::default();
        let mut walk = Walk::default();
        self.open(&mut levels)?;
        while self.depth > floor {
            let is_object = levels.is_object(self.depth);
            if !self.advance(&mut walk, if is_object { b'}' } else { b']' })? {
                // Whatever is around has at least this container.
                walk.count = 1;
                continue;
            }
            if is_object {
                self.key()?;
            }
            match self.kind()? {
                Kind::Object | Kind::Array => {
                    self.open(&mut levels)?;
                    walk.count = 0;
                }
                _ => {
                    self.skip_scalar()?;
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, levels: &mut Levels) -> Result<()> {
        self.deepen()?;
        levels.set(self.depth, self.byte() == Some(b'{'));
        self.at += 1;
        Ok(())
    }

    fn skip_scalar(&mut self) -> Result<()> {
        match self.byte() {
            Some(b'"') => {
                self.at += 1;
                self.finish_string().map(|_| ())
            }
            Some(b't') => self.finish_word(b"true"),
            Some(b'f') => self.finish_word(b"false"),
            Some(b'n') => self.finish_word(b"null"),
            _ => self.finish_number(),
        }
    }
}

/// Which levels are objects: one bit each.
#[derive(Default)]
struct Levels([u64; MAX_DEPTH / 64 + 1]);

impl Levels {
    fn set(&mut self, depth: usize, is_object: bool) {
        if let Some(word) = self.0.get_mut(depth / 64) {
            let bit = 1 << (depth % 64);
            *word = if is_object { *word | bit } else { *word & !bit };
        }
    }

    fn is_object(&self, depth: usize) -> bool {
        self.0.get(depth / 64).is_some_and(|word| word & (1 << (depth % 64)) != 0)
    }
}

/// How many bytes from here on are ordinary characters of a string: no quote, no backslash, no control character.
/// Eight at a time; the tests for a byte in a word are from "Bit Twiddling Hacks" (hasless, haszero) and exact up to the
/// first hit, which is all that is asked.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES * 128;
    const fn zero_bytes(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & HIGHS
    }
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let hits = control | zero_bytes(word ^ (ONES * 0x22)) | zero_bytes(word ^ (ONES * 0x5C));
        if hits != 0 {
            return index * 8 + usize::try_from(hits.trailing_zeros() / 8).unwrap_or_default();
        }
    }
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    words.len() * 8 + rest.iter().take_while(|byte| is_plain(byte)).count()
}
