//! A scanner of JSON that arrives in any pieces: the structure only, in constant memory, without judging what is valid.

use memchr::memchr2;

/// What the scanner meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// An opening bracket; the depth is already that of its inside.
    Open,
    /// A closing bracket; the depth is already that of its outside.
    Close,
    Colon,
    Comma,
    /// A string begins: its opening quote.
    Quote,
    /// The inside of a string from `from` up to the token's end, which may be all of it or a part. `is_last`: the closing quote is
    /// behind it, and belongs to the token.
    Text {
        from: usize,
        to: usize,
        is_last: bool,
    },
    /// A number or a word, or a part of it.
    Atom,
    /// Space between tokens.
    Space,
}

/// The scanner's state between pieces.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    depth: u32,
    in_string: bool,
    after_backslash: bool,
}

impl Scanner {
    /// How many brackets are open.
    pub(crate) const fn depth(&self) -> u32 {
        self.depth
    }

    /// The token at `at`, which is moved behind it. `None`: the piece is used up.
    pub(crate) fn next(&mut self, bytes: &[u8], at: &mut usize) -> Option<Token> {
        let byte = *bytes.get(*at)?;
        if self.in_string {
            return Some(self.text(bytes, at));
        }
        *at += 1;
        Some(match byte {
            b'"' => {
                self.in_string = true;
                Token::Quote
            }
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                Token::Open
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                Token::Close
            }
            b':' => Token::Colon,
            b',' => Token::Comma,
            b' ' | b'\n' | b'\r' | b'\t' => Token::Space,
            _ => {
                let rest = bytes.get(*at..).unwrap_or_default();
                *at += rest.iter().take_while(|byte| is_atom(**byte)).count();
                Token::Atom
            }
        })
    }

    fn text(&mut self, bytes: &[u8], at: &mut usize) -> Token {
        let from = *at;
        if std::mem::take(&mut self.after_backslash) {
            *at += 1;
        }
        while let Some(rest) = bytes.get(*at..) {
            let Some(length) = memchr2(b'"', b'\\', rest) else { break };
            *at += length + 1;
            if rest.get(length) == Some(&b'"') {
                self.in_string = false;
                return Token::Text { from, to: *at - 1, is_last: true };
            }
            self.after_backslash = *at == bytes.len();
            *at += 1;
        }
        *at = bytes.len();
        Token::Text { from, to: *at, is_last: false }
    }
}

const fn is_atom(byte: u8) -> bool {
    !matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b':' | b',' | b' ' | b'\n' | b'\r' | b'\t')
}
