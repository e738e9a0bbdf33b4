//! Thoughts in a conversation that the asked vendor's kind did not think (`hub::stranger`): earlier turns came from others, translated. The
//! vendor would refuse the request for them, so they are cut out.

use memchr::memmem;
use policy::request::{Dialect, Operation};

use crate::hub::stranger::MARK;
use crate::json::{Cut, JsonError, Kind, Reader};

type Result<T> = std::result::Result<T, JsonError>;

/// Where a body has thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Among the blocks of Anthropic's messages.
    Blocks,
    /// Among the items of the Responses API's input.
    Items,
}

impl Place {
    /// `None`: there is no mark for what such a body may have.
    pub(super) const fn of(dialect: Dialect, operation: Operation) -> Option<Self> {
        match (dialect, operation) {
            (Dialect::Anthropic, _) => Some(Self::Blocks),
            (Dialect::OpenAi, Operation::Responses | Operation::CountTokens) => Some(Self::Items),
            _ => None,
        }
    }
}

/// The marked thoughts of a body that was peeked into, none within another.
pub(super) fn find(body: &[u8], place: Place) -> Vec<Cut> {
    // Hardly any body has a mark, and a search is many times faster than a walk.
    if memmem::find(body, MARK.as_bytes()).is_none() {
        return Vec::new();
    }
    let mut seeker = Seeker { reader: Reader::new(body), cuts: Vec::new() };
    // The peek has read the same bytes by the same reader.
    seeker.body(place).map(|()| seeker.cuts).unwrap_or_default()
}

struct Seeker<'a> {
    reader: Reader<'a>,
    cuts: Vec<Cut>,
}

impl Seeker<'_> {
    fn body(&mut self, place: Place) -> Result<()> {
        let mut walk = self.reader.object()?;
        while let Some(key) = self.reader.next_key(&mut walk)? {
            match place {
                Place::Blocks if key.is("messages") => self.elements(Self::message)?,
                Place::Items if key.is("input") => self.elements(Self::thought)?,
                _ => self.skip()?,
            };
        }
        Ok(())
    }

    /// Whether a message is nothing but marked thoughts: Anthropic takes no empty one, so it goes as a whole.
    fn message(&mut self) -> Result<bool> {
        if self.reader.kind()? != Kind::Object {
            return self.skip();
        }
        let (mut is_empty, before) = (false, self.cuts.len());
        let mut walk = self.reader.object()?;
        while let Some(key) = self.reader.next_key(&mut walk)? {
            if key.is("content") {
                is_empty = self.elements(Self::thought)?;
            } else {
                self.skip()?;
            }
        }
        if is_empty {
            self.cuts.truncate(before);
        }
        Ok(is_empty)
    }

    /// Whether a block or an item is a marked thought.
    fn thought(&mut self) -> Result<bool> {
        if self.reader.kind()? != Kind::Object {
            return self.skip();
        }
        let (mut is_thought, mut is_marked) = (false, false);
        let mut walk = self.reader.object()?;
        while let Some(key) = self.reader.next_key(&mut walk)? {
            match (&*key.name(), self.reader.kind()?) {
                ("type", Kind::String) => {
                    let kind = self.reader.string()?.name();
                    is_thought = matches!(&*kind, "thinking" | "redacted_thinking" | "reasoning");
                }
                ("signature" | "data" | "encrypted_content", Kind::String) => {
                    is_marked |= self.reader.string()?.raw().starts_with(MARK.as_bytes());
                }
                _ => {
                    self.skip()?;
                }
            }
        }
        Ok(is_thought && is_marked)
    }

    /// Cuts those elements out of the array that is next of which this, which reads them, says so. Gives whether all had to go.
    fn elements(&mut self, mut is_cut: impl FnMut(&mut Self) -> Result<bool>) -> Result<bool> {
        if self.reader.kind()? != Kind::Array {
            return self.skip();
        }
        let mut open = self.reader.at() + 1;
        let (mut has_kept, mut cut) = (false, None::<Cut>);
        let mut walk = self.reader.array()?;
        while self.reader.next_element(&mut walk)? {
            self.cuts.extend(cut.take().map(|cut| cut.until(walk.comma)));
            open = walk.comma.map_or(open, |comma| comma + 1);
            if is_cut(self)? {
                // The comma before it went with the element before it, unless that one stays.
                cut = Some(Cut::new(walk.comma.filter(|_| has_kept), open, self.reader.at()));
            } else {
                has_kept = true;
            }
        }
        self.cuts.extend(cut);
        Ok(walk.count > 0 && !has_kept)
    }

    fn skip(&mut self) -> Result<bool> {
        self.reader.skip().map(|_| false)
    }
}

#[cfg(test)]
mod tests;
