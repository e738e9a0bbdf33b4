//! What matters of requests in Gemini's dialect (<https://ai.google.dev/api/generate-content>, 2026-11). Names are met here in
//! camel case, however they stand in the body.

use crate::draft::{Draft, FALLBACKS, Field, Governed, Input, Media};
use crate::json::{Kind, Span};
use crate::peek::PeekError;
use crate::splice::{Inside, Placed};

type Result<T> = std::result::Result<T, PeekError>;

/// The fields of a body, whatever the action: generateContent, countTokens, embedContent, batchEmbedContents.
pub(crate) const FIELDS: &[Field] = &[
    FALLBACKS,
    Field("contents", Governed::Input(Input::Messages)),
    Field("content", Governed::Input(Input::System)),
    Field("systemInstruction", Governed::Input(Input::System)),
    Field("requests", Governed::Input(Input::Requests)),
    Field("generateContentRequest", Governed::Input(Input::Requests)),
    Field("model", Governed::ModelPlace),
    Field("tools", Governed::Input(Input::Tools)),
    Field("generationConfig", Governed::Input(Input::GenerationConfig)),
    Field("serviceTier", Governed::Tier),
    Field("cachedContent", Governed::Pointer),
    Field("continuationToken", Governed::Pointer),
    Field("labels", Governed::Plain),
    Field("outputDimensionality", Governed::Plain),
    Field("safetySettings", Governed::Plain),
    Field("store", Governed::Plain),
    Field("taskType", Governed::Plain),
];

/// Reads the value of an input field.
pub(crate) fn read(draft: &mut Draft<'_>, input: Input) -> Result<()> {
    match input {
        Input::Messages => one_or_many(draft, content),
        Input::System => content(draft),
        Input::Requests => one_or_many(draft, request),
        Input::Tools => one_or_many(draft, tool),
        Input::GenerationConfig => generation_config(draft),
        Input::Prompts | Input::Edits | Input::Prediction => draft.skip(),
    }
}

/// A list, or its one element by itself, which Google's JSON takes as well.
fn one_or_many(draft: &mut Draft<'_>, each: fn(&mut Draft<'_>) -> Result<()>) -> Result<()> {
    if draft.reader.kind()? == Kind::Array { draft.elements(each) } else { each(draft) }
}

/// A request within the request. The model that it names must be the one in the path.
fn request(draft: &mut Draft<'_>) -> Result<()> {
    draft.prompts = draft.prompts.saturating_add(1);
    draft.members(|draft, name| match name {
        "model" => draft.model_place().map(|_| ()),
        "contents" => one_or_many(draft, content),
        "content" | "systemInstruction" => content(draft),
        "tools" => one_or_many(draft, tool),
        "cachedContent" => draft.pointer(),
        _ => draft.skip(),
    })
}

fn content(draft: &mut Draft<'_>) -> Result<()> {
    draft.members(|draft, name| if name == "parts" { one_or_many(draft, part) } else { draft.skip() })
}

fn part(draft: &mut Draft<'_>) -> Result<()> {
    draft.members(|draft, name| match name {
        "inlineData" => inline_data(draft),
        "fileData" => draft.pointer(),
        "functionResponse" => content(draft),
        _ => draft.skip(),
    })
}

fn inline_data(draft: &mut Draft<'_>) -> Result<()> {
    let (mut medium, mut length) = (None, 0);
    draft.members(|draft, name| match name {
        "mimeType" => {
            let named = draft.text()?.map_or(Medium::UNKNOWN, |text| Medium::of(&text.name()));
            // Of two, the vendor may take either.
            medium = Some(if medium.is_none() { named } else { Medium::Video });
            Ok(())
        }
        "data" => {
            length = draft.text()?.map_or(0, |text| text.raw().len());
            Ok(())
        }
        _ => draft.skip(),
    })?;
    let size = draft.base64(length);
    let demand = &mut draft.peek.demand;
    match medium.unwrap_or(Medium::UNKNOWN) {
        Medium::Image => demand.images = demand.images.saturating_add(1),
        Medium::Other(media) => draft.media(media, size),
        // A still picture takes few bytes a second and as many tokens as any other.
        Medium::Video => demand.unseen = true,
    }
    Ok(())
}

enum Medium {
    Image,
    Video,
    Other(Media),
}

impl Medium {
    const UNKNOWN: Self = Self::Other(Media::Document);

    fn of(mime_type: &str) -> Self {
        let class = mime_type.split('/').next().unwrap_or_default().trim();
        if class.eq_ignore_ascii_case("image") {
            return Self::Image;
        }
        if class.eq_ignore_ascii_case("video") { Self::Video } else { Self::Other(Media::of(mime_type)) }
    }
}

/// A tool is an object with one member that says what it is; all but declared functions are run by the vendor.
fn tool(draft: &mut Draft<'_>) -> Result<()> {
    draft.members(|draft, name| {
        draft.peek.demand.unseen |= name != "functionDeclarations";
        if matches!(name, "googleSearch" | "googleSearchRetrieval" | "enterpriseWebSearch") {
            draft.searches(None);
        }
        draft.skip()
    })
}

fn generation_config(draft: &mut Draft<'_>) -> Result<()> {
    let start = draft.start()?;
    let is_object = draft.reader.kind()? == Kind::Object;
    let (mut limits, mut counts, mut member) = (0, 0, None);
    draft.members(|draft, name| match name {
        "maxOutputTokens" => {
            limits += 1;
            draft.once("generationConfig.maxOutputTokens", limits)?;
            let start = draft.start()?;
            draft.max_output()?;
            member = Some(draft.span_from(start));
            Ok(())
        }
        "candidateCount" => {
            counts += 1;
            draft.once("generationConfig.candidateCount", counts)?;
            draft.choices()
        }
        _ => draft.skip(),
    })?;
    let value = draft.span_from(start);
    let open = start + 1;
    let inside = draft.reader.slice(Span { start: open, end: value.end });
    let inside = is_object.then(|| Inside { open, is_empty: inside.trim_ascii_start() == b"}" });
    draft.peek.splices.settings = Some(Placed { value, inside, member });
    Ok(())
}
