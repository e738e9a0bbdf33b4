//! Which module reads and writes each wire format.

use bytes::Bytes;

use super::{Context, Target};
use crate::hub::Wire;
use crate::hub::answer::Answer;
use crate::hub::delta::Delta;
use crate::hub::field::{Field, Lost};
use crate::hub::request::Request;
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result};
use crate::{anthropic, gemini, openai};

/// What each wire format can do.
pub(super) trait Speaks {
    /// How it calls what a request may ask.
    fn names(self) -> fn(Field) -> &'static str;
    fn read_request(self, body: &[u8]) -> Result<Request<'_>>;
    /// Writes a request. What it cannot be asked is added to `lost`.
    fn write_request(self, request: &Request<'_>, target: &Target<'_>, lost: &mut Lost) -> Result<Vec<u8>>;
    fn read_answer(self, body: &[u8]) -> Result<Answer<'_>>;
    fn write_answer(self, answer: &Answer<'_>, context: &Context) -> Vec<u8>;
}

impl Speaks for Wire {
    fn names(self) -> fn(Field) -> &'static str {
        match self {
            Self::Chat => openai::chat::name,
            Self::Completions => openai::completions::name,
            Self::Responses => openai::responses::name,
            Self::Messages => anthropic::messages::name,
            Self::Generate => gemini::generate::name,
        }
    }

    fn read_request(self, body: &[u8]) -> Result<Request<'_>> {
        match self {
            Self::Chat => openai::chat::read_request(body),
            Self::Completions => openai::completions::read_request(body),
            Self::Responses => openai::responses::read_request(body),
            Self::Messages => anthropic::messages::read_request(body),
            Self::Generate => gemini::generate::read_request(body),
        }
    }

    fn write_request(self, request: &Request<'_>, target: &Target<'_>, lost: &mut Lost) -> Result<Vec<u8>> {
        match self {
            Self::Chat => openai::chat::write_request(request, target, lost),
            Self::Completions => Err(ReadError::wrong("a plain prompt")),
            Self::Responses => openai::responses::write_request(request, target, lost),
            Self::Messages => anthropic::messages::write_request(request, target, lost),
            Self::Generate => gemini::generate::write_request(request, target, lost),
        }
    }

    fn read_answer(self, body: &[u8]) -> Result<Answer<'_>> {
        match self {
            Self::Chat => openai::chat::read_answer(body),
            Self::Completions => Err(ReadError::wrong("a conversation's answer")),
            Self::Responses => openai::responses::read_answer(body),
            Self::Messages => anthropic::messages::read_answer(body),
            Self::Generate => gemini::generate::read_answer(body),
        }
    }

    fn write_answer(self, answer: &Answer<'_>, context: &Context) -> Vec<u8> {
        match self {
            Self::Chat => openai::chat::write_answer(answer, context),
            Self::Completions => openai::completions::write_answer(answer, context),
            Self::Responses => openai::responses::write_answer(answer, context),
            Self::Messages => anthropic::messages::write_answer(answer, context),
            Self::Generate => gemini::generate::write_answer(answer, context),
        }
    }
}

/// What reads a vendor's stream.
#[derive(Debug)]
pub(super) enum StreamReader {
    Chat(openai::chat::StreamReader),
    Responses(Box<openai::responses::StreamReader>),
    Messages(anthropic::messages::StreamReader),
    Generate(gemini::generate::StreamReader),
}

impl StreamReader {
    /// `None` for a format that no vendor is spoken to in.
    pub(super) fn new(wire: Wire) -> Option<Self> {
        Some(match wire {
            Wire::Chat => Self::Chat(openai::chat::StreamReader::default()),
            Wire::Responses => Self::Responses(Box::default()),
            // Nothing of what was asked is told again there, and a request is not to be held for as long as its answer takes.
            Wire::Messages => Self::Messages(anthropic::messages::StreamReader::default()),
            Wire::Generate => Self::Generate(gemini::generate::StreamReader::default()),
            Wire::Completions => return None,
        })
    }

    /// Reads one event's data.
    pub(super) fn event(&mut self, data: &str, each: &mut dyn FnMut(Delta<'_>)) -> Result<()> {
        match self {
            Self::Chat(reader) => reader.event(data, each),
            Self::Responses(reader) => reader.event(data, each),
            Self::Messages(reader) => reader.event(data, each),
            Self::Generate(reader) => reader.event(data, each),
        }
    }

    /// The stream has come to its end.
    pub(super) fn finish(&mut self, each: &mut dyn FnMut(Delta<'_>)) {
        match self {
            Self::Chat(reader) => reader.finish(each),
            Self::Responses(reader) => reader.finish(each),
            Self::Messages(reader) => reader.finish(each),
            Self::Generate(reader) => reader.finish(each),
        }
    }
}

/// What writes a client's stream.
#[derive(Debug)]
pub(super) enum StreamWriter {
    Chat(openai::chat::StreamWriter),
    Completions(openai::completions::StreamWriter),
    Responses(Box<openai::responses::StreamWriter>),
    Messages(anthropic::messages::StreamWriter),
    Generate(gemini::generate::StreamWriter),
}

impl StreamWriter {
    pub(super) fn new(wire: Wire, context: Context) -> Self {
        match wire {
            Wire::Chat => Self::Chat(openai::chat::StreamWriter::new(context)),
            Wire::Completions => Self::Completions(openai::completions::StreamWriter::new(context)),
            Wire::Responses => Self::Responses(Box::new(openai::responses::StreamWriter::new(context))),
            Wire::Messages => {
                Self::Messages(anthropic::messages::StreamWriter::new(Context { asked: Bytes::new(), ..context }))
            }
            Wire::Generate => Self::Generate(gemini::generate::StreamWriter::new(context)),
        }
    }

    /// Writes the events that a piece is.
    pub(super) fn delta(&mut self, delta: &Delta<'_>, sink: &mut Sink) {
        match self {
            Self::Chat(writer) => writer.delta(delta, sink),
            Self::Completions(writer) => writer.delta(delta, sink),
            Self::Responses(writer) => writer.delta(delta, sink),
            Self::Messages(writer) => writer.delta(delta, sink),
            Self::Generate(writer) => writer.delta(delta, sink),
        }
    }
}
