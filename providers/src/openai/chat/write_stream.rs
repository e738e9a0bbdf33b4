//! Streamed answers as clients of the API expect them: a chunk for each piece, `[DONE]` last.

use std::collections::BTreeMap;

use policy::request::{Dialect, Operation};
use policy::usage::Usage;

use super::frame::ChunkFrame;
use super::write_answer::{
    audio_id, characters, finish_reason, is_told, made_id, sound, wants_functions, write_annotation, write_image,
};
use super::{call, logprobs, thought};
use crate::error::vendor_event;
use crate::hub::answer::Stop;
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::part::{Arguments, Citation, Part, Reasoning, ToolCall};
use crate::hub::sink::Sink;
use crate::hub::text::Str;
use crate::translate::Context;

/// Writes a stream.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    context: Context,
    wants_functions: bool,
    frame: ChunkFrame,
    choices: BTreeMap<u32, Choice>,
    /// How many ids of calls were made.
    made: u64,
    usage: Option<Usage>,
}

/// A choice so far.
#[derive(Debug, Default)]
struct Choice {
    /// Its first chunk names the role.
    is_begun: bool,
    open: Option<Open>,
    calls: u64,
    thoughts: u64,
    annotations: u64,
    /// Characters of its texts, and of those before the one that is open.
    characters: u64,
    start: u64,
    has_refusal: bool,
    is_function: bool,
}

/// The part that is open.
#[derive(Clone, Debug, PartialEq)]
enum Open {
    Text,
    Refusal,
    Call,
    Thought { id: Option<Str<'static>>, is_summary: bool },
    Whole,
}

impl StreamWriter {
    pub(crate) fn new(mut context: Context) -> Self {
        // It has been read; a long request is not kept for as long as the stream lasts.
        let wants_functions = wants_functions(&std::mem::take(&mut context.asked));
        Self {
            context,
            wants_functions,
            frame: ChunkFrame::new("chatcmpl-", "chat.completion.chunk"),
            choices: BTreeMap::new(),
            made: 0,
            usage: None,
        }
    }

    /// Writes the chunks that a piece is.
    pub(crate) fn delta(&mut self, delta: &Delta<'_>, sink: &mut Sink) {
        match delta {
            Delta::Head(head) => self.frame.set(head, &self.context),
            Delta::Open { at, part } => self.open(*at, part, sink),
            Delta::Text { at, text } => self.text(*at, text, sink),
            Delta::Signature { at, signature } => self.signature(*at, signature, sink),
            Delta::Citation { at, citation } if is_told(citation) => {
                let choice = self.choice(at.candidate);
                let text = (choice.start, choice.characters);
                self.annotation(*at, citation, text, sink);
            }
            Delta::Citation { .. } => {}
            Delta::Logprobs { at, logprobs } => {
                let is_refusal = self.choice(at.candidate).open == Some(Open::Refusal);
                self.framed(at.candidate, None, sink, |_| {}, |sink| logprobs::write(logprobs, is_refusal, sink));
            }
            Delta::Close { at } => self.choice(at.candidate).open = None,
            Delta::Stop { candidate, stop } => self.stop(*candidate, stop, sink),
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::End => self.frame.end(self.usage.as_ref(), &self.context, sink),
            Delta::Error(error) => {
                let id = &self.context.request_id;
                let event = vendor_event(Dialect::OpenAi, Operation::ChatCompletion, error, id);
                sink.frame(&String::from_utf8_lossy(&event));
            }
        }
    }

    fn choice(&mut self, candidate: u32) -> &mut Choice {
        self.choices.entry(candidate).or_default()
    }

    fn open(&mut self, at: At, part: &Opened<'_>, sink: &mut Sink) {
        let is_text = matches!(part, Opened::Text | Opened::Whole(Part::Text(_)));
        self.begin(at.candidate, is_text, sink);
        let choice = self.choice(at.candidate);
        match part {
            Opened::Text => {
                choice.open = Some(Open::Text);
                choice.start = choice.characters;
            }
            Opened::Refusal => {
                choice.open = Some(Open::Refusal);
                choice.has_refusal = true;
            }
            Opened::Reasoning { id, is_summary } => {
                choice.open = Some(Open::Thought { id: id.clone().map(Str::into_owned), is_summary: *is_summary });
                choice.thoughts += 1;
            }
            Opened::ToolCall { id, name } => {
                let arguments = Arguments::Text(Str::default());
                let (id, name) = (id.clone(), name.by_ref());
                self.call(at, &ToolCall { id, name, arguments, signature: None, cache: None }, sink);
            }
            Opened::Whole(part) => self.whole(at, part, sink),
        }
    }

    /// The first chunk of a choice names the role.
    fn begin(&mut self, candidate: u32, is_text: bool, sink: &mut Sink) {
        let choice = self.choice(candidate);
        if std::mem::replace(&mut choice.is_begun, true) {
            return;
        }
        self.chunk(candidate, sink, |sink| {
            sink.plain_member("role", "assistant");
            if is_text {
                sink.plain_member("content", "");
            } else {
                sink.key("content").null();
            }
        });
    }

    fn whole(&mut self, at: At, part: &Part<'_>, sink: &mut Sink) {
        self.choice(at.candidate).open = Some(Open::Whole);
        match part {
            Part::Text(text) => {
                let choice = self.choice(at.candidate);
                choice.start = choice.characters;
                choice.characters += characters(&text.text);
                let place = (choice.start, choice.characters);
                self.chunk(at.candidate, sink, |sink| sink.text_member("content", &text.text));
                for citation in text.citations.iter().filter(|citation| is_told(citation)) {
                    self.annotation(at, citation, place, sink);
                }
            }
            Part::Refusal(refusal) => {
                self.choice(at.candidate).has_refusal = true;
                self.chunk(at.candidate, sink, |sink| sink.text_member("refusal", refusal));
            }
            Part::Reasoning(thought) => self.thought(at, thought, sink),
            Part::ToolCall(call) => self.call(at, call, sink),
            Part::Media(media) => {
                if let Some(data) = sound(media) {
                    let id = audio_id(&self.context);
                    self.chunk(at.candidate, sink, |sink| {
                        sink.key("audio").object(|sink| {
                            sink.text_member("id", &id);
                            sink.text_member("data", data);
                        });
                    });
                } else {
                    self.chunk(at.candidate, sink, |sink| {
                        sink.key("images").array(|sink| write_image(media, sink));
                    });
                }
            }
            Part::ToolResult(_) | Part::Other { .. } => {}
        }
    }

    fn annotation(&mut self, at: At, citation: &Citation<'_>, text: (u64, u64), sink: &mut Sink) {
        let choice = self.choice(at.candidate);
        let index = choice.annotations;
        choice.annotations += 1;
        self.chunk(at.candidate, sink, |sink| {
            sink.key("annotations").array(|sink| write_annotation(citation, text, Some(index), sink));
        });
    }

    fn thought(&mut self, at: At, thought: &Reasoning<'_>, sink: &mut Sink) {
        let choice = self.choice(at.candidate);
        let index = choice.thoughts;
        choice.thoughts += 1;
        self.chunk(at.candidate, sink, |sink| {
            if !thought.text.is_empty() {
                sink.text_member("reasoning_content", &thought.text);
            }
            sink.key("reasoning_details").array(|sink| thought::write_details(thought, index, sink));
        });
    }

    fn call(&mut self, at: At, call: &ToolCall<'_>, sink: &mut Sink) {
        let wants_functions = self.wants_functions;
        let choice = self.choice(at.candidate);
        choice.open = Some(Open::Call);
        let index = choice.calls;
        choice.calls += 1;
        choice.is_function = wants_functions && index == 0;
        if wants_functions {
            // There is room for one call only.
            if index == 0 {
                let write = |sink: &mut Sink| call::write_function(call, false, sink);
                self.chunk(at.candidate, sink, |sink| sink.key("function_call").object(write));
            }
            return;
        }
        let id = call.id.as_ref().map_or_else(|| made_id(&self.context, &mut self.made), Str::by_ref).into_owned();
        self.chunk(at.candidate, sink, |sink| {
            sink.key("tool_calls").array(|sink| call::write(call, &id, Some(index), true, sink));
        });
    }

    fn text(&mut self, at: At, text: &Str<'_>, sink: &mut Sink) {
        let choice = self.choice(at.candidate);
        match &choice.open {
            Some(Open::Text) | None => {
                choice.characters += characters(text);
                self.chunk(at.candidate, sink, |sink| sink.text_member("content", text));
            }
            Some(Open::Refusal) => self.chunk(at.candidate, sink, |sink| sink.text_member("refusal", text)),
            Some(Open::Call) => self.arguments(at, text, sink),
            Some(Open::Thought { id, is_summary }) => {
                let (kind, member) = thought::kind_of(*is_summary);
                let (id, index) = (id.clone(), choice.thoughts.saturating_sub(1));
                self.chunk(at.candidate, sink, |sink| {
                    sink.text_member("reasoning_content", text);
                    sink.key("reasoning_details").array(|sink| {
                        let words = |sink: &mut Sink| sink.text_member(member, text);
                        thought::write_detail(kind, id.as_ref(), index, sink, words);
                    });
                });
            }
            Some(Open::Whole) => {}
        }
    }

    fn arguments(&mut self, at: At, text: &Str<'_>, sink: &mut Sink) {
        let wants_functions = self.wants_functions;
        let choice = self.choice(at.candidate);
        let (index, is_function) = (choice.calls.saturating_sub(1), choice.is_function);
        let function = |sink: &mut Sink| sink.text_member("arguments", text);
        if is_function {
            self.chunk(at.candidate, sink, |sink| sink.key("function_call").object(function));
        } else if !wants_functions {
            self.chunk(at.candidate, sink, |sink| {
                sink.key("tool_calls").array(|sink| {
                    sink.object(|sink| {
                        sink.count_member("index", index);
                        sink.key("function").object(function);
                    });
                });
            });
        }
    }

    fn signature(&mut self, at: At, signature: &Str<'_>, sink: &mut Sink) {
        let choice = self.choice(at.candidate);
        let (calls, thoughts) = (choice.calls.saturating_sub(1), choice.thoughts.saturating_sub(1));
        match choice.open.clone() {
            Some(Open::Thought { id, is_summary }) => self.chunk(at.candidate, sink, |sink| {
                sink.key("reasoning_details").array(|sink| {
                    let proof = |sink: &mut Sink| sink.text_member("signature", signature);
                    thought::write_detail(thought::kind_of(is_summary).0, id.as_ref(), thoughts, sink, proof);
                });
            }),
            Some(Open::Call) if !self.wants_functions => self.chunk(at.candidate, sink, |sink| {
                sink.key("tool_calls").array(|sink| {
                    sink.object(|sink| {
                        sink.count_member("index", calls);
                        // OpenAI's client breaks off at a call without a function.
                        sink.key("function").object(|sink| sink.plain_member("arguments", ""));
                        call::write_signature(signature, sink);
                    });
                });
            }),
            Some(Open::Text) => self.chunk(at.candidate, sink, |sink| call::write_signature(signature, sink)),
            _ => {}
        }
    }

    fn stop(&mut self, candidate: u32, stop: &Stop<'_>, sink: &mut Sink) {
        self.begin(candidate, true, sink);
        let choice = self.choice(candidate);
        let reason = finish_reason(stop, choice.has_refusal, choice.is_function && choice.calls == 1);
        self.framed(candidate, Some(reason), sink, |_| {}, |_| {});
    }

    /// A chunk whose delta has these members.
    fn chunk(&mut self, candidate: u32, sink: &mut Sink, delta: impl FnOnce(&mut Sink)) {
        self.framed(candidate, None, sink, delta, |_| {});
    }

    fn framed(
        &mut self,
        candidate: u32,
        reason: Option<&str>,
        sink: &mut Sink,
        delta: impl FnOnce(&mut Sink),
        more: impl FnOnce(&mut Sink),
    ) {
        self.frame.chunk(&self.context, sink, |sink| {
            sink.object(|sink| {
                sink.count_member("index", u64::from(candidate));
                sink.key("delta").object(delta);
                more(sink);
                match reason {
                    Some(reason) => sink.plain_member("finish_reason", reason),
                    None => sink.key("finish_reason").null(),
                }
            });
        });
    }
}
