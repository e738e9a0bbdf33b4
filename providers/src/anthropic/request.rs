//! What matters of requests in Anthropic's dialect (<https://platform.claude.com/docs/en/api/messages>, 2026-11).

use crate::draft::{Draft, FALLBACKS, Field, Governed, Input, Media};
use crate::json::{Kind, Text};
use crate::peek::PeekError;

type Result<T> = std::result::Result<T, PeekError>;

/// The fields of a body: of a message to create, or to count the tokens of.
pub(crate) const FIELDS: &[Field] = &[
    FALLBACKS,
    Field("model", Governed::Model),
    Field("messages", Governed::Input(Input::Messages)),
    Field("system", Governed::Input(Input::System)),
    Field("stream", Governed::Stream),
    Field("max_tokens", Governed::MaxOutput),
    Field("tools", Governed::Input(Input::Tools)),
    Field("service_tier", Governed::Tier),
    Field("speed", Governed::Speed),
    Field("inference_geo", Governed::Region),
    Field("container", Governed::Pointer),
    Field("mcp_servers", Governed::Pointer),
    Field("thread", Governed::Pointer),
    Field("compaction", Governed::Pointer),
    Field("context_management", Governed::Input(Input::Edits)),
    Field("cache_control", Governed::Plain),
    Field("metadata", Governed::Plain),
    Field("stop_sequences", Governed::Plain),
    Field("temperature", Governed::Plain),
    Field("thinking", Governed::Plain),
    Field("tool_choice", Governed::Plain),
    Field("top_k", Governed::Plain),
    Field("top_p", Governed::Plain),
];

/// Reads the value of an input field.
pub(crate) fn read(draft: &mut Draft<'_>, input: Input) -> Result<()> {
    match input {
        Input::Messages => draft.elements(message),
        Input::System => draft.elements(block),
        Input::Tools => draft.elements(tool),
        Input::Edits => draft.members(|draft, name| if name == "edits" { draft.elements(edit) } else { draft.skip() }),
        Input::Prompts | Input::Requests | Input::Prediction | Input::GenerationConfig => draft.skip(),
    }
}

fn message(draft: &mut Draft<'_>) -> Result<()> {
    draft.members(|draft, name| if name == "content" { draft.elements(block) } else { draft.skip() })
}

/// A content block. Blocks hold blocks: what a tool gave back, what a document is made of.
fn block(draft: &mut Draft<'_>) -> Result<()> {
    let (mut kind, mut source) = (BlockKind::Unknown, None);
    draft.members(|draft, name| match name {
        "type" => {
            kind = draft.text()?.map_or(BlockKind::Unknown, |text| BlockKind::of(&text.name()));
            Ok(())
        }
        "source" if draft.reader.kind()? == Kind::Object => {
            source = Some(read_source(draft)?);
            Ok(())
        }
        "content" => draft.elements(block),
        _ => draft.skip(),
    })?;
    match kind {
        BlockKind::Image => {
            if let Some(Source { kind: SourceKind::Base64, length }) = source {
                draft.base64(length);
            }
            draft.peek.demand.images = draft.peek.demand.images.saturating_add(1);
        }
        BlockKind::Document => match source {
            Some(Source { kind: SourceKind::Base64, length }) => {
                let size = draft.base64(length);
                draft.media(Media::Document, size);
            }
            Some(Source { kind: SourceKind::Inline, .. }) => {}
            Some(Source { kind: SourceKind::Elsewhere, .. }) | None => draft.peek.demand.unseen = true,
        },
        BlockKind::Known => {}
        BlockKind::Unknown => draft.peek.demand.unseen = true,
    }
    Ok(())
}

enum BlockKind {
    Image,
    Document,
    Known,
    Unknown,
}

impl BlockKind {
    fn of(name: &str) -> Self {
        match name {
            "image" => Self::Image,
            "document" => Self::Document,
            "text"
            | "tool_use"
            | "tool_result"
            | "thinking"
            | "redacted_thinking"
            | "search_result"
            | "server_tool_use"
            | "web_search_tool_result"
            | "web_search_result"
            | "web_fetch_tool_result"
            | "code_execution_tool_result"
            | "bash_code_execution_tool_result"
            | "code_execution_output"
            | "bash_code_execution_output"
            | "text_editor_code_execution_tool_result"
            | "tool_search_tool_result"
            | "tool_reference"
            | "mcp_tool_use"
            | "mcp_tool_result" => Self::Known,
            _ => Self::Unknown,
        }
    }
}

/// Where an image or a document comes from.
struct Source {
    kind: SourceKind,
    /// Of its `data`, in characters.
    length: usize,
}

enum SourceKind {
    Base64,
    /// In the body, as text.
    Inline,
    /// At a URL, or among the stored files.
    Elsewhere,
}

fn read_source(draft: &mut Draft<'_>) -> Result<Source> {
    let mut source = Source { kind: SourceKind::Elsewhere, length: 0 };
    draft.members(|draft, name| match name {
        "type" => {
            let kind = draft.text()?;
            source.kind = match kind.map(|text| text.name()).as_deref() {
                Some("base64") => SourceKind::Base64,
                Some("text" | "content") => SourceKind::Inline,
                _ => SourceKind::Elsewhere,
            };
            Ok(())
        }
        "data" => {
            source.length = draft.text()?.map_or(0, |text| text.raw().len());
            Ok(())
        }
        "content" => draft.elements(block),
        _ => draft.skip(),
    })?;
    Ok(source)
}

/// A tool. Those with a type are Anthropic's; of them, these are run by the client and only described to the model.
fn tool(draft: &mut Draft<'_>) -> Result<()> {
    let (mut is_search, mut most, mut bounds) = (false, None, 0);
    draft.members(|draft, name| {
        match name {
            "type" => {
                let kind = draft.text()?.map_or("custom".into(), Text::name);
                let client_side = ["bash_", "text_editor_", "memory_"];
                let is_client_side = kind == "custom" || client_side.iter().any(|prefix| kind.starts_with(prefix));
                draft.peek.demand.unseen |= !is_client_side;
                is_search |= kind.starts_with("web_search");
            }
            "max_uses" => {
                bounds += 1;
                draft.once("tools.max_uses", bounds)?;
                most = draft.number()?;
            }
            _ => draft.skip()?,
        }
        Ok(())
    })?;
    if is_search {
        draft.searches(most);
    }
    Ok(())
}

/// An edit of the conversation. Those that clear parts of it cost nothing; the others let a model write a summary.
fn edit(draft: &mut Draft<'_>) -> Result<()> {
    draft.members(|draft, name| {
        if name != "type" {
            return draft.skip();
        }
        let clears = draft.text()?.is_some_and(|kind| kind.name().starts_with("clear_"));
        draft.peek.demand.unseen |= !clears;
        Ok(())
    })
}
