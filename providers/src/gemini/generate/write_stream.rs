//! A stream, written: each event is an answer in itself, with what came since the last one. The last one says why it ended and
//! what it used. Calls of tools go out whole.

use std::collections::BTreeMap;

use policy::request::{Dialect, Operation};
use policy::usage::Usage;

use super::grounding::{self, Cited};
use super::read_stream::owned;
use super::write_answer::{Parts, shows_thoughts, write_head};
use super::{logprobs, stop, usage, write_part};
use crate::error;
use crate::hub::answer::{Head, Stop};
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::part::{Arguments, Citation, Part, Reasoning, ToolCall};
use crate::hub::sink::Sink;
use crate::hub::text::{Json, Str};
use crate::translate::Context;

/// Writes the events of streamGenerateContent, or the elements of its array.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    context: Context,
    shows: bool,
    /// The members by which every event is known, as they are written.
    head: String,
    has_begun: bool,
    candidates: BTreeMap<u32, Telling>,
    usage: Option<Usage>,
}

/// What was told of a candidate.
#[derive(Debug, Default)]
struct Telling {
    open: Open,
    has_content: bool,
    /// What it said, for the places of citations.
    said: String,
    /// Where the part that is open begins in it.
    base: usize,
    citations: Vec<Citation<'static>>,
    cited: Vec<Cited<'static>>,
    finish: Option<&'static str>,
    has_bad_call: bool,
}

/// The part that is open.
#[derive(Debug, Default)]
enum Open {
    #[default]
    None,
    Text,
    Thought,
    Call(ToolCall<'static>),
}

impl StreamWriter {
    pub(crate) fn new(mut context: Context) -> Self {
        // It has been read; a long request is not kept for as long as the stream lasts.
        let shows = shows_thoughts(&std::mem::take(&mut context.asked));
        let head = head_of(&Head::default(), &context);
        Self { context, shows, head, has_begun: false, candidates: BTreeMap::new(), usage: None }
    }

    /// Writes the events that a piece is.
    pub(crate) fn delta(&mut self, delta: &Delta<'_>, sink: &mut Sink) {
        match delta {
            Delta::Head(head) => self.head = head_of(head, &self.context),
            Delta::Open { at, part } => self.open(*at, part, sink),
            Delta::Text { at, text } => self.text(*at, text, sink),
            Delta::Signature { at, signature } => self.signature(*at, signature, sink),
            Delta::Citation { at, citation } => self.telling(*at).citations.push(owned(citation)),
            Delta::Logprobs { at, logprobs } => {
                self.event(at.candidate, sink, nothing, |sink| logprobs::write(logprobs, sink.key("logprobsResult")));
            }
            Delta::Close { at } => self.close(*at, sink),
            Delta::Stop { candidate, stop } => {
                let at = At { candidate: *candidate, part: 0 };
                self.telling(at).finish = Some(stop::write(stop));
            }
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::End => self.end(sink),
            Delta::Error(error) => {
                let event =
                    error::vendor_event(Dialect::Gemini, Operation::ChatCompletion, error, &self.context.request_id);
                self.failure(&event, sink);
            }
        }
    }

    fn telling(&mut self, at: At) -> &mut Telling {
        self.candidates.entry(at.candidate).or_default()
    }

    fn open(&mut self, at: At, part: &Opened<'_>, sink: &mut Sink) {
        let telling = self.telling(at);
        telling.base = telling.said.len();
        telling.open = match part {
            Opened::Text | Opened::Refusal => Open::Text,
            Opened::Reasoning { .. } => Open::Thought,
            Opened::ToolCall { id, name } => Open::Call(ToolCall {
                id: id.clone().map(Str::into_owned),
                name: name.clone().into_owned(),
                arguments: Arguments::Text(Str::default()),
                signature: None,
                cache: None,
            }),
            Opened::Whole(part) => {
                telling.open = Open::None;
                return self.whole(at, part, sink);
            }
        };
    }

    fn whole(&mut self, at: At, part: &Part<'_>, sink: &mut Sink) {
        let mut written = Sink::default();
        let mut parts = Parts::new(self.shows);
        parts.all(std::slice::from_ref(part), &mut written);
        self.telling(at).has_bad_call |= parts.has_bad_call;
        let written = written.into_bytes();
        if let Some(part) = std::str::from_utf8(&written).ok().filter(|part| !part.is_empty()) {
            self.event(at.candidate, sink, |sink| sink.json(&Json::read(part)), |_| {});
        }
    }

    fn text(&mut self, at: At, text: &Str<'_>, sink: &mut Sink) {
        let shows = self.shows;
        let telling = self.telling(at);
        match &mut telling.open {
            Open::Call(call) => {
                if let Arguments::Text(arguments) = &mut call.arguments {
                    arguments.push(text);
                }
            }
            _ if text.is_empty() => {}
            Open::Thought if !shows => {}
            Open::Thought => self.event(
                at.candidate,
                sink,
                |sink| write_part::thought(&Reasoning { text: text.by_ref(), ..Reasoning::default() }, sink),
                |_| {},
            ),
            Open::Text | Open::None => {
                telling.said.push_str(&text.plain());
                self.event(at.candidate, sink, |sink| write_part::plain(text, sink), |_| {});
            }
        }
    }

    fn signature(&mut self, at: At, signature: &Str<'_>, sink: &mut Sink) {
        let shows = self.shows;
        match &mut self.telling(at).open {
            Open::Call(call) => call.signature = Some(signature.clone().into_owned()),
            Open::Thought if shows => {
                let proof = Reasoning { signature: Some(signature.by_ref()), ..Reasoning::default() };
                self.event(at.candidate, sink, |sink| write_part::thought(&proof, sink), |_| {});
            }
            _ => {}
        }
    }

    fn close(&mut self, at: At, sink: &mut Sink) {
        let telling = self.telling(at);
        telling.cite();
        if let Open::Call(call) = std::mem::take(&mut telling.open) {
            self.whole(at, &Part::ToolCall(call), sink);
        }
    }

    /// Writes an event that brings a part of a candidate, and what else it says of it.
    fn event(&mut self, candidate: u32, sink: &mut Sink, part: impl FnOnce(&mut Sink), more: impl FnOnce(&mut Sink)) {
        self.telling(At { candidate, part: 0 }).has_content = true;
        self.begin(sink);
        sink.object(|sink| {
            sink.key("candidates").array(|sink| {
                sink.object(|sink| {
                    content(part, sink);
                    sink.count_member("index", u64::from(candidate));
                    more(sink);
                });
            });
            sink.frame(&self.head);
        });
        self.finish(sink);
    }

    fn end(&mut self, sink: &mut Sink) {
        self.begin(sink);
        sink.object(|sink| {
            if !self.candidates.is_empty() {
                sink.key("candidates")
                    .array(|sink| self.candidates.iter().for_each(|(index, told)| told.end(*index, sink)));
            }
            if let Some(used) = &self.usage {
                usage::write(used, sink.key("usageMetadata"));
            }
            let is_first = self.candidates.is_empty() && self.usage.is_none();
            sink.frame(if is_first { self.head.trim_start_matches(',') } else { &self.head });
        });
        self.finish(sink);
        if self.context.as_array {
            sink.frame("]");
        }
    }

    fn failure(&mut self, event: &[u8], sink: &mut Sink) {
        let text = std::str::from_utf8(event).unwrap_or_default();
        if !self.context.as_array {
            return sink.frame(text);
        }
        self.begin(sink);
        sink.json(&Json::read(text.trim_start_matches("data: ").trim_ascii_end()));
        sink.frame("]");
    }

    fn begin(&mut self, sink: &mut Sink) {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        sink.frame(match (self.context.as_array, is_first) {
            (false, _) => "data: ",
            (true, true) => "[",
            (true, false) => ",\r\n",
        });
    }

    fn finish(&self, sink: &mut Sink) {
        if !self.context.as_array {
            sink.frame("\r\n\r\n");
        }
    }
}

impl Telling {
    /// The part that is open is whole: its citations get their places.
    fn cite(&mut self) {
        if self.citations.is_empty() {
            return;
        }
        let text = self.said.get(self.base..).unwrap_or_default();
        let placed = self.citations.drain(..).map(|citation| Cited::of(citation, text, 0, self.base));
        self.cited.extend(placed);
    }

    /// Writes its last event. The SDK keeps in a chat's history only answers of which every event has a part.
    fn end(&self, index: u32, sink: &mut Sink) {
        sink.object(|sink| {
            if self.has_content {
                content(nothing, sink);
            }
            let finish = if self.has_bad_call { Some(stop::write(&Stop::BadToolCall)) } else { self.finish };
            if let Some(finish) = finish {
                sink.plain_member("finishReason", finish);
            }
            sink.count_member("index", u64::from(index));
            if !self.cited.is_empty() {
                grounding::write(&self.cited, sink.key("groundingMetadata"));
            }
        });
    }
}

fn content(part: impl FnOnce(&mut Sink), sink: &mut Sink) {
    sink.key("content").object(|sink| {
        sink.key("parts").array(part);
        sink.plain_member("role", "model");
    });
}

fn nothing(sink: &mut Sink) {
    write_part::plain(&Str::default(), sink);
}

/// The members by which an event is known, and the comma before them.
fn head_of(head: &Head<'_>, context: &Context) -> String {
    let mut sink = Sink::default();
    sink.object(|sink| write_head(head, context, sink));
    let object = String::from_utf8(sink.into_bytes()).unwrap_or_default();
    object.trim_start_matches('{').strip_suffix('}').map(|members| format!(",{members}")).unwrap_or_default()
}
