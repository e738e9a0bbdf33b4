//! Turns as messages.

use super::{call, content, thought};
use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::part::{
    CacheMark, Media, MediaKind, MediaSource, Part, Role, Text, ToolCall, ToolOutput, ToolResult, Turn,
};
use crate::hub::request::Request;
use crate::hub::sink::Sink;
use crate::hub::text::Str;
use crate::openai::tool_error;
use crate::vendor::{ChatQuirks, Thoughts};

/// Writes a request's turns as elements of `messages`.
pub(super) fn write(request: &Request<'_>, quirks: &ChatQuirks, lost: &mut Lost, sink: &mut Sink) {
    let mut writer = Writer { from: request.from, quirks, ids: Ids::default(), shown: Vec::new(), lost };
    for turn in &request.turns {
        match turn.role {
            Role::System => writer.instructions(turn, sink),
            Role::User => writer.user(turn, sink),
            Role::Assistant => writer.assistant(turn, sink),
        }
    }
    writer.show(sink);
}

struct Writer<'a> {
    from: Wire,
    quirks: &'a ChatQuirks,
    ids: Ids,
    /// Media that tools gave back: their messages are text only, so the user shows them behind the last of these.
    shown: Vec<&'a Part<'a>>,
    lost: &'a mut Lost,
}

impl<'a> Writer<'a> {
    fn instructions(&mut self, turn: &Turn<'_>, sink: &mut Sink) {
        if turn.parts.is_empty() {
            return;
        }
        self.show(sink);
        self.message("system", turn, sink, |writer, sink| writer.content(&turn.parts, sink));
    }

    /// What tools gave back goes before what the user says: it has to follow the calls.
    fn user(&mut self, turn: &'a Turn<'a>, sink: &mut Sink) {
        let is_result = |part: &&Part<'_>| matches!(part, Part::ToolResult(_));
        for part in &turn.parts {
            if let Part::ToolResult(result) = part {
                self.result(result, sink);
            }
        }
        if turn.parts.iter().any(|part| !is_result(&part)) || turn.parts.is_empty() {
            self.message("user", turn, sink, |writer, sink| writer.content(&turn.parts, sink));
        }
    }

    fn message(&mut self, role: &str, turn: &Turn<'_>, sink: &mut Sink, members: impl FnOnce(&mut Self, &mut Sink)) {
        sink.object(|sink| {
            sink.plain_member("role", role);
            match &turn.name {
                Some(_) if self.quirks.unknown.contains(&"messages[].name") => self.lost.add(Field::ParticipantName),
                Some(name) => sink.text_member("name", name),
                None => {}
            }
            members(self, sink);
        });
    }

    fn show(&mut self, sink: &mut Sink) {
        if !self.shown.is_empty() {
            let turn = Turn { role: Role::User, name: None, parts: Vec::new() };
            self.message("user", &turn, sink, |writer, sink| writer.content(&[], sink));
        }
    }

    /// What is said, behind what there is to show. An array is never empty: vendors refuse that.
    fn content(&mut self, parts: &[Part<'_>], sink: &mut Sink) {
        let is_said = |part: &&Part<'_>| !matches!(part, Part::ToolResult(_) | Part::Reasoning(_));
        let shown = std::mem::take(&mut self.shown);
        let mut told: Vec<&Part<'_>> = shown;
        told.extend(parts.iter().filter(is_said).filter(|part| self.can_tell(part)));
        sink.key("content");
        match told.as_slice() {
            [] => sink.plain(""),
            [Part::Text(Text { text, cache, .. })] if !self.marks(cache.as_ref()) => sink.text(text),
            told => sink.array(|sink| told.iter().for_each(|part| self.part(part, sink))),
        }
    }

    /// Whether a part can be told; if not, it is lost.
    fn can_tell(&mut self, part: &Part<'_>) -> bool {
        let lost = match part {
            Part::Media(media) => lack(media),
            Part::Other { .. } if self.from == Wire::Chat => None,
            Part::Other { .. } | Part::ToolCall(_) => Some(Field::Part),
            Part::ToolResult(_) | Part::Reasoning(_) => return false,
            Part::Text(_) | Part::Refusal(_) => None,
        };
        lost.into_iter().for_each(|field| self.lost.add(field));
        lost.is_none()
    }

    /// Whether a mark for the cache is written; if not, it is lost.
    fn marks(&mut self, mark: Option<&CacheMark<'_>>) -> bool {
        self.lost.add_if(mark.is_some() && !self.quirks.has_cache_control, Field::CacheMark);
        mark.is_some() && self.quirks.has_cache_control
    }

    fn part(&mut self, part: &Part<'_>, sink: &mut Sink) {
        match part {
            Part::Text(text) => {
                let mark = text.cache.as_ref().filter(|mark| self.marks(Some(mark)));
                write_text(&text.text, mark, sink);
            }
            Part::Media(media) => self.media(media, sink),
            Part::Refusal(refusal) => write_text(refusal, None, sink),
            Part::Other { value, .. } => sink.json(value),
            Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {}
        }
    }

    fn media(&mut self, media: &Media<'_>, sink: &mut Sink) {
        self.lost.add_if(media.cache.is_some(), Field::CacheMark);
        match (media.kind, &media.source) {
            (MediaKind::Image, MediaSource::Inline { mime, base64 }) => image(&data_url(mime, base64), media, sink),
            (MediaKind::Image, MediaSource::Url { url, .. }) => image(url, media, sink),
            (MediaKind::Audio, MediaSource::Inline { mime, base64 }) => {
                let format = content::audio_format(mime);
                format.into_iter().for_each(|format| write_audio(base64, format, sink));
            }
            (MediaKind::File, MediaSource::Inline { mime, base64 }) => {
                file(sink, media, "file_data", &data_url(mime, base64));
            }
            (MediaKind::File, MediaSource::Id(id)) => file(sink, media, "file_id", id),
            // There is no place for a plain text but the conversation itself.
            (MediaKind::File, MediaSource::Plain(text)) => document(text, media.name.as_ref(), sink),
            // What is lacking is not told.
            _ => {}
        }
    }

    fn result(&mut self, result: &'a ToolResult<'a>, sink: &mut Sink) {
        self.lost.add_if(result.cache.is_some(), Field::CacheMark);
        let id = self.ids.of_result(result);
        sink.object(|sink| {
            sink.plain_member("role", "tool");
            sink.text_member("tool_call_id", &id);
            sink.key("content");
            match &result.content {
                ToolOutput::Value(value) => {
                    let text = value.string().unwrap_or_else(|| value.as_text());
                    sink.text(&tool_error::marked(&text, result.is_error));
                }
                ToolOutput::Parts(parts) => self.output(parts, result.is_error, sink),
            }
        });
    }

    /// The content of a tool's message is text only.
    fn output(&mut self, parts: &'a [Part<'a>], is_error: bool, sink: &mut Sink) {
        let is_seen = |part: &Part<'_>| matches!(part, Part::Media(media) if !is_document(media));
        let told: Vec<_> = parts.iter().filter(|part| self.can_tell(part)).collect();
        let shown = self.shown.len();
        self.shown.extend(told.iter().copied().filter(|part| is_seen(part)));
        let has_media = self.shown.len() > shown;
        let said: Vec<_> = told.into_iter().filter(|part| !is_seen(part)).collect();
        match said.as_slice() {
            [] => {
                let text = Str::raw_of(if has_media { FOLLOWS } else { "" });
                sink.text(&tool_error::marked(&text, is_error));
            }
            [Part::Text(text)] if !self.marks(text.cache.as_ref()) => {
                sink.text(&tool_error::marked(&text.text, is_error));
            }
            said => sink.array(|sink| self.said(said, is_error, sink)),
        }
    }

    fn said(&mut self, said: &[&Part<'_>], is_error: bool, sink: &mut Sink) {
        let mut is_error = is_error;
        for part in said {
            match part {
                Part::Text(text) if std::mem::take(&mut is_error) => {
                    let mark = text.cache.as_ref().filter(|mark| self.marks(Some(mark)));
                    write_text(&tool_error::marked(&text.text, true), mark, sink);
                }
                part => self.part(part, sink),
            }
        }
    }

    fn assistant(&mut self, turn: &Turn<'_>, sink: &mut Sink) {
        self.show(sink);
        let calls = turn.parts.iter().any(|part| matches!(part, Part::ToolCall(_)) || self.is_own_call(part));
        self.message("assistant", turn, sink, |writer, sink| {
            let (text, refusal) = words(&turn.parts);
            match (text, &refusal) {
                (Some(text), _) => sink.text_member("content", &text),
                (None, Some(_)) => sink.key("content").null(),
                (None, None) if calls => sink.key("content").null(),
                (None, None) => sink.plain_member("content", ""),
            }
            if let Some(refusal) = refusal {
                sink.text_member("refusal", &refusal);
            }
            writer.thoughts(&turn.parts, sink);
            if calls {
                sink.key("tool_calls").array(|sink| {
                    turn.parts.iter().for_each(|part| writer.call(part, sink));
                });
            }
            turn.parts.iter().for_each(|part| writer.spoken(part, sink));
        });
    }

    /// Where the target takes none, thoughts are left out as vendors themselves do.
    fn thoughts(&self, parts: &[Part<'_>], sink: &mut Sink) {
        match self.quirks.thoughts {
            Thoughts::Nowhere => {}
            Thoughts::Content => thought::write_words(parts, sink),
            Thoughts::Details => thought::write_all_details(parts, sink),
        }
    }

    fn is_own_call(&self, part: &Part<'_>) -> bool {
        self.from == Wire::Chat && matches!(part, Part::Other { kind, .. } if kind.is("custom"))
    }

    fn call(&mut self, part: &Part<'_>, sink: &mut Sink) {
        match part {
            Part::ToolCall(call) => {
                self.lost.add_if(call.cache.is_some(), Field::CacheMark);
                let id = self.ids.of_call(call);
                call::write(call, &id, None, false, sink);
            }
            Part::Other { value, .. } if self.is_own_call(part) => sink.json(value),
            _ => {}
        }
    }

    /// What the model said that is no text: only sounds that the vendor keeps can be named.
    fn spoken(&mut self, part: &Part<'_>, sink: &mut Sink) {
        match part {
            Part::Media(Media { kind: MediaKind::Audio, source: MediaSource::Id(id), .. }) => {
                sink.key("audio").object(|sink| sink.text_member("id", id));
            }
            Part::Media(media) => self.lost.add(Field::of(media.kind)),
            Part::Text(text) => self.lost.add_if(text.cache.is_some(), Field::CacheMark),
            Part::Other { .. } if !self.is_own_call(part) => self.lost.add(Field::Part),
            _ => {}
        }
    }
}

/// Stands for a tool's media in its message.
const FOLLOWS: &str = "What the tool gave back follows in the next message of the user.";

const fn is_document(media: &Media<'_>) -> bool {
    matches!((media.kind, &media.source), (MediaKind::File, MediaSource::Plain(_)))
}

/// What there is no form for in a medium.
fn lack(media: &Media<'_>) -> Option<Field> {
    match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::Inline { .. } | MediaSource::Url { .. }) => None,
        (MediaKind::Audio, MediaSource::Inline { mime, .. }) if content::audio_format(mime).is_some() => None,
        (MediaKind::File, MediaSource::Inline { .. } | MediaSource::Id(_) | MediaSource::Plain(_)) => None,
        (MediaKind::Image | MediaKind::Audio, MediaSource::Id(_)) => Some(Field::MediaId),
        (MediaKind::File | MediaKind::Audio, MediaSource::Url { .. }) => Some(Field::MediaUrl),
        (kind, _) => Some(Field::of(kind)),
    }
}

/// The text and the refusal of a message by the model, each in one string.
pub(super) fn words<'a>(parts: &'a [Part<'_>]) -> (Option<Str<'a>>, Option<Str<'a>>) {
    let (mut text, mut refusal): (Option<Str<'a>>, Option<Str<'a>>) = (None, None);
    for part in parts {
        let (place, words) = match part {
            Part::Text(part) => (&mut text, &part.text),
            Part::Refusal(words) => (&mut refusal, words),
            _ => continue,
        };
        match place {
            Some(so_far) => so_far.push(words),
            None => *place = Some(words.by_ref()),
        }
    }
    (text, refusal)
}

fn write_text(text: &Str<'_>, mark: Option<&CacheMark<'_>>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.plain_member("type", "text");
        sink.text_member("text", text);
        if let Some(mark) = mark {
            content::write_mark(mark, sink);
        }
    });
}

pub(super) fn data_url(mime: &Str<'_>, base64: &Str<'_>) -> Str<'static> {
    let mime = if mime.is_empty() { "application/octet-stream" } else { mime.raw() };
    Str::joined(&["data:", mime, ";base64,", base64.raw()])
}

/// Writes an image.
pub(super) fn image(url: &Str<'_>, media: &Media<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.plain_member("type", "image_url");
        sink.key("image_url").object(|sink| {
            sink.text_member("url", url);
            if let Some(detail) = &media.detail {
                sink.text_member("detail", detail);
            }
        });
    });
}

fn write_audio(base64: &Str<'_>, format: &str, sink: &mut Sink) {
    sink.object(|sink| {
        sink.plain_member("type", "input_audio");
        sink.key("input_audio").object(|sink| {
            sink.text_member("data", base64);
            sink.plain_member("format", format);
        });
    });
}

fn file(sink: &mut Sink, media: &Media<'_>, member: &str, value: &Str<'_>) {
    sink.object(|sink| {
        sink.plain_member("type", "file");
        sink.key("file").object(|sink| {
            sink.text_member(member, value);
            match &media.name {
                Some(name) => sink.text_member("filename", name),
                // Data without a name are refused.
                None if member == "file_data" => sink.plain_member("filename", "file.pdf"),
                None => {}
            }
        });
    });
}

fn document(text: &Str<'_>, title: Option<&Str<'_>>, sink: &mut Sink) {
    match title {
        Some(title) => write_text(&Str::joined(&[title.raw(), "\\n\\n", text.raw()]), None, sink),
        None => write_text(text, None, sink),
    }
}

/// Ids for calls from formats that have none: a running number, and results refer to the earliest call of their name that has
/// no result yet.
#[derive(Default)]
struct Ids {
    made: usize,
    /// Name of the tool and id of calls without a result.
    open: Vec<(String, Str<'static>)>,
}

impl Ids {
    fn of_call<'a>(&mut self, call: &'a ToolCall<'_>) -> Str<'a> {
        match &call.id {
            Some(id) => id.by_ref(),
            None => {
                let id = self.make();
                self.open.push((call.name.raw().to_owned(), id.clone()));
                id
            }
        }
    }

    fn of_result<'a>(&mut self, result: &'a ToolResult<'_>) -> Str<'a> {
        if let Some(id) = &result.id {
            return id.by_ref();
        }
        let is_named = |name: &str| result.name.as_ref().is_none_or(|own| own.raw() == name);
        match self.open.iter().position(|(name, _)| is_named(name)) {
            Some(at) => self.open.remove(at).1,
            None => self.make(),
        }
    }

    fn make(&mut self) -> Str<'static> {
        let id = Str::joined(&["call_", &self.made.to_string()]);
        self.made += 1;
        id
    }
}
