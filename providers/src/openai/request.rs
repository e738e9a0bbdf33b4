//! What lies in the input of requests in OpenAI's dialect (<https://platform.openai.com/docs/api-reference>, 2026-11).

use policy::request::Operation;

use crate::draft::{Draft, Input};
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
        "input_audio" => draft.members(audio),
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
        Some(inline) if !inline.is_image => {
            let size = draft.base64(inline.length);
            add_file(draft, size);
        }
        Some(inline) => {
            draft.base64(inline.length);
            add_image(draft);
        }
        None => add_image(draft),
    }
    Ok(())
}

fn audio(draft: &mut Draft<'_>, name: &str) -> Result<()> {
    if name != "data" {
        return draft.skip();
    }
    let length = draft.text()?.map_or(0, |text| text.raw().len());
    let size = draft.base64(length);
    draft.peek.demand.audio_bytes = draft.peek.demand.audio_bytes.saturating_add(size);
    Ok(())
}

fn file(draft: &mut Draft<'_>, name: &str) -> Result<()> {
    match name {
        "file_data" => {
            let Some(text) = draft.text()? else { return Ok(()) };
            let length = inline(text.raw()).map_or(text.raw().len(), |inline| inline.length);
            let size = draft.base64(length);
            add_file(draft, size);
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

fn add_file(draft: &mut Draft<'_>, size: u64) {
    draft.peek.demand.file_bytes = draft.peek.demand.file_bytes.saturating_add(size);
}

/// The medium within a data URL (RFC 2397).
struct Inline {
    is_image: bool,
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
    Some(Inline { is_image, length: rest.len() - comma - 1 })
}
