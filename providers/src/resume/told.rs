//! What a client has been told so far, read event by event.

use policy::request::{Dialect, Operation};

use super::responses::Answer;
use super::{MAX_TEXT_BYTES, anthropic, gemini, openai, responses};
use crate::json::{JsonError, Reader};
use crate::sse::{Event, Item};

/// What a client has been told.
#[derive(Debug)]
pub(super) struct Told {
    /// `None`: nothing is known of what is said.
    pub(super) speech: Option<Speech>,
    pub(super) text: String,
    /// The data of the event that names the answer: its id, its model and so on.
    pub(super) head: Option<Vec<u8>>,
    pub(super) end: End,
    /// All of it was understood, and is plain text of one answer.
    pub(super) is_plain: bool,
    pub(super) has_failed: bool,
}

/// The dialect, with where in its structure the stream is.
#[derive(Clone, Debug)]
pub(super) enum Speech {
    Chat,
    Completion,
    Anthropic(anthropic::Block),
    Responses(Box<Answer>),
    Gemini,
}

/// How near its end a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Open,
    /// It has said why it ends.
    Finished,
    /// It has ended.
    Complete,
}

/// What an event is, for a stream that may have to be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Plain text, or structure around it.
    Plain,
    /// Something that cannot be continued.
    Strange,
    /// The vendor failed.
    Failure,
}

/// What of a told answer changes, to go back to.
pub(super) struct Checkpoint {
    speech: Option<Speech>,
    text: usize,
    has_head: bool,
    end: End,
    is_plain: bool,
    has_failed: bool,
}

impl Speech {
    pub(super) fn of(dialect: Dialect, operation: Operation) -> Option<Self> {
        match (dialect, operation) {
            (Dialect::OpenAi, Operation::ChatCompletion) => Some(Self::Chat),
            (Dialect::OpenAi, Operation::TextCompletion) => Some(Self::Completion),
            (Dialect::OpenAi, Operation::Responses) => Some(Self::Responses(Box::default())),
            (Dialect::Anthropic, Operation::ChatCompletion) => Some(Self::Anthropic(anthropic::Block::default())),
            (Dialect::Gemini, Operation::ChatCompletion) => Some(Self::Gemini),
            _ => None,
        }
    }
}

impl Told {
    pub(super) const fn new(speech: Option<Speech>) -> Self {
        let is_plain = speech.is_some();
        Self { speech, text: String::new(), head: None, end: End::Open, is_plain, has_failed: false }
    }

    pub(super) fn is_resumable(&self) -> bool {
        self.is_plain && self.end == End::Open
    }

    /// Takes in what is about to be given to the client. False: it is to be withheld.
    pub(super) fn admits(&mut self, item: &Item<'_>) -> bool {
        match item {
            _ if self.has_failed => return false,
            _ if !self.is_plain => {}
            Item::Event(Event { data: Some(data), .. }) if !data.is_empty() => {
                self.has_failed = self.end != End::Complete && self.read(data) == Nature::Failure;
            }
            Item::Event(_) => {}
            Item::Piece(_) => self.lose(),
        }
        !self.has_failed
    }

    /// Reads an event. Nothing is taken in of a failure.
    pub(super) fn read(&mut self, data: &[u8]) -> Nature {
        let nature = self.try_read(data).unwrap_or(Nature::Failure);
        if nature == Nature::Strange {
            self.lose();
        }
        nature
    }

    fn try_read(&mut self, data: &[u8]) -> Result<Nature, JsonError> {
        match &self.speech {
            None => Ok(Nature::Strange),
            Some(Speech::Chat | Speech::Completion) => openai::read(self, data),
            Some(Speech::Anthropic(_)) => anthropic::read(self, data),
            Some(Speech::Responses(_)) => responses::read(self, data),
            Some(Speech::Gemini) => gemini::read(self, data),
        }
    }

    pub(super) fn add_text(&mut self, text: &str) {
        if self.text.len() + text.len() > MAX_TEXT_BYTES {
            self.lose();
        }
        if self.is_plain {
            self.text.push_str(text);
        }
    }

    pub(super) fn set_end(&mut self, end: End) {
        self.end = self.end.max(end);
    }

    pub(super) fn set_head(&mut self, data: &[u8]) {
        self.head.get_or_insert_with(|| data.to_vec());
    }

    fn lose(&mut self) {
        self.is_plain = false;
        self.text = String::new();
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            speech: self.speech.clone(),
            text: self.text.len(),
            has_head: self.head.is_some(),
            end: self.end,
            is_plain: self.is_plain,
            has_failed: self.has_failed,
        }
    }

    /// Goes back to what it was.
    pub(super) fn restore(&mut self, checkpoint: Checkpoint) {
        // Text that was let go does not come back.
        self.is_plain = checkpoint.is_plain && self.text.len() >= checkpoint.text;
        self.text.truncate(checkpoint.text);
        if !checkpoint.has_head {
            self.head = None;
        }
        self.speech = checkpoint.speech;
        self.end = checkpoint.end;
        self.has_failed = checkpoint.has_failed;
    }
}

/// Whether a value says nothing.
pub(super) fn is_nothing(raw: &[u8]) -> bool {
    matches!(raw, b"null" | b"[]" | b"{}" | b"\"\"" | b"false")
}

/// Skips a value; whether it said something.
pub(super) fn says_something(reader: &mut Reader<'_>) -> Result<bool, JsonError> {
    let span = reader.skip()?;
    Ok(!is_nothing(reader.slice(span)))
}
