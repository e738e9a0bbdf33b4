//! The parts of a stream by the item that they are of: those of one item come one behind the other, those of several may mingle.

use crate::hub::delta::{Delta, Opened};
use crate::hub::members::Members;
use crate::hub::source::{Result, Source};
use crate::openai::queue;
pub(super) use crate::openai::queue::Piece;

/// Which part of which item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    output: u64,
    part: Within,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Content(u64),
    Summary(u64),
    Call,
    /// A part that an item's end tells.
    Whole(u64),
}

impl Key {
    pub(super) fn output(event: &Members<'_>) -> Result<u64> {
        index(event, "output_index")
    }

    pub(super) fn content(event: &Members<'_>) -> Result<Self> {
        Ok(Self { output: Self::output(event)?, part: Within::Content(index(event, "content_index")?) })
    }

    pub(super) fn summary(event: &Members<'_>) -> Result<Self> {
        Ok(Self { output: Self::output(event)?, part: Within::Summary(index(event, "summary_index")?) })
    }

    pub(super) fn call(event: &Members<'_>) -> Result<Self> {
        Ok(Self { output: Self::output(event)?, part: Within::Call })
    }

    pub(super) const fn whole(output: u64, number: u64) -> Self {
        Self { output, part: Within::Whole(number) }
    }
}

/// Some who copy the API leave out what is 0.
fn index(event: &Members<'_>, name: &str) -> Result<u64> {
    Ok(event.read(name, Source::count)?.flatten().unwrap_or_default())
}

/// The parts that are not whole.
#[derive(Debug, Default)]
pub(super) struct Queue {
    parts: queue::Queue<Key>,
    /// The items that something was told of.
    items: Vec<u64>,
}

type Each<'e> = dyn FnMut(Delta<'_>) + 'e;

impl Queue {
    /// Whether something was told of an item.
    pub(super) fn has(&self, output: u64) -> bool {
        self.items.contains(&output)
    }

    /// Whether a part that is not whole has words.
    pub(super) fn has_text(&self, key: Key) -> bool {
        self.parts.has_text(&key)
    }

    /// A part begins, if it has not yet; those before it in the same item have ended.
    pub(super) fn open(&mut self, key: Key, opened: Opened<'_>, each: &mut Each<'_>) {
        if self.parts.has(&key) {
            return;
        }
        self.close_all(key.output, each);
        if !self.has(key.output) {
            self.items.push(key.output);
        }
        self.parts.open(key, opened, each);
    }

    /// More of a part; nothing where it is whole or never began.
    pub(super) fn tell(&mut self, key: Key, piece: Piece<'_>, each: &mut Each<'_>) {
        self.parts.tell(&key, piece, each);
    }

    /// A part is whole.
    pub(super) fn close(&mut self, key: Key, each: &mut Each<'_>) {
        self.parts.close(|own| *own == key, each);
    }

    /// All parts of an item are whole.
    pub(super) fn close_all(&mut self, output: u64, each: &mut Each<'_>) {
        self.parts.close(|own| own.output == output, each);
    }

    /// All parts are whole.
    pub(super) fn finish(&mut self, each: &mut Each<'_>) {
        self.parts.close(|_| true, each);
    }
}
