//! Bounds that hold before the parser sees an expression: it, and all that walks what it builds, goes as deep as the text
//! makes it.

use super::ExprError;

/// How long an expression may be.
pub(super) const MOST_BYTES: usize = 10_240;
/// How deep brackets may be nested.
pub(super) const MOST_BRACKETS: u16 = 32;
/// How many operators may follow each other, those of the enclosing brackets included: each may be one level more.
const MOST_LINKS: usize = 96;

/// The operators of one level of brackets.
#[derive(Default)]
struct Level {
    /// Since the last comma, `&&` or `||`.
    links: usize,
    /// Conditional operators since the last comma: they nest to the right, over `&&` and `||`.
    conditionals: usize,
}

/// Checks the length of an expression, and how deep it can be.
pub(super) fn check(text: &str) -> Result<(), ExprError> {
    if text.len() > MOST_BYTES {
        return Err(ExprError::new(1, format!("has {} bytes, more than {MOST_BYTES}", text.len())));
    }
    let mut levels = vec![Level::default()];
    let mut scanner = Scanner { rest: text, at: 1 };
    while let Some((at, token)) = scanner.next() {
        match token {
            "(" | "[" | "{" => {
                add(&mut levels, 1);
                levels.push(Level::default());
            }
            ")" | "]" | "}" if levels.len() > 1 => {
                levels.pop();
            }
            "," => levels.last_mut().into_iter().for_each(|level| *level = Level::default()),
            "&&" | "||" => levels.last_mut().into_iter().for_each(|level| level.links = 0),
            "?" => levels.last_mut().into_iter().for_each(|level| level.conditionals += 1),
            "." | "+" | "-" | "*" | "/" | "%" | "!" | "<" | ">" | "=" | "in" => add(&mut levels, 1),
            _ => {}
        }
        let depth: usize = levels.iter().map(|level| level.links + level.conditionals).sum();
        if levels.len() > usize::from(MOST_BRACKETS) + 1 || depth > MOST_LINKS {
            return Err(ExprError::new(at, "is nested too deeply here"));
        }
    }
    Ok(())
}

fn add(levels: &mut [Level], links: usize) {
    levels.last_mut().into_iter().for_each(|level| level.links += links);
}

/// Splits an expression into what counts: words, single characters, `&&` and `||`. Texts and comments are passed over.
struct Scanner<'a> {
    rest: &'a str,
    /// The character that comes next, from 1.
    at: usize,
}

impl<'a> Scanner<'a> {
    fn next(&mut self) -> Option<(usize, &'a str)> {
        loop {
            let first = self.rest.chars().next()?;
            let at = self.at;
            if self.rest.starts_with("//") {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if matches!(first, '"' | '\'') {
                self.skip_text(false);
            } else if is_word(first) {
                let word = self.take(self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len()));
                let is_prefix = word.len() <= 2 && word.bytes().all(|byte| matches!(byte, b'r' | b'R' | b'b' | b'B'));
                if is_prefix && self.rest.starts_with(['"', '\'']) {
                    self.skip_text(word.contains(['r', 'R']));
                }
                return Some((at, word));
            } else if self.rest.starts_with("&&") || self.rest.starts_with("||") {
                return Some((at, self.take(2)));
            } else {
                return Some((at, self.take(first.len_utf8())));
            }
        }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.at += taken.chars().count();
        taken
    }

    /// Passes over a text in single or triple quotes. One that does not end is left to the parser to complain about.
    fn skip_text(&mut self, is_raw: bool) {
        let quote = self.rest.get(..1).unwrap_or_default();
        let triple = self.rest.get(..3).filter(|start| start.split(quote).all(str::is_empty));
        let mark = triple.unwrap_or(quote);
        self.take(mark.len());
        while !self.rest.is_empty() && !self.rest.starts_with(mark) {
            let is_escape = !is_raw && self.rest.starts_with('\\');
            let length: usize = self.rest.chars().take(1 + usize::from(is_escape)).map(char::len_utf8).sum();
            self.take(length);
        }
        self.take(mark.len());
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
