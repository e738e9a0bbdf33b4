//! A request, written.

use super::model::Family;
use super::part::is_googles;
use super::write_config::PLACE;
use super::{tools, write_config, write_part};
use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::part::{Media, MediaSource, Part, Role, ToolCall, ToolOutput, ToolResult};
use crate::hub::request::Request;
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result};
use crate::hub::text::Str;
use crate::translate::Target;

/// What Google lets stand for the proof of a call that another vendor's model made
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>, 2026-11).
const NO_PROOF: &str = "skip_thought_signature_validator";

/// Writes a request of generateContent or streamGenerateContent. The model and whether it is streamed are in its path.
pub(crate) fn write_request(request: &Request<'_>, target: &Target<'_>, lost: &mut Lost) -> Result<Vec<u8>> {
    let family = Family::of(target.model);
    let mut sink = Sink::with_capacity(2_048);
    let mut writer = Writer { request, family, lost, calls: Vec::new(), fault: None };
    sink.object(|sink| {
        writer.conversation(sink);
        tools::write(request, writer.lost, sink);
        write_config::write(request, target, family, writer.lost, sink);
        writer.others(sink);
    });
    match writer.fault {
        Some(fault) => Err(fault),
        None => Ok(sink.into_bytes()),
    }
}

struct Writer<'w, 'a> {
    request: &'w Request<'a>,
    family: Family,
    lost: &'w mut Lost,
    /// The tools that were called so far: results repeat their names.
    calls: Vec<(&'w Str<'a>, &'w Str<'a>)>,
    fault: Option<ReadError>,
}

impl<'w, 'a> Writer<'w, 'a> {
    fn conversation(&mut self, sink: &mut Sink) {
        let request = self.request;
        self.lost.add_if(request.turns.iter().any(|turn| turn.name.is_some()), Field::ParticipantName);
        self.lost.add_if(request.user.is_some(), Field::User);
        let turns = request.alternating();
        let has_instructions = request.instructions().next().is_some();
        // A conversation of instructions alone is said by the user: it may not be empty.
        let instructions_are_all = turns.is_empty() && has_instructions;
        if has_instructions && !instructions_are_all {
            sink.key("systemInstruction").object(|sink| self.instructions(sink));
        }
        sink.key("contents").array(|sink| {
            if instructions_are_all {
                sink.object(|sink| {
                    sink.plain_member("role", "user");
                    self.instructions(sink);
                });
            }
            turns.iter().for_each(|(role, parts)| self.content(*role, parts, sink));
        });
    }

    fn instructions(&mut self, sink: &mut Sink) {
        let request = self.request;
        sink.key("parts").array(|sink| request.instructions().for_each(|part| self.instruction(part, sink)));
    }

    fn instruction(&mut self, part: &Part<'a>, sink: &mut Sink) {
        match part {
            Part::Text(text) => {
                self.lost.add_if(text.cache.is_some(), Field::CacheMark);
                if !text.text.is_empty() {
                    write_part::text(text, sink);
                }
            }
            Part::Media(media) => self.lost.add(Field::of(media.kind)),
            _ => self.lost.add(Field::Part),
        }
    }

    fn content(&mut self, role: Role, parts: &[&'w Part<'a>], sink: &mut Sink) {
        // A turn without parts is refused.
        if !parts.iter().any(|part| self.is_said(part)) {
            return;
        }
        sink.object(|sink| {
            sink.plain_member("role", if role == Role::Assistant { "model" } else { "user" });
            sink.key("parts").array(|sink| {
                let mut is_first_call = true;
                for part in parts {
                    self.part(part, &mut is_first_call, sink);
                }
            });
        });
    }

    /// Whether anything is written of it. Thoughts of other vendors' models are nothing to Gemini, nor are empty texts.
    fn is_said(&mut self, part: &Part<'a>) -> bool {
        match part {
            Part::Text(text) => !text.text.is_empty() || text.signature.is_some(),
            Part::Refusal(text) => !text.is_empty(),
            Part::Reasoning(_) => self.is_own(),
            Part::Media(media) => self.is_readable(media),
            Part::Other { .. } => {
                self.lost.add_if(!self.is_own(), Field::Part);
                self.is_own()
            }
            Part::ToolCall(_) | Part::ToolResult(_) => true,
        }
    }

    fn is_own(&self) -> bool {
        self.request.from == Wire::Generate
    }

    fn part(&mut self, part: &'w Part<'a>, is_first_call: &mut bool, sink: &mut Sink) {
        if !self.is_said(part) {
            return;
        }
        match part {
            Part::Text(text) => {
                self.lost.add_if(text.cache.is_some(), Field::CacheMark);
                write_part::text(text, sink);
            }
            Part::Refusal(text) => write_part::plain(text, sink),
            Part::Reasoning(reasoning) => write_part::thought(reasoning, sink),
            Part::Media(media) => {
                self.lost.add_if(media.cache.is_some(), Field::CacheMark);
                write_part::media(media, sink);
            }
            Part::Other { value, .. } => sink.json(value),
            Part::ToolCall(call) => self.call(call, std::mem::take(is_first_call), sink),
            Part::ToolResult(result) => self.result(result, sink),
        }
    }

    /// Whether Gemini can get at it.
    fn is_readable(&mut self, media: &Media<'_>) -> bool {
        let is_elsewhere = matches!(&media.source, MediaSource::Id(id) if !self.is_own() && !is_known(id));
        self.lost.add_if(is_elsewhere, Field::MediaId);
        !is_elsewhere
    }

    /// The first call of a turn has to be signed where signatures are looked at, also where another model made it.
    fn call(&mut self, call: &'w ToolCall<'a>, is_first: bool, sink: &mut Sink) {
        self.lost.add_if(call.cache.is_some(), Field::CacheMark);
        if let Some(id) = &call.id {
            self.calls.push((id, &call.name));
        }
        let Some(arguments) = call.arguments.object() else {
            let place = arguments_place(self.request.from);
            self.fault.get_or_insert(ReadError::wrong("the text of a JSON object").under(place));
            return;
        };
        let stand_in = (is_first && self.family.is_third()).then_some(Str::raw_of(NO_PROOF));
        write_part::call(call, &arguments, call.signature.as_ref().or(stand_in.as_ref()), sink);
    }

    fn result(&mut self, result: &ToolResult<'a>, sink: &mut Sink) {
        self.lost.add_if(result.cache.is_some(), Field::CacheMark);
        let media: Vec<&Media<'a>> = match &result.content {
            ToolOutput::Value(_) => Vec::new(),
            ToolOutput::Parts(parts) => parts.iter().filter_map(|part| self.result_media(part)).collect(),
        };
        let (within, beside) = media.split_at(if self.family.is_third() { media.len() } else { 0 });
        sink.object(|sink| {
            sink.key("functionResponse").object(|sink| {
                if let Some(id) = &result.id {
                    sink.text_member("id", id);
                }
                sink.text_member("name", &self.called(result));
                write_response(&result.content, result.is_error, sink.key("response"));
                if !within.is_empty() {
                    sink.key("parts").array(|sink| within.iter().for_each(|media| write_part::media(media, sink)));
                }
            });
        });
        // Models before the third generation take media beside the result only.
        beside.iter().for_each(|media| write_part::media(media, sink));
    }

    fn result_media<'p>(&mut self, part: &'p Part<'a>) -> Option<&'p Media<'a>> {
        match part {
            Part::Media(media) if self.is_readable(media) => Some(media),
            Part::Media(_) | Part::Text(_) => None,
            _ => {
                self.lost.add(Field::Part);
                None
            }
        }
    }

    /// The name of the tool that gave this back; where no call is known, what it is known by.
    fn called(&self, result: &ToolResult<'a>) -> Str<'a> {
        let by_id = || {
            let id = result.id.as_ref()?;
            self.calls.iter().rev().find(|(called, _)| *called == id).map(|(_, name)| (*name).clone())
        };
        result.name.clone().or_else(by_id).or_else(|| result.id.clone()).unwrap_or_else(|| Str::raw_of("tool"))
    }

    fn others(&mut self, sink: &mut Sink) {
        for other in &self.request.others {
            if !self.is_own() {
                self.lost.add_other(&other.name);
            } else if !other.name.contains('.') {
                sink.json_member(&other.name, &other.value);
            } else if !other.name.starts_with(PLACE) {
                self.lost.add_other(&other.name);
            }
        }
    }
}

/// An object as it is; anything else as `output`, or `error`.
fn write_response(content: &ToolOutput<'_>, is_error: bool, sink: &mut Sink) {
    let key = if is_error { "error" } else { "output" };
    match content {
        ToolOutput::Value(value) if value.is_object() && !is_error => sink.json(value),
        ToolOutput::Value(value) => sink.object(|sink| sink.json_member(key, value)),
        ToolOutput::Parts(parts) => sink.object(|sink| sink.text_member(key, &joined(parts))),
    }
}

fn joined<'p>(parts: &'p [Part<'_>]) -> Str<'p> {
    let mut texts = parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(&text.text) } else { None });
    let mut all = texts.next().map(Str::by_ref).unwrap_or_default();
    for text in texts {
        all.push(&Str::raw_of("\\n"));
        all.push(text);
    }
    all
}

fn is_known(id: &Str<'_>) -> bool {
    let id = id.plain();
    id.contains("://") && is_googles(&id)
}

const fn arguments_place(from: Wire) -> &'static str {
    match from {
        Wire::Responses => "input[].arguments",
        Wire::Messages => "messages[].content[].input",
        Wire::Generate => "contents[].parts[].functionCall.args",
        Wire::Chat | Wire::Completions => "messages[].tool_calls[].function.arguments",
    }
}
