//! The items of a conversation, read into turns (`response_input_item_param.py`): what the model says between two others' items is
//! one turn of it, calls and thoughts included.

use super::image;
use super::proof::Proof;
use crate::hub::members::Members;
use crate::hub::part::{
    Arguments, CacheMark, Citation, Media, MediaKind, MediaSource, Part, Reasoning, Role, Text, ToolCall, ToolOutput,
    ToolResult, Turn,
};
use crate::hub::request::Other;
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::Str;
use crate::json::Kind;

/// The turns so far.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    turns: Vec<Turn<'a>>,
    /// Signatures of calls, with the ids of these.
    signatures: Vec<(Str<'a>, Str<'a>)>,
    /// Items that are named only: what they say is in the vendor's store.
    pub(super) references: Vec<Other<'a>>,
}

impl<'a> Conversation<'a> {
    /// Reads the `input` field. `false`: it is null.
    pub(super) fn read(&mut self, source: &mut Source<'a>) -> Result<bool> {
        match source.kind()? {
            Kind::Null => source.skip()?,
            Kind::String => {
                let part = Part::Text(Text::plain(source.text()?));
                self.begin(Role::User, vec![part]);
            }
            Kind::Array => source.elements(|source| {
                let members = source.unread_members()?;
                self.item(&members)
            })?,
            _ => return source.wrong("a string or an array"),
        }
        Ok(!self.turns.is_empty() || !self.references.is_empty())
    }

    /// The turns, calls with their signatures.
    pub(super) fn finish(mut self) -> Vec<Turn<'a>> {
        for part in self.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            let Part::ToolCall(call) = part else { continue };
            let own = self.signatures.iter().find(|(id, _)| call.id.as_ref() == Some(id));
            call.signature = own.map(|(_, signature)| signature.clone());
        }
        self.turns
    }

    fn item(&mut self, members: &Members<'a>) -> Result<()> {
        let Some(kind) = members.text("type")? else {
            return if members.json("role").is_some() { self.message(members) } else { self.reference(members) };
        };
        match &*kind.plain() {
            "message" => self.message(members)?,
            "function_call" => self.say(Part::ToolCall(read_call(members)?)),
            "function_call_output" => self.give_back(Part::ToolResult(read_result(members)?)),
            "reasoning" => self.think(members)?,
            "image_generation_call" => self.draw(members, &kind)?,
            // What was searched for is told, but not what was found; the answer behind it has that.
            "web_search_call" => {}
            "item_reference" => self.reference(members)?,
            other if is_from_caller(other) => {
                self.give_back(Part::Other { kind: kind.clone(), value: members.whole() })
            }
            _ => self.say(Part::Other { kind: kind.clone(), value: members.whole() }),
        }
        Ok(())
    }

    fn message(&mut self, members: &Members<'a>) -> Result<()> {
        const ROLES: &str = "`user`, `assistant`, `system` or `developer`";
        let role = match &*members.needed_text("role")?.plain() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" | "developer" => Role::System,
            _ => return Err(ReadError::wrong(ROLES).under("role")),
        };
        let content = members.read("content", content)?.unwrap_or_default();
        match self.turns.last_mut().filter(|turn| role == Role::Assistant && is_open(turn)) {
            Some(turn) => turn.parts.extend(content),
            None => self.begin(role, content),
        }
        Ok(())
    }

    fn think(&mut self, members: &Members<'a>) -> Result<()> {
        let thoughts = read_reasoning(members)?;
        for reasoning in thoughts.parts {
            self.say(Part::Reasoning(reasoning));
        }
        self.signatures.extend(thoughts.call);
        Ok(())
    }

    fn draw(&mut self, members: &Members<'a>, kind: &Str<'a>) -> Result<()> {
        let image = image::read(members)?.map(Part::Media);
        self.say(image.unwrap_or_else(|| Part::Other { kind: kind.clone(), value: members.whole() }));
        Ok(())
    }

    fn reference(&mut self, members: &Members<'a>) -> Result<()> {
        members.needed_text("id")?;
        super::read_request::add(&mut self.references, "input[].item_reference", members.whole());
        Ok(())
    }

    /// The model's turn goes on.
    fn say(&mut self, part: Part<'a>) {
        match self.turns.last_mut().filter(|turn| turn.role == Role::Assistant) {
            Some(turn) => turn.parts.push(part),
            None => self.begin(Role::Assistant, vec![part]),
        }
    }

    /// What came of calls is one turn.
    fn give_back(&mut self, part: Part<'a>) {
        let is_result = |part: &Part<'_>| matches!(part, Part::ToolResult(_) | Part::Other { .. });
        match self.turns.last_mut().filter(|turn| turn.role == Role::User && turn.parts.iter().all(is_result)) {
            Some(turn) => turn.parts.push(part),
            None => self.begin(Role::User, vec![part]),
        }
    }

    fn begin(&mut self, role: Role, parts: Vec<Part<'a>>) {
        self.turns.push(Turn { role, name: None, parts });
    }
}

/// Whether a message of the model belongs to its turn so far: it has thought or called, but two messages are two turns.
fn is_open(turn: &Turn<'_>) -> bool {
    let has_called = turn.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let has_said = turn.parts.iter().any(|part| matches!(part, Part::Text(_) | Part::Refusal(_)));
    turn.role == Role::Assistant && (has_called || !has_said)
}

/// Whether an item of this type comes from the caller and not from the model.
fn is_from_caller(kind: &str) -> bool {
    kind.ends_with("_output") || matches!(kind, "mcp_approval_response" | "compaction_trigger" | "additional_tools")
}

fn content<'a>(source: &mut Source<'a>) -> Result<Vec<Part<'a>>> {
    match source.kind()? {
        Kind::String => Ok(vec![Part::Text(Text::plain(source.text()?))]),
        Kind::Array => source.list(|source| read_part(&source.unread_members()?)),
        _ => source.wrong("a string or an array"),
    }
}

/// A part of a message's content (`response_input_content_param.py`, `response_output_message_param.py`).
pub(super) fn read_part<'a>(members: &Members<'a>) -> Result<Part<'a>> {
    let kind = members.needed_text("type")?;
    Ok(match &*kind.plain() {
        "input_text" | "output_text" | "text" => Part::Text(Text {
            text: members.needed_text("text")?,
            citations: members.read("annotations", citations)?.unwrap_or_default(),
            cache: cache(members)?,
            signature: None,
        }),
        "refusal" => Part::Refusal(members.needed_text("refusal")?),
        "input_image" => Part::Media(read_image(members)?),
        "input_file" => Part::Media(read_file(members)?),
        "input_audio" => Part::Media(read_audio(members)?),
        _ => Part::Other { kind: kind.clone(), value: members.whole() },
    })
}

fn read_image<'a>(members: &Members<'a>) -> Result<Media<'a>> {
    let source = match (members.text("image_url")?, members.text("file_id")?) {
        (Some(url), _) => MediaSource::at(url),
        (None, Some(id)) => MediaSource::Id(id),
        (None, None) => return Err(ReadError::wrong("a string").under("image_url")),
    };
    Ok(Media {
        kind: MediaKind::Image,
        source,
        detail: members.text("detail")?.filter(|detail| !detail.is("auto")),
        name: None,
        cache: cache(members)?,
    })
}

fn read_file<'a>(members: &Members<'a>) -> Result<Media<'a>> {
    let name = members.text("filename")?;
    let data = members.text("file_data")?;
    let source = match (data, members.text("file_url")?, members.text("file_id")?) {
        (Some(data), _, _) => read_data(data, name.as_ref()),
        (None, Some(url), _) => MediaSource::at(url),
        (None, None, Some(id)) => MediaSource::Id(id),
        (None, None, None) => return Err(ReadError::wrong("a string").under("file_data")),
    };
    Ok(Media { kind: MediaKind::File, source, detail: None, name, cache: cache(members)? })
}

/// A file's content: a `data:` URL, or base64 and nothing else.
fn read_data<'a>(data: Str<'a>, name: Option<&Str<'a>>) -> MediaSource<'a> {
    match MediaSource::at(data) {
        MediaSource::Url { url, .. } => MediaSource::Inline { mime: Str::raw_of(mime_of(name)), base64: url },
        inline => inline,
    }
}

/// The type of a file that is known by its name only.
fn mime_of(name: Option<&Str<'_>>) -> &'static str {
    let name = name.map(|name| name.plain().to_ascii_lowercase()).unwrap_or_default();
    match name.rsplit('.').next() {
        Some("txt" | "md" | "csv" | "log") => "text/plain",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        _ => "application/pdf",
    }
}

fn read_audio<'a>(members: &Members<'a>) -> Result<Media<'a>> {
    let audio = members.read("input_audio", Source::unread_members)?.unwrap_or_default();
    let read = || {
        let format = audio.needed_text("format")?;
        let mime = Str::of(&format!("audio/{}", format.plain())).into_owned();
        Ok(MediaSource::Inline { mime, base64: audio.needed_text("data")? })
    };
    let source = read().map_err(|error: ReadError| error.under("input_audio"))?;
    Ok(Media { kind: MediaKind::Audio, source, detail: None, name: None, cache: None })
}

/// A mark for the vendor's cache. Its lifetimes are half an hour, which is the default, and twelve hours.
fn cache<'a>(members: &Members<'a>) -> Result<Option<CacheMark<'a>>> {
    let Some(mark) = members.read("prompt_cache_breakpoint", Source::unread_members)? else { return Ok(None) };
    let ttl = mark.text("ttl").map_err(|error| error.under("prompt_cache_breakpoint"))?;
    Ok(Some(CacheMark { ttl: ttl.filter(|ttl| ttl.is("12h")).map(|_| Str::raw_of("1h")) }))
}

/// The places on the web that a text rests on. Annotations of other types name files in the vendor's store.
fn citations<'a>(source: &mut Source<'a>) -> Result<Vec<Citation<'a>>> {
    let citations = source.list(|source| read_citation(&source.unread_members()?))?;
    Ok(citations.into_iter().flatten().collect())
}

/// `None`: it names no place on the web.
pub(super) fn read_citation<'a>(members: &Members<'a>) -> Result<Option<Citation<'a>>> {
    if members.text("type")?.is_none_or(|kind| !kind.is("url_citation")) {
        return Ok(None);
    }
    let from = members.read("start_index", Source::count)?.flatten();
    let to = members.read("end_index", Source::count)?.flatten();
    let title = members.text("title")?.filter(|title| !title.is_empty());
    Ok(Some(Citation { url: members.text("url")?, title, quote: None, range: from.zip(to) }))
}

/// `response_function_tool_call_param.py`.
fn read_call<'a>(members: &Members<'a>) -> Result<ToolCall<'a>> {
    Ok(ToolCall {
        id: Some(members.needed_text("call_id")?),
        name: members.needed_text("name")?,
        arguments: Arguments::Text(members.text("arguments")?.unwrap_or_default()),
        signature: None,
        cache: None,
    })
}

/// `FunctionCallOutput` of `response_input_item_param.py`.
fn read_result<'a>(members: &Members<'a>) -> Result<ToolResult<'a>> {
    Ok(ToolResult {
        id: Some(members.needed_text("call_id")?),
        name: members.text("name")?,
        content: ToolOutput::Parts(members.read("output", content)?.unwrap_or_default()),
        is_error: false,
        cache: None,
    })
}

/// What a reasoning item holds.
#[derive(Debug, Default)]
struct Thoughts<'a> {
    parts: Vec<Reasoning<'a>>,
    /// The id of a call and its signature.
    call: Option<(Str<'a>, Str<'a>)>,
}

/// A reasoning item of a request (`response_reasoning_item_param.py`): its sealed content is of use only where it came from.
fn read_reasoning<'a>(members: &Members<'a>) -> Result<Thoughts<'a>> {
    let mut thoughts = Thoughts { parts: read_thoughts(members)?, call: None };
    let Some(encrypted) = members.text("encrypted_content")? else { return Ok(thoughts) };
    let empty = || Reasoning { id: members.text("id").ok().flatten(), ..Reasoning::default() };
    match Proof::read(&encrypted) {
        Proof::Signature(signature) => {
            let mut last = thoughts.parts.pop().unwrap_or_else(empty);
            last.signature = Some(signature);
            thoughts.parts.push(last);
        }
        Proof::Sealed(sealed) => thoughts.parts.push(Reasoning { sealed: Some(sealed), ..empty() }),
        Proof::Call { id, signature } => thoughts.call = Some((id, signature)),
        Proof::Own => {}
    }
    Ok(thoughts)
}

/// The texts of a reasoning item: summaries, then thoughts that are shown as they are.
pub(super) fn read_thoughts<'a>(members: &Members<'a>) -> Result<Vec<Reasoning<'a>>> {
    let id = members.text("id")?;
    let mut parts = Vec::new();
    for (name, is_summary) in [("summary", true), ("content", false)] {
        let texts = members.read(name, |source| source.list(|source| source.unread_members()?.needed_text("text")))?;
        let texts = texts.unwrap_or_default().into_iter().filter(|text| !text.is_empty());
        parts.extend(texts.map(|text| Reasoning { text, is_summary, id: id.clone(), ..Reasoning::default() }));
    }
    Ok(parts)
}
