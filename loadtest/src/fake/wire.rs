//! The shapes a dialect fills in: an answer is one JSON document or a list of events; framing turns events into bytes.

use bytes::Bytes;
use serde_json::Value;

/// One event of a stream.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The SSE `event:` line, for dialects that name their events.
    pub(super) name: Option<&'static str>,
    /// The `data:` line.
    pub(super) data: String,
    /// How many output tokens this event carries.
    pub(super) tokens: u64,
    /// What it is for.
    pub(super) part: Part,
}

/// What an event is for, as far as faults leave events out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    /// Anything else.
    #[default]
    Body,
    /// Says why the text ends.
    Finish,
    /// Says that the stream ends.
    End,
    /// Says both.
    FinishAndEnd,
}

impl Part {
    /// Whether it is left out of a stream that must not say why the text ends, or not that the stream ends.
    pub(super) fn is_left_out(self, no_finish: bool, no_done: bool) -> bool {
        match self {
            Self::Body => false,
            Self::Finish => no_finish,
            Self::End => no_done,
            Self::FinishAndEnd => no_finish || no_done,
        }
    }
}

impl Event {
    pub(super) fn data(data: &Value) -> Self {
        Self { name: None, data: data.to_string(), tokens: 0, part: Part::Body }
    }

    pub(super) fn named(name: &'static str, data: &Value) -> Self {
        Self { name: Some(name), data: data.to_string(), tokens: 0, part: Part::Body }
    }

    pub(super) fn raw(data: &str) -> Self {
        Self { name: None, data: data.to_owned(), tokens: 0, part: Part::Body }
    }

    pub(super) fn with_tokens(self, tokens: u64) -> Self {
        Self { tokens, ..self }
    }

    pub(super) fn with_part(self, part: Part) -> Self {
        Self { part, ..self }
    }
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// One JSON document.
    Whole {
        /// The document.
        json: Value,
        /// How many output tokens it carries.
        tokens: u64,
    },
    /// A page of HTML.
    Page,
    /// A stream.
    Events {
        /// In order, the dialect's end marker included.
        events: Vec<Event>,
        /// How they are put on the wire.
        framing: Framing,
    },
}

/// What a dialect answers, before faults.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) payload: Payload,
    /// Usage as reported to the caller, in the dialect's own shape.
    pub(super) usage: Option<Value>,
}

impl Answer {
    pub(super) fn whole(json: Value, tokens: u64, usage: Option<Value>) -> Self {
        Self { payload: Payload::Whole { json, tokens }, usage }
    }

    pub(super) fn page() -> Self {
        Self { payload: Payload::Page, usage: None }
    }

    pub(super) fn stream(events: Vec<Event>, framing: Framing, usage: Option<Value>) -> Self {
        Self { payload: Payload::Events { events, framing }, usage }
    }
}

/// How events are put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events.
    Sse,
    /// A JSON array, element by element: Gemini without `alt=sse`.
    Array,
}

impl Framing {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream; charset=utf-8",
            Self::Array => "application/json; charset=UTF-8",
        }
    }

    /// The bytes of event number `n`.
    pub(super) fn frame(self, event: &Event, n: usize, style: SseStyle) -> Bytes {
        match self {
            Self::Array => Bytes::from(format!("{}{}", if n == 0 { "[" } else { ",\r\n" }, event.data)),
            Self::Sse => {
                let end = if style.crlf { "\r\n" } else { "\n" };
                let comment = if style.comments { format!(": keep-alive{end}{end}") } else { String::new() };
                let name = event.name.map(|name| format!("event: {name}{end}")).unwrap_or_default();
                Bytes::from(format!("{comment}{name}data: {}{end}{end}", event.data))
            }
        }
    }

    /// What follows the last event.
    pub(super) fn closing(self) -> Option<Bytes> {
        (self == Self::Array).then(|| Bytes::from_static(b"]"))
    }
}

/// Liberties that the SSE format allows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SseStyle {
    pub(super) crlf: bool,
    pub(super) comments: bool,
}

/// Sets a field of a JSON object.
pub(super) fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
