//! A call of which more may come: which pieces are its own, and whether its arguments are whole.

use super::call::Call;
use crate::hub::text::Str;

/// A call that grows.
#[derive(Debug, PartialEq)]
pub(super) struct GrowingCall {
    pub(super) index: Option<u64>,
    id: Option<Str<'static>>,
    pub(super) arguments: Braces,
}

impl GrowingCall {
    pub(super) const fn new(index: Option<u64>, id: Option<Str<'static>>) -> Self {
        let arguments = Braces { depth: 0, in_string: false, is_escaped: false, is_whole: false };
        Self { index, id, arguments }
    }

    /// Whether this is more of it. Some leave the index out, some have 0 for all, some repeat id and name in each piece.
    pub(super) fn goes_on(&self, piece: &Call<'_>) -> bool {
        let Call { index, id, name, .. } = piece;
        let is_other = index.is_some() && self.index.is_some() && *index != self.index;
        let is_renamed = name.is_some() && id.is_some() && self.id != *id;
        let is_nameless_next = name.is_some() && id.is_none() && index.is_none();
        !is_other && !is_renamed && !is_nameless_next
    }
}

/// How deep in an object's text its end is.
#[derive(Debug, PartialEq)]
pub(super) struct Braces {
    depth: u32,
    in_string: bool,
    is_escaped: bool,
    /// Whether each brace that was opened is closed again.
    pub(super) is_whole: bool,
}

impl Braces {
    /// More of the text.
    pub(super) fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' if !self.in_string => self.depth += 1,
                b'}' if !self.in_string => {
                    self.depth = self.depth.saturating_sub(1);
                    self.is_whole = self.depth == 0;
                }
                _ => {}
            }
            self.is_whole &= self.depth == 0;
        }
    }
}
