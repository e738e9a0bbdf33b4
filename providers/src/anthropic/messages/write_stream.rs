//! A streamed answer written in Anthropic's Messages, event by event.

use policy::request::{Dialect, Operation};
use policy::usage::Usage;

use crate::anthropic::usage;
use crate::error::{self, VendorError};
use crate::hub::answer::{Head, Stop};
use crate::hub::delta::{Delta, Opened};
use crate::hub::part::{Citation, Part, Text};
use crate::hub::sink::Sink;
use crate::hub::stranger::marked;
use crate::hub::text::Str;
use crate::translate::Context;

use super::stop::{self, Held};
use super::{answer_blocks as blocks, proof, write_answer};

/// What was written of a stream so far.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    context: Context,
    has_head: bool,
    /// Blocks that have begun.
    blocks: u64,
    open: Option<Open>,
    /// Calls that have begun.
    calls: u32,
    /// The id of the call that is open.
    call: String,
    /// The proof of the call or thought that is open.
    proof: Option<Str<'static>>,
    held: Held,
    stop: Option<Stop<'static>>,
    usage: Usage,
}

/// The kind of the block that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Call,
    Reasoning,
    /// One that came whole.
    Whole,
}

impl StreamWriter {
    pub(crate) fn new(context: Context) -> Self {
        let held = Held { call: false, refusal: false };
        let usage = Usage::default();
        Self {
            context,
            has_head: false,
            blocks: 0,
            open: None,
            calls: 0,
            call: String::new(),
            proof: None,
            held,
            stop: None,
            usage,
        }
    }

    /// Writes the events that a piece is. Anthropic has one candidate: the first.
    pub(crate) fn delta(&mut self, delta: &Delta<'_>, sink: &mut Sink) {
        match delta {
            Delta::Head(head) => self.head(head, sink),
            Delta::Open { at, part } if at.candidate == 0 => self.open(part, sink),
            Delta::Text { at, text } if at.candidate == 0 => self.text(text, sink),
            Delta::Signature { at, signature } if at.candidate == 0 => self.signature(signature),
            Delta::Citation { at, citation } if at.candidate == 0 => self.citation(citation, sink),
            Delta::Close { at } if at.candidate == 0 => self.close(sink),
            Delta::Stop { candidate: 0, stop } => self.stop = Some(owned(stop)),
            Delta::Usage(usage) => self.usage = *usage,
            Delta::End => self.end(sink),
            Delta::Error(vendor) => self.error(vendor, sink),
            _ => {}
        }
    }

    fn error(&self, vendor: &VendorError, sink: &mut Sink) {
        let event =
            error::vendor_event(Dialect::Anthropic, Operation::ChatCompletion, vendor, &self.context.request_id);
        sink.frame(&String::from_utf8_lossy(&event));
    }

    fn head(&mut self, head: &Head<'_>, sink: &mut Sink) {
        if std::mem::replace(&mut self.has_head, true) {
            return;
        }
        event(sink, "message_start", |sink| {
            sink.key("message").object(|sink| {
                write_answer::head(sink, head, &self.context);
                sink.key("content").array(|_| {});
                sink.key("stop_reason").null();
                sink.key("stop_sequence").null();
                // Of the vendor's usage nothing is known before the end.
                sink.key("usage").object(write_answer::no_usage);
            });
        });
    }

    fn open(&mut self, part: &Opened<'_>, sink: &mut Sink) {
        self.head(&Head::default(), sink);
        self.close(sink);
        match part {
            Opened::Text => self.start(sink, Open::Text, |sink| blocks::text(sink, &Text::default())),
            Opened::Refusal => {
                self.held.refusal = true;
                self.start(sink, Open::Text, |sink| blocks::text(sink, &Text::default()));
            }
            Opened::ToolCall { id, name } => {
                self.held.call = true;
                let request_id = self.context.request_id.clone();
                let id = blocks::call_id(id.as_ref(), &request_id, self.calls);
                self.calls += 1;
                self.call = id.clone().into_owned();
                self.start(sink, Open::Call, |sink| blocks::tool_call_start(sink, &id, name));
            }
            Opened::Reasoning { .. } => {
                self.start(sink, Open::Reasoning, blocks::reasoning_start);
            }
            Opened::Whole(part) => self.whole(part, sink),
        }
    }

    fn whole(&mut self, part: &Part<'_>, sink: &mut Sink) {
        match part {
            Part::Reasoning(reasoning) if blocks::has_block(part) => {
                self.start(sink, Open::Whole, |sink| blocks::reasoning(sink, reasoning));
            }
            Part::Media(media) if blocks::has_block(part) => {
                self.start(sink, Open::Whole, |sink| blocks::media(sink, media));
            }
            _ => {}
        }
    }

    fn start(&mut self, sink: &mut Sink, open: Open, block: impl FnOnce(&mut Sink)) {
        event(sink, "content_block_start", |sink| {
            sink.count_member("index", self.blocks);
            block(sink.key("content_block"));
        });
        self.blocks += 1;
        self.open = Some(open);
    }

    fn text(&mut self, text: &Str<'_>, sink: &mut Sink) {
        let (kind, member) = match self.open {
            Some(Open::Text) => ("text_delta", "text"),
            Some(Open::Call) => ("input_json_delta", "partial_json"),
            Some(Open::Reasoning) => ("thinking_delta", "thinking"),
            Some(Open::Whole) | None => return,
        };
        self.piece(sink, kind, |sink| sink.text_member(member, text));
    }

    /// SDKs keep the last piece of a proof, so it is told whole.
    fn signature(&mut self, signature: &Str<'_>) {
        if let Some(Open::Reasoning | Open::Call) = self.open {
            self.proof.get_or_insert_default().push(signature);
        }
    }

    fn citation(&mut self, citation: &Citation<'_>, sink: &mut Sink) {
        if self.open == Some(Open::Text) && blocks::is_told(citation) {
            self.piece(sink, "citations_delta", |sink| blocks::citation(sink.key("citation"), citation));
        }
    }

    fn piece(&self, sink: &mut Sink, kind: &str, member: impl FnOnce(&mut Sink)) {
        event(sink, "content_block_delta", |sink| {
            sink.count_member("index", self.blocks.saturating_sub(1));
            sink.key("delta").object(|sink| {
                sink.plain_member("type", kind);
                member(sink);
            });
        });
    }

    fn close(&mut self, sink: &mut Sink) {
        if self.open == Some(Open::Reasoning) {
            let proof = marked(&self.proof.take().unwrap_or_default());
            self.piece(sink, "signature_delta", |sink| sink.text_member("signature", &proof));
        }
        if self.open.take().is_some() {
            let index = self.blocks.saturating_sub(1);
            event(sink, "content_block_stop", |sink| sink.count_member("index", index));
        }
        if let Some(signature) = self.proof.take() {
            let sealed = proof::sealed(&self.call, &signature);
            self.start(sink, Open::Whole, |sink| blocks::reasoning(sink, &sealed));
            self.close(sink);
        }
    }

    fn end(&mut self, sink: &mut Sink) {
        self.head(&Head::default(), sink);
        self.close(sink);
        event(sink, "message_delta", |sink| {
            sink.key("delta").object(|sink| write_answer::end(sink, stop::ending(self.stop.as_ref(), self.held)));
            sink.key("usage").object(|sink| usage::write(sink, &self.usage));
        });
        event(sink, "message_stop", |_| {});
    }
}

fn owned(stop: &Stop<'_>) -> Stop<'static> {
    match stop {
        Stop::End => Stop::End,
        Stop::Length => Stop::Length,
        Stop::Context => Stop::Context,
        Stop::Tools => Stop::Tools,
        Stop::Sequence(sequence) => Stop::Sequence(sequence.clone().map(Str::into_owned)),
        Stop::Filter => Stop::Filter,
        Stop::Refusal => Stop::Refusal,
        Stop::Pause => Stop::Pause,
        Stop::BadToolCall => Stop::BadToolCall,
    }
}

/// Writes an event; its data says its type too.
fn event(sink: &mut Sink, kind: &str, members: impl FnOnce(&mut Sink)) {
    sink.frame("event: ");
    sink.frame(kind);
    sink.frame("\ndata: ");
    sink.object(|sink| {
        sink.plain_member("type", kind);
        members(sink);
    });
    sink.frame("\n\n");
}
