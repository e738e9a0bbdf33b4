//! A streamed answer of the Responses API, written (`response_stream_event.py`, in the order that
//! `openai/lib/streaming/responses` accepts). The last event repeats the whole answer, so that what was said is kept until then.

use policy::request::{Dialect, Operation};
use policy::usage::Usage;

use super::content::{self, Content, OUTPUT_TEXT};
use super::items::{self, Item, Kind, Stage};
use super::response::{Frame, State};
use crate::error::{VendorError, vendor_event};
use crate::hub::answer::{Head, Logprob};
use crate::hub::delta::{Delta, Opened};
use crate::hub::part::{Arguments, Citation, Part, Reasoning, Text, ToolCall};
use crate::hub::sink::Sink;
use crate::hub::text::Str;
use crate::translate::Context;

mod events;

use events::{Events, Names, Place, count};

/// What writes a stream. Of several candidates it tells the first.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    context: Context,
    /// `None`: nothing was told yet.
    frame: Option<Frame<'static>>,
    events: Events,
    items: Vec<Item<'static>>,
    /// Whether the last item is not whole.
    is_open: bool,
    /// What is being told of it.
    live: Live,
    state: State,
    usage: Option<Usage>,
}

/// The part that is being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Live {
    None,
    /// The last of the message.
    Content,
    Call,
    /// `has_begun`: some words of it were told.
    Reasoning {
        has_begun: bool,
    },
}

const EMPTY: Str<'static> = Str::raw_of("");

impl StreamWriter {
    pub(crate) const fn new(context: Context) -> Self {
        Self {
            context,
            frame: None,
            events: Events::new(),
            items: Vec::new(),
            is_open: false,
            live: Live::None,
            state: State::Completed,
            usage: None,
        }
    }

    /// Writes the events that a piece is.
    pub(crate) fn delta(&mut self, delta: &Delta<'_>, sink: &mut Sink) {
        match delta {
            Delta::Head(head) => self.begin(head, sink),
            Delta::Open { at, part } if at.candidate == 0 => self.open(part, sink),
            Delta::Text { at, text } if at.candidate == 0 => self.text(text, sink),
            Delta::Signature { at, signature } if at.candidate == 0 => self.sign(signature),
            Delta::Citation { at, citation } if at.candidate == 0 => self.cite(citation, sink),
            Delta::Logprobs { at, logprobs } if at.candidate == 0 => self.logprobs(logprobs, sink),
            Delta::Close { at } if at.candidate == 0 => self.close(sink),
            Delta::Stop { candidate: 0, stop } => {
                self.close(sink);
                self.state = State::of(Some(stop), &self.items);
                self.finish_item(sink);
            }
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::End => self.end(sink),
            Delta::Error(error) => self.fail(error, sink),
            _ => {}
        }
    }

    fn begin(&mut self, head: &Head<'_>, sink: &mut Sink) {
        if self.frame.is_some() {
            return;
        }
        let frame = Frame::new(head, &self.context).into_owned();
        // It has been read; another copy of a long request is not kept.
        drop(std::mem::take(&mut self.context.asked));
        for kind in ["response.created", "response.in_progress"] {
            self.events.write(kind, sink, |sink| {
                sink.key("response");
                frame.write(State::InProgress, &[], None, sink);
            });
        }
        self.frame = Some(frame);
    }

    fn open(&mut self, part: &Opened<'_>, sink: &mut Sink) {
        self.begin(&Head::default(), sink);
        self.close(sink);
        match part {
            Opened::Text => self.open_content(Content::Text { text: Text::default(), logprobs: Vec::new() }, sink),
            Opened::Refusal => self.open_content(Content::Refusal(EMPTY), sink),
            Opened::ToolCall { id, name } => {
                let call = ToolCall {
                    id: id.clone().map(Str::into_owned),
                    name: name.clone().into_owned(),
                    arguments: Arguments::Text(EMPTY),
                    signature: None,
                    cache: None,
                };
                self.open_item(Kind::Call(call), sink);
                self.live = Live::Call;
            }
            Opened::Reasoning { is_summary, .. } => {
                self.open_item(Kind::Reasoning(Reasoning { is_summary: *is_summary, ..Reasoning::default() }), sink);
                self.live = Live::Reasoning { has_begun: false };
            }
            Opened::Whole(part) => self.whole(part, sink),
        }
    }

    /// Begins a part of a message: of the one that is open, or of a new one.
    fn open_content(&mut self, content: Content<'static>, sink: &mut Sink) {
        if !(self.is_open && matches!(self.items.last(), Some(Item { kind: Kind::Message(_), .. }))) {
            self.open_item(Kind::Message(Vec::new()), sink);
        }
        if let Some(Item { kind: Kind::Message(contents), .. }) = self.items.last_mut() {
            contents.push(content);
        }
        self.live = Live::Content;
        self.content("response.content_part.added", sink, |content, sink| {
            sink.key("part");
            content.write(Stage::Begun, sink);
        });
    }

    fn open_item(&mut self, kind: Kind<'static>, sink: &mut Sink) {
        self.finish_item(sink);
        let item = Item::new(kind, &self.context.request_id, self.items.len());
        self.events.item("response.output_item.added", Stage::Begun, &item, self.items.len(), sink);
        self.items.push(item);
        self.is_open = true;
    }

    fn whole(&mut self, part: &Part<'_>, sink: &mut Sink) {
        let parts = items::of_parts(std::slice::from_ref(part), &[], "");
        for kind in parts.into_iter().filter_map(|item| item.kind.into_owned()) {
            self.open_item(kind, sink);
            self.finish_item(sink);
        }
    }

    /// The item that is open is whole.
    fn finish_item(&mut self, sink: &mut Sink) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let output = self.items.len().saturating_sub(1);
        let Some(item) = self.items.last_mut() else { return };
        item.is_cut = self.state.is_cut();
        self.events.item("response.output_item.done", Stage::Done, item, output, sink);
        if let Some(proof) = items::proof_of(&item.kind) {
            self.open_item(proof, sink);
            self.finish_item(sink);
        }
    }

    fn text(&mut self, text: &Str<'_>, sink: &mut Sink) {
        if text.is_empty() {
            return;
        }
        if self.live == (Live::Reasoning { has_begun: false }) {
            self.begin_reasoning(sink);
        }
        let output = self.items.len().saturating_sub(1);
        let Some(item) = self.items.last_mut().filter(|_| self.live != Live::None) else { return };
        let (kind, part) = match &mut item.kind {
            Kind::Message(contents) => {
                let Some(content) = contents.last_mut() else { return };
                let kind = content.push(text);
                (kind, Some(("content_index", contents.len().saturating_sub(1))))
            }
            Kind::Call(ToolCall { arguments: Arguments::Text(own), .. }) => {
                own.push(text);
                ("response.function_call_arguments.delta", None)
            }
            Kind::Reasoning(reasoning) => {
                reasoning.text.push(text);
                let names = Names::of(reasoning);
                (names.delta, Some((names.index, 0)))
            }
            _ => return,
        };
        let place = Place { id: &item.id, output, part };
        self.events.place(kind, place, sink, |sink| {
            sink.text_member("delta", text);
            if kind == OUTPUT_TEXT {
                sink.key("logprobs").array(|_| {});
            }
        });
    }

    fn begin_reasoning(&mut self, sink: &mut Sink) {
        self.live = Live::Reasoning { has_begun: true };
        self.reasoning(
            |names| names.added,
            sink,
            |names, _, sink| {
                sink.key("part");
                items::write_thought(names.part, &EMPTY, sink);
            },
        );
    }

    fn sign(&mut self, signature: &Str<'_>) {
        let own = match self.items.last_mut().map(|item| &mut item.kind) {
            Some(Kind::Reasoning(reasoning)) if self.is_open => &mut reasoning.signature,
            Some(Kind::Call(call)) if self.is_open => &mut call.signature,
            _ => return,
        };
        own.get_or_insert_default().push(signature);
    }

    /// A citation that does not say what rests on it waits until the text is whole.
    fn cite(&mut self, citation: &Citation<'_>, sink: &mut Sink) {
        let Some(Content::Text { text, .. }) = self.last_content() else { return };
        if !content::can_be_told(citation) {
            return;
        }
        text.citations.push(citation.clone().into_owned());
        if citation.range.is_some() {
            let told = text.citations.iter().filter(|own| own.range.is_some()).count();
            self.annotate(citation, told.saturating_sub(1), sink);
        }
    }

    fn annotate(&mut self, citation: &Citation<'_>, index: usize, sink: &mut Sink) {
        self.content("response.output_text.annotation.added", sink, |content, sink| {
            let Content::Text { text, .. } = content else { return };
            sink.count_member("annotation_index", count(index));
            sink.key("annotation");
            content::write_citation(citation, &text.text, sink);
        });
    }

    fn logprobs(&mut self, more: &[Logprob<'_>], sink: &mut Sink) {
        let Some(Content::Text { logprobs, .. }) = self.last_content() else { return };
        logprobs.extend(more.iter().map(|logprob| logprob.clone().into_owned()));
        self.content(OUTPUT_TEXT, sink, |_, sink| {
            sink.text_member("delta", &EMPTY);
            sink.key("logprobs");
            content::write_logprobs(more, sink);
        });
    }

    /// The part that is being told is whole.
    fn close(&mut self, sink: &mut Sink) {
        match std::mem::replace(&mut self.live, Live::None) {
            Live::None => {}
            Live::Content => self.close_content(sink),
            Live::Call => self.close_call(sink),
            Live::Reasoning { has_begun } => {
                if has_begun {
                    self.close_reasoning(sink);
                }
                self.finish_item(sink);
            }
        }
    }

    fn close_content(&mut self, sink: &mut Sink) {
        self.annotate_rest(sink);
        let is_refusal = matches!(self.last_content(), Some(Content::Refusal(_)));
        let kind = if is_refusal { "response.refusal.done" } else { "response.output_text.done" };
        self.content(kind, sink, |content, sink| match content {
            Content::Text { text, logprobs } => {
                sink.text_member("text", &text.text);
                sink.key("logprobs");
                content::write_logprobs(logprobs, sink);
            }
            Content::Refusal(refusal) => sink.text_member("refusal", refusal),
        });
        self.content("response.content_part.done", sink, |content, sink| {
            sink.key("part");
            content.write(Stage::Done, sink);
        });
    }

    /// Tells the citations that are about the whole text.
    fn annotate_rest(&mut self, sink: &mut Sink) {
        let Some(Content::Text { text, .. }) = self.last_content() else { return };
        // Those that were told come first, as their numbers say.
        text.citations.sort_by_key(|citation| citation.range.is_none());
        let untold = text.citations.iter().enumerate().filter(|(_, citation)| citation.range.is_none());
        for (index, citation) in untold.map(|(index, citation)| (index, citation.clone())).collect::<Vec<_>>() {
            self.annotate(&citation, index, sink);
        }
    }

    fn close_call(&mut self, sink: &mut Sink) {
        let is_empty = |own: &Str<'_>| own.plain().trim_ascii().is_empty();
        if let Some(Item { kind: Kind::Call(ToolCall { arguments: Arguments::Text(own), .. }), .. }) = self.items.last()
            && is_empty(own)
        {
            self.live = Live::Call;
            self.text(&Str::raw_of("{}"), sink);
            self.live = Live::None;
        }
        let output = self.items.len().saturating_sub(1);
        if let Some(Item { id, kind: Kind::Call(call), .. }) = self.items.last() {
            let place = Place { id, output, part: None };
            self.events.place("response.function_call_arguments.done", place, sink, |sink| {
                sink.text_member("arguments", &call.arguments.text());
            });
        }
        self.finish_item(sink);
    }

    fn close_reasoning(&mut self, sink: &mut Sink) {
        self.reasoning(|names| names.done, sink, |_, reasoning, sink| sink.text_member("text", &reasoning.text));
        self.reasoning(
            |names| names.part_done,
            sink,
            |names, reasoning, sink| {
                sink.key("part");
                items::write_thought(names.part, &reasoning.text, sink);
            },
        );
    }

    fn end(&mut self, sink: &mut Sink) {
        self.begin(&Head::default(), sink);
        self.close(sink);
        self.finish_item(sink);
        let Self { frame: Some(frame), events, items, state, usage, .. } = self else { return };
        let kind = match state {
            State::Incomplete(_) => "response.incomplete",
            State::Failed { .. } => "response.failed",
            State::InProgress | State::Completed => "response.completed",
        };
        events.write(kind, sink, |sink| {
            sink.key("response");
            frame.write(*state, items, usage.as_ref(), sink);
        });
    }

    fn fail(&self, error: &VendorError, sink: &mut Sink) {
        let event = vendor_event(Dialect::OpenAi, Operation::Responses, error, &self.context.request_id);
        sink.frame(&String::from_utf8_lossy(&event));
    }

    fn last_content(&mut self) -> Option<&mut Content<'static>> {
        match self.items.last_mut() {
            Some(Item { kind: Kind::Message(contents), .. }) if self.is_open => contents.last_mut(),
            _ => None,
        }
    }

    /// Writes an event about the message's last part.
    fn content(&mut self, kind: &str, sink: &mut Sink, members: impl FnOnce(&Content<'_>, &mut Sink)) {
        let output = self.items.len().saturating_sub(1);
        let Some(Item { id, kind: Kind::Message(contents), .. }) = self.items.last() else { return };
        let Some(content) = contents.last() else { return };
        let place = Place { id, output, part: Some(("content_index", contents.len().saturating_sub(1))) };
        self.events.place(kind, place, sink, |sink| members(content, sink));
    }

    /// Writes an event about the reasoning.
    fn reasoning(
        &mut self,
        kind: impl FnOnce(&Names) -> &'static str,
        sink: &mut Sink,
        members: impl FnOnce(&Names, &Reasoning<'_>, &mut Sink),
    ) {
        let output = self.items.len().saturating_sub(1);
        let Some(Item { id, kind: Kind::Reasoning(reasoning), .. }) = self.items.last() else { return };
        let names = Names::of(reasoning);
        let place = Place { id, output, part: Some((names.index, 0)) };
        self.events.place(kind(names), place, sink, |sink| members(names, reasoning, sink));
    }
}
