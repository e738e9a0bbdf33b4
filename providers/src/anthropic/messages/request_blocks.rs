//! The parts of a conversation as a request's content blocks.

use std::borrow::Cow;

use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::part::{CacheMark, Part, Reasoning, Role, Text, ToolCall, ToolOutput, ToolResult};
use crate::hub::sink::Sink;
use crate::hub::source::ReadError;
use crate::hub::text::{Json, Str};

use super::request_media as media;

/// Writes content blocks in the order of the conversation.
#[derive(Debug)]
pub(super) struct BlockWriter<'l, 'r> {
    from: Wire,
    lost: &'l mut Lost,
    ids: Ids<'r>,
    /// Whether the model is to go on with the turn that is written.
    pub(super) is_prefill: bool,
    /// What cannot be written at all.
    pub(super) fault: Option<ReadError>,
}

impl<'l, 'r> BlockWriter<'l, 'r> {
    /// For a request that came in this format.
    pub(super) fn new(from: Wire, lost: &'l mut Lost) -> Self {
        Self { from, lost, ids: Ids::default(), is_prefill: false, fault: None }
    }

    /// Writes a turn, if anything is left of it. What tools gave back has to stand first.
    pub(super) fn turn(&mut self, sink: &mut Sink, role: Role, parts: &[&'r Part<'_>]) {
        let is_result = |part: &&Part<'_>| matches!(part, Part::ToolResult(_));
        let results = parts.iter().copied().filter(is_result);
        let rest = parts.iter().copied().filter(|part| !is_result(part));
        let kept: Vec<&Part<'_>> = results.chain(rest).filter(|part| self.can_say(role, part)).collect();
        if kept.is_empty() {
            return;
        }
        sink.object(|sink| {
            sink.plain_member("role", if role == Role::Assistant { "assistant" } else { "user" });
            self.content(sink, "content", &kept);
        });
    }

    /// Writes instructions: nothing but text.
    pub(super) fn system(&mut self, sink: &mut Sink, parts: &[&'r Part<'_>]) {
        let kept: Vec<&Part<'_>> = parts.iter().copied().filter(|part| self.can_say(Role::System, part)).collect();
        if !kept.is_empty() {
            self.content(sink, "system", &kept);
        }
    }

    /// Whether a turn of this role can have this part.
    fn can_say(&mut self, role: Role, part: &Part<'_>) -> bool {
        match part {
            Part::Text(text) => !is_blank(&text.text),
            Part::Refusal(text) => !is_blank(text),
            Part::Media(media) if role == Role::User => media::is_taken(media, self.lost),
            Part::Media(media) => {
                self.lost.add(Field::of(media.kind));
                false
            }
            Part::ToolCall(_) | Part::ToolResult(_) => true,
            Part::Reasoning(reasoning) => role == Role::Assistant && is_own(reasoning),
            Part::Other { .. } => {
                self.lost.add_if(self.from != Wire::Messages, Field::Part);
                self.from == Wire::Messages
            }
        }
    }

    /// A lone text as such, all else as blocks. What the model is to go on with may not end in white space.
    fn content(&mut self, sink: &mut Sink, name: &str, parts: &[&'r Part<'_>]) {
        let is_prefill = std::mem::take(&mut self.is_prefill);
        let end = |text: &'r Str<'_>| if is_prefill { trimmed(text) } else { text.by_ref() };
        match parts {
            [Part::Text(Text { text, cache: None, .. }) | Part::Refusal(text)] => sink.text_member(name, &end(text)),
            [before @ .., Part::Text(text)] => sink.key(name).array(|sink| {
                before.iter().for_each(|part| self.block(sink, part));
                write_text(sink, &end(&text.text), text.cache.as_ref());
            }),
            _ => sink.key(name).array(|sink| parts.iter().for_each(|part| self.block(sink, part))),
        }
    }

    fn block(&mut self, sink: &mut Sink, part: &'r Part<'_>) {
        match part {
            Part::Text(text) => write_text(sink, &text.text, text.cache.as_ref()),
            Part::Refusal(text) => write_text(sink, text, None),
            Part::Media(media) => media::write(sink, media),
            Part::ToolCall(call) => self.tool_call(sink, call),
            Part::ToolResult(result) => self.tool_result(sink, result),
            Part::Reasoning(reasoning) => write_reasoning(sink, reasoning),
            Part::Other { value, .. } => sink.json(value),
        }
    }

    fn tool_call(&mut self, sink: &mut Sink, call: &'r ToolCall<'_>) {
        let input = call.arguments.object().unwrap_or_else(|| {
            let place = match self.from {
                Wire::Responses => "input[].arguments",
                _ => "messages[].tool_calls[].function.arguments",
            };
            self.fault.get_or_insert(ReadError::wrong("the text of a JSON object").under(place));
            Json::read("{}")
        });
        let id = self.ids.of_call(call);
        sink.object(|sink| {
            sink.plain_member("type", "tool_use");
            sink.text_member("id", &Str::raw_of(&id));
            sink.text_member("name", &call.name);
            sink.json_member("input", &input);
            write_mark(sink, call.cache.as_ref());
        });
    }

    fn tool_result(&mut self, sink: &mut Sink, result: &'r ToolResult<'_>) {
        let id = self.ids.of_result(result);
        sink.object(|sink| {
            sink.plain_member("type", "tool_result");
            sink.text_member("tool_use_id", &Str::raw_of(&id));
            match &result.content {
                ToolOutput::Value(value) => sink.text_member("content", &value.as_text()),
                ToolOutput::Parts(parts) => self.output(sink, parts),
            }
            if result.is_error {
                sink.flag_member("is_error", true);
            }
            write_mark(sink, result.cache.as_ref());
        });
    }

    fn output(&mut self, sink: &mut Sink, parts: &'r [Part<'_>]) {
        let kept: Vec<&Part<'_>> = parts.iter().filter(|part| self.can_say(Role::User, part)).collect();
        if !kept.is_empty() {
            self.content(sink, "content", &kept);
        }
    }
}

/// The part with which an assistant's turn begins as it is written.
pub(super) fn first_written<'p, 'a>(from: Wire, parts: &[&'p Part<'a>]) -> Option<&'p Part<'a>> {
    let mut unheard = Lost::new(|_| "");
    let mut blocks = BlockWriter::new(from, &mut unheard);
    parts.iter().copied().find(|part| blocks.can_say(Role::Assistant, part))
}

/// Whether a thought's proof can be Anthropic's own. OpenAI's is told by how it is sealed; Anthropic refuses thoughts without.
fn is_own(reasoning: &Reasoning<'_>) -> bool {
    let proof = reasoning.signature.as_ref().or(reasoning.sealed.as_ref());
    proof.is_some_and(|proof| !proof.is_empty() && !proof.raw().starts_with("gAAAA"))
}

/// Whether a text has nothing to read: Anthropic refuses it.
fn is_blank(text: &Str<'_>) -> bool {
    match text.raw().as_bytes().first() {
        None => true,
        Some(b' ' | b'\\') => text.plain().trim().is_empty(),
        Some(_) => false,
    }
}

fn trimmed<'t>(text: &'t Str<'_>) -> Str<'t> {
    match text.raw().as_bytes().last() {
        Some(b' ' | b'n' | b't' | b'r') => Str::of(text.plain().trim_end()).into_owned(),
        _ => text.by_ref(),
    }
}

fn write_text(sink: &mut Sink, text: &Str<'_>, cache: Option<&CacheMark<'_>>) {
    sink.object(|sink| {
        sink.plain_member("type", "text");
        sink.text_member("text", text);
        write_mark(sink, cache);
    });
}

fn write_reasoning(sink: &mut Sink, reasoning: &Reasoning<'_>) {
    sink.object(|sink| match (&reasoning.signature, &reasoning.sealed) {
        (Some(signature), _) => {
            sink.plain_member("type", "thinking");
            sink.text_member("thinking", &reasoning.text);
            sink.text_member("signature", signature);
        }
        (None, sealed) => {
            sink.plain_member("type", "redacted_thinking");
            sink.text_member("data", sealed.as_ref().unwrap_or(&Str::default()));
        }
    });
}

/// Writes a mark for the cache.
pub(super) fn write_mark(sink: &mut Sink, mark: Option<&CacheMark<'_>>) {
    let Some(mark) = mark else { return };
    sink.key("cache_control").object(|sink| {
        sink.plain_member("type", "ephemeral");
        // Anthropic knows these two and no others.
        if let Some(ttl) = mark.ttl.as_ref().filter(|ttl| ["5m", "1h"].contains(&ttl.raw())) {
            sink.text_member("ttl", ttl);
        }
    });
}

/// Ids of tools' calls where those of the client's wire format are none that Anthropic takes.
#[derive(Debug, Default)]
struct Ids<'r> {
    calls: usize,
    /// Calls without id whose results are to come: their names, and their new ids.
    nameless: Vec<(&'r str, String)>,
    /// Ids that Anthropic refuses, and new ones.
    replaced: Vec<(&'r str, String)>,
}

impl<'r> Ids<'r> {
    fn of_call(&mut self, call: &'r ToolCall<'_>) -> Cow<'r, str> {
        self.calls += 1;
        let new = || format!("call_{}", self.calls);
        match call.id.as_ref().map(Str::raw) {
            Some(id) if is_id(id) => Cow::Borrowed(id),
            Some(id) if !id.is_empty() => {
                let new = new();
                self.replaced.push((id, new.clone()));
                Cow::Owned(new)
            }
            _ => {
                let new = new();
                self.nameless.push((call.name.raw(), new.clone()));
                Cow::Owned(new)
            }
        }
    }

    /// A result without id is that of the first call of its name that has none yet.
    fn of_result(&mut self, result: &'r ToolResult<'_>) -> Cow<'r, str> {
        let id = result.id.as_ref().map_or("", Str::raw);
        if is_id(id) {
            return Cow::Borrowed(id);
        }
        if let Some((_, new)) = self.replaced.iter().rfind(|(old, _)| *old == id) {
            return Cow::Owned(new.clone());
        }
        let name = result.name.as_ref().map(Str::raw);
        let same = self.nameless.iter().position(|(called, _)| name.is_none_or(|name| name == *called));
        match same {
            Some(place) => Cow::Owned(self.nameless.remove(place).1),
            None => Cow::Borrowed("call_0"),
        }
    }
}

/// Whether Anthropic takes it as a call's id.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
