//! What lies in the input of requests in OpenAI's dialect (<https://platform.openai.com/docs/api-reference>, 2026-11).

use policy::request::Operation;

use crate::draft::{Draft, Input, Media};
use crate::json::{Kind, Text};
use crate::peek::PeekError;

type Result<T> = std::result::Result<T, PeekError>;

/// Reads the value of an input field.
pub(crate) fn read(draft: &mut Draft<'_>, input: Input) -> Result<()> {
    match (input, draft.operation) {
        (Input::Messages, Operation::ChatCompletion) => draft.elements(message),
        (Input::Messages, Operation::Responses | Operation::CountTokens) => draft.elements(item),
        (Input::Prompts, _) | (Input::Messages, Operation::Embedding) => prompts(draft),
        (Input::Tools, _) => draft.elements(tool),
        (Input::Prediction, _) => prediction(draft),
        _ => draft.skip(),
    }
}

/// A string or a list of tokens is one prompt; a list of those is as many as it has.
fn prompts(draft: &mut Draft<'_>) -> Result<()> {
    let mut prompts = 0_u32;
    draft.elements(|draft| {
        if draft.reader.kind()? != Kind::Number {
            prompts = prompts.saturating_add(1);
        }
        draft.skip()
    })?;
    draft.prompts = prompts;
    Ok(())
}

/// An answer that is predicted: a string, or parts of text.
fn prediction(draft: &mut Draft<'_>) -> Result<()> {
    draft.members(|draft, name| {
        let span = draft.reader.skip()?;
        if name == "content" {
            let bytes = u64::try_from(span.len()).unwrap_or(u64::MAX);
            draft.peek.demand.prediction_bytes = draft.peek.demand.prediction_bytes.saturating_add(bytes);
        }
        Ok(())
    })
}

fn message(draft: &mut Draft<'_>) -> Result<()> {
    draft.members(|draft, name| match name {
        "content" => draft.elements(part),
        // An earlier spoken answer, by its id.
        "audio" => draft.pointer(),
        _ => draft.skip(),
    })
}

/// An item of the Responses API's input. One that is neither a message nor of a type known to carry its content with it is a
/// reference to something stored.
fn item(draft: &mut Draft<'_>) -> Result<()> {
    let (mut kind, mut has_role, mut result) = (ItemKind::Untyped, false, 0);
    draft.members(|draft, name| match name {
        "type" => {
            kind = draft.text()?.map_or(ItemKind::Untyped, |text| ItemKind::of(&text.name()));
            Ok(())
        }
        "role" => {
            has_role = true;
            draft.skip()
        }
        "content" => draft.elements(part),
        "output" if draft.reader.kind()? == Kind::Object => draft.members(screenshot),
        "output" => draft.elements(part),
        "result" => {
            result = draft.text()?.map_or(0, |text| text.raw().len());
            Ok(())
        }
        _ => draft.skip(),
    })?;
    match kind {
        ItemKind::Image => {
            draft.base64(result);
            add_image(draft);
        }
        ItemKind::Known => {}
        ItemKind::Untyped => draft.peek.demand.unseen |= !has_role,
        ItemKind::Unknown => draft.peek.demand.unseen = true,
    }
    Ok(())
}

enum ItemKind {
    Untyped,
    Known,
    Image,
    Unknown,
}

impl ItemKind {
    fn of(name: &str) -> Self {
        match name {
            "image_generation_call" => Self::Image,
            "message"
            | "function_call"
            | "function_call_output"
            | "custom_tool_call"
            | "custom_tool_call_output"
            | "reasoning"
            | "computer_call"
            | "computer_call_output"
            | "local_shell_call"
            | "local_shell_call_output"
            | "shell_call"
            | "shell_call_output"
            | "apply_patch_call"
            | "apply_patch_call_output"
            | "mcp_list_tools"
            | "mcp_approval_request"
            | "mcp_approval_response"
            | "mcp_call" => Self::Known,
            _ => Self::Unknown,
        }
    }
}

/// A content part of either API: the names of their media do not collide.
fn part(draft: &mut Draft<'_>) -> Result<()> {
    draft.members(|draft, name| match name {
        "type" => {
            const KNOWN: [&str; 11] = [
                "text",
                "input_text",
                "output_text",
                "refusal",
                "image_url",
                "input_image",
                "input_audio",
                "file",
                "input_file",
                "summary_text",
                "reasoning_text",
            ];
            let is_known = draft.text()?.is_some_and(|text| KNOWN.contains(&&*text.name()));
            draft.peek.demand.unseen |= !is_known;
            Ok(())
        }
        "image_url" => image(draft),
        "input_audio" => audio(draft),
        "file" => draft.members(file),
        "file_data" | "file_id" | "file_url" => file(draft, name),
        _ => draft.skip(),
    })
}

fn screenshot(draft: &mut Draft<'_>, name: &str) -> Result<()> {
    match name {
        "image_url" => image(draft),
        "file_id" => draft.pointer(),
        _ => draft.skip(),
    }
}

/// An image by its URL, which may hold it: a string, or an object with it.
fn image(draft: &mut Draft<'_>) -> Result<()> {
    match draft.reader.kind()? {
        Kind::Object => draft.members(|draft, name| if name == "url" { image_url(draft) } else { draft.skip() }),
        _ => image_url(draft),
    }
}

fn image_url(draft: &mut Draft<'_>) -> Result<()> {
    let Some(url) = draft.text()? else { return Ok(()) };
    match inline(url.raw()) {
        Some(Inline { media: Some(media), length }) => {
            let size = draft.base64(length);
            draft.media(media, size);
        }
        Some(Inline { media: None, length }) => {
            draft.base64(length);
            add_image(draft);
        }
        None => add_image(draft),
    }
    Ok(())
}

fn audio(draft: &mut Draft<'_>) -> Result<()> {
    let (mut size, mut is_steady, mut is_other) = (0_u64, false, false);
    draft.members(|draft, name| match name {
        "data" => {
            let length = draft.text()?.map_or(0, |text| text.raw().len());
            size = size.saturating_add(draft.base64(length));
            Ok(())
        }
        "format" => {
            let format = draft.text()?.map(Text::name).unwrap_or_default();
            let is_known = matches!(&*format, "wav" | "mp3");
            is_steady |= is_known;
            is_other |= !is_known;
            Ok(())
        }
        _ => draft.skip(),
    })?;
    draft.media(if is_steady && !is_other { Media::SteadyAudio } else { Media::Audio }, size);
    Ok(())
}

fn file(draft: &mut Draft<'_>, name: &str) -> Result<()> {
    match name {
        "file_data" => {
            let Some(text) = draft.text()? else { return Ok(()) };
            // Without a data URL, the name says what it is, or the vendor looks for itself.
            let unnamed = Inline { media: None, length: text.raw().len() };
            let Inline { media, length } = inline(text.raw()).unwrap_or(unnamed);
            let size = draft.base64(length);
            draft.media(media.unwrap_or(Media::Document), size);
            Ok(())
        }
        "file_id" | "file_url" => draft.pointer(),
        _ => draft.skip(),
    }
}

fn tool(draft: &mut Draft<'_>) -> Result<()> {
    draft.members(|draft, name| {
        if name != "type" {
            return draft.skip();
        }
        // Whatever else there is or will be is run by the vendor.
        let client_side = ["function", "custom", "namespace", "local_shell", "apply_patch"];
        let kind = draft.text()?.map(Text::name).unwrap_or_default();
        draft.peek.demand.unseen |= !client_side.contains(&&*kind);
        if kind.starts_with("web_search") {
            draft.searches(None);
        }
        Ok(())
    })
}

fn add_image(draft: &mut Draft<'_>) {
    draft.peek.demand.images = draft.peek.demand.images.saturating_add(1);
}

/// The medium within a data URL (RFC 2397).
struct Inline {
    /// `None`: an image.
    media: Option<Media>,
    /// Of its base64.
    length: usize,
}

/// What a data URL holds. `None`: it is another URL, or not in base64.
fn inline(url: &[u8]) -> Option<Inline> {
    const LONGEST_HEAD: usize = 256;
    let rest = url.strip_prefix(b"data:")?;
    let comma = memchr::memchr(b',', rest.get(..LONGEST_HEAD.min(rest.len()))?)?;
    let head = rest.get(..comma)?;
    if !head.to_ascii_lowercase().ends_with(b";base64") {
        return None;
    }
    let is_image = head.get(..5).is_some_and(|kind| kind.eq_ignore_ascii_case(b"image"));
    let media = (!is_image).then(|| std::str::from_utf8(head).map_or(Media::Document, Media::of));
    Some(Inline { media, length: rest.len() - comma - 1 })
}
