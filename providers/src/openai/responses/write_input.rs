//! The items of a conversation, written (`response_input_item_param.py`).

use super::call_ids::CallIds;
use super::proof;
use super::write_media::{write_input_text, write_media};
use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::part::{
    CacheMark, Media, MediaSource, Part, Reasoning, Role, Text, ToolCall, ToolOutput, ToolResult, Turn,
};
use crate::hub::sink::Sink;
use crate::hub::text::Str;
use crate::openai::tool_error;

/// What writes the items of one conversation.
#[derive(Debug)]
pub(super) struct Items {
    from: Wire,
    ids: CallIds,
    /// Messages of the model that have a number.
    messages: usize,
    /// Whether there is a sealed thought among them.
    pub(super) has_sealed: bool,
}

impl Items {
    pub(super) fn new(from: Wire) -> Self {
        Self { from, ids: CallIds::default(), messages: 0, has_sealed: false }
    }

    /// Writes the turns as items.
    pub(super) fn write(&mut self, turns: &[Turn<'_>], lost: &mut Lost, sink: &mut Sink) {
        for turn in turns {
            lost.add_if(turn.name.is_some(), Field::ParticipantName);
            let mut rest = turn.parts.as_slice();
            while let Some((part, tail)) = rest.split_first() {
                let length = run(rest, is_content);
                if length > 0 {
                    let (contents, tail) = rest.split_at(length);
                    self.message(turn.role, contents, lost, sink);
                    rest = tail;
                } else if let Part::Reasoning(reasoning) = part {
                    let length = run(rest, |other| is_same_thought(reasoning, other)).max(1);
                    let (thoughts, tail) = rest.split_at(length);
                    self.reasoning(thoughts, sink);
                    rest = tail;
                } else {
                    self.item(part, lost, sink);
                    rest = tail;
                }
            }
        }
    }

    fn item(&mut self, part: &Part<'_>, lost: &mut Lost, sink: &mut Sink) {
        match part {
            Part::ToolCall(call) => self.call(call, lost, sink),
            Part::ToolResult(result) => self.result(result, lost, sink),
            Part::Other { value, .. } if self.from == Wire::Responses => sink.json(value),
            other => lost.add(field_of(other)),
        }
    }

    fn call(&mut self, call: &ToolCall<'_>, lost: &mut Lost, sink: &mut Sink) {
        note_mark(call.cache.as_ref(), lost);
        sink.object(|sink| {
            sink.plain_member("type", "function_call");
            sink.text_member("call_id", &self.ids.of_call(call));
            sink.text_member("name", &call.name);
            let arguments = call.arguments.text();
            sink.text_member("arguments", if arguments.is_empty() { const { &Str::raw_of("{}") } } else { &arguments });
        });
    }

    fn result(&mut self, result: &ToolResult<'_>, lost: &mut Lost, sink: &mut Sink) {
        note_mark(result.cache.as_ref(), lost);
        sink.object(|sink| {
            sink.plain_member("type", "function_call_output");
            sink.text_member("call_id", &self.ids.of_result(result));
            sink.key("output");
            match &result.content {
                ToolOutput::Value(value) => sink.text(&tool_error::marked(&value.as_text(), result.is_error)),
                ToolOutput::Parts(parts) => match parts.as_slice() {
                    [] => sink.text(&tool_error::marked(&Str::default(), result.is_error)),
                    [Part::Text(text)] => sink.text(&tool_error::marked(&text.text, result.is_error)),
                    parts => sink.array(|sink| self.output(parts, result.is_error, lost, sink)),
                },
            }
        });
    }

    /// A thought is of use to the vendor only as it sealed it; others are left out.
    fn reasoning(&mut self, thoughts: &[Part<'_>], sink: &mut Sink) {
        let thoughts = || {
            thoughts.iter().filter_map(|part| match part {
                Part::Reasoning(reasoning) => Some(reasoning),
                _ => None,
            })
        };
        let sealed = thoughts().find_map(|thought| Some((thought.sealed.as_ref()?, thought.id.as_ref())));
        let Some((sealed, id)) = sealed.filter(|_| self.from != Wire::Responses) else { return };
        let own = || Some((sealed.by_ref(), id?.by_ref()));
        let Some((sealed, id)) = proof::unbound(sealed).or_else(own) else { return };
        self.has_sealed = true;
        sink.object(|sink| {
            sink.plain_member("type", "reasoning");
            sink.text_member("id", &id);
            sink.key("summary").array(|sink| {
                for summary in thoughts().filter(|thought| thought.is_summary && !thought.text.is_empty()) {
                    super::items::write_thought("summary_text", &summary.text, sink);
                }
            });
            sink.text_member("encrypted_content", &sealed);
        });
    }

    fn message(&mut self, role: Role, contents: &[Part<'_>], lost: &mut Lost, sink: &mut Sink) {
        if role == Role::Assistant {
            return self.own_message(contents, lost, sink);
        }
        sink.object(|sink| {
            sink.plain_member("role", if role == Role::System { "system" } else { "user" });
            sink.key("content");
            match contents {
                [Part::Text(Text { text, cache: None, .. })] => sink.text(text),
                parts => sink.array(|sink| {
                    for part in parts {
                        if !self.content(part, lost, sink) {
                            lost.add(field_of(part));
                        }
                    }
                }),
            }
        });
    }

    fn output(&self, parts: &[Part<'_>], is_error: bool, lost: &mut Lost, sink: &mut Sink) {
        let mut is_error = is_error;
        for part in parts {
            if let (Part::Text(text), true) = (part, is_error) {
                is_error = false;
                note_mark(text.cache.as_ref(), lost);
                write_input_text(&tool_error::marked(&text.text, true), sink);
            } else if !self.content(part, lost, sink) {
                lost.add(Field::ToolMedia);
            }
        }
    }

    /// Writes a part of what others than the model say. `false`: there is no form for it.
    fn content(&self, part: &Part<'_>, lost: &mut Lost, sink: &mut Sink) -> bool {
        match part {
            Part::Text(text) => {
                note_mark(text.cache.as_ref(), lost);
                write_input_text(&text.text, sink);
                true
            }
            // Only OpenAI's own store is the vendor's.
            Part::Media(Media { source: MediaSource::Id(_), .. })
                if !matches!(self.from, Wire::Chat | Wire::Responses) =>
            {
                lost.add(Field::MediaId);
                true
            }
            Part::Media(media) => {
                note_mark(media.cache.as_ref(), lost);
                write_media(media, sink)
            }
            _ => false,
        }
    }

    /// A message of the model: in the short form where it is one text; the long one must have an id.
    fn own_message(&mut self, contents: &[Part<'_>], lost: &mut Lost, sink: &mut Sink) {
        contents.iter().filter(|part| matches!(part, Part::Media(_))).for_each(|part| lost.add(field_of(part)));
        let said: Vec<_> = contents.iter().filter(|part| !matches!(part, Part::Media(_))).collect();
        match said.as_slice() {
            [] => {}
            [Part::Text(text)] => sink.object(|sink| {
                note_mark(text.cache.as_ref(), lost);
                sink.plain_member("role", "assistant");
                sink.text_member("content", &text.text);
            }),
            parts => sink.object(|sink| {
                sink.plain_member("id", &format!("msg_{}", self.messages));
                sink.plain_member("type", "message");
                sink.plain_member("role", "assistant");
                sink.plain_member("status", "completed");
                sink.key("content").array(|sink| parts.iter().for_each(|part| write_said(part, lost, sink)));
                self.messages += 1;
            }),
        }
    }
}

/// How many parts from the first on are so.
fn run(parts: &[Part<'_>], is_so: impl Fn(&Part<'_>) -> bool) -> usize {
    parts.iter().take_while(|part| is_so(part)).count()
}

const fn is_content(part: &Part<'_>) -> bool {
    matches!(part, Part::Text(_) | Part::Media(_) | Part::Refusal(_))
}

fn is_same_thought(first: &Reasoning<'_>, part: &Part<'_>) -> bool {
    matches!(part, Part::Reasoning(other) if other.id == first.id && other.id.is_some())
}

fn write_said(part: &Part<'_>, lost: &mut Lost, sink: &mut Sink) {
    sink.object(|sink| match part {
        Part::Refusal(refusal) => {
            sink.plain_member("type", "refusal");
            sink.text_member("refusal", refusal);
        }
        Part::Text(text) => {
            note_mark(text.cache.as_ref(), lost);
            sink.plain_member("type", "output_text");
            sink.text_member("text", &text.text);
            sink.key("annotations").array(|_| {});
        }
        _ => {}
    });
}

/// Caching goes by itself, and models before gpt-5.6 refuse marks (`PromptCacheOptions` of `response_create_params.py`).
fn note_mark(mark: Option<&CacheMark<'_>>, lost: &mut Lost) {
    lost.add_if(mark.is_some(), Field::CacheMark);
}

/// What is lost with a part that has no form in its place.
fn field_of(part: &Part<'_>) -> Field {
    match part {
        Part::Media(media) => Field::of(media.kind),
        Part::Refusal(_) => Field::Refusal,
        _ => Field::Part,
    }
}
