//! What was said in a call: its body and its answer, as far as they are kept. They lie beside the rows, and may be lost.

use super::LogId;
use crate::{Logs, Store, StoreError};

/// Names what was said in a call. Like a row's name it begins with the moment at which the call began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub(crate) u64);

/// What was said in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its name, which the call's row has too.
    pub id: ContentId,
    /// The body of the request, as the client sent it.
    pub request: Said,
    /// The answer, as the client got it: of a stream its events.
    pub answer: Said,
}

/// A body, or the beginning of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What there is of it.
    pub bytes: Vec<u8>,
    /// How long it was.
    pub length: u64,
}

impl ContentId {
    /// That of a call that began then, in milliseconds since 1970. Of those of one moment the numbers differ.
    #[must_use]
    pub fn of(at_ms: u64, number: u64) -> Self {
        Self(LogId::of(at_ms, number).0)
    }
}

impl Said {
    /// Adds what follows, as far as there is room: `most` bytes in all. Gives how much more that takes.
    pub fn add(&mut self, piece: &[u8], most: usize) -> usize {
        self.length = self.length.saturating_add(piece.len() as u64);
        let room = most.saturating_sub(self.bytes.len()).min(piece.len());
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or_default());
        room
    }

    /// Whether there was more of it.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.length > self.bytes.len() as u64
    }
}

impl Store {
    /// Keeps what was said in calls, in one step of the writer's.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing of it is.
    pub fn keep_contents(&self, contents: Vec<Content>) -> Result<(), StoreError> {
        self.ask(move |bookkeeper| bookkeeper.keep_contents(&contents))
    }
}

impl Logs {
    /// What was said in a call; `None`: it was not kept, or is no longer.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn content(&self, id: ContentId) -> Result<Option<Content>, StoreError> {
        self.tables.content(id)
    }
}
