//! The fields of a body that decide about the request, and how they are found by name.

use std::borrow::Cow;

use crate::peek::PeekError;

/// What a top-level field decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Governed {
    /// The model.
    Model,
    /// A place that names the model once more; the path decides.
    ModelPlace,
    /// Whether the answer is streamed.
    Stream,
    /// OpenAI's options of a stream.
    StreamOptions,
    /// The output limit.
    MaxOutput,
    /// How many answers.
    Choices,
    /// The price class.
    Tier,
    /// Whether Anthropic is to answer faster for more money.
    Speed,
    /// Where Anthropic is to work; anywhere is cheaper.
    Region,
    /// Something that the body only points at.
    Pointer,
    /// Options of a search that the vendor makes, where they are there.
    Search,
    /// How many hosted tools the vendor may call.
    ToolCalls,
    /// Whether the vendor works on after its answer.
    Background,
    /// The gateway's own fallbacks.
    Fallbacks,
    /// Neither input nor governed.
    Plain,
    /// Input, in a form that the dialect knows.
    Input(Input),
}

/// The forms of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The conversation.
    Messages,
    /// What precedes it.
    System,
    /// One prompt or several, each with its own answer.
    Prompts,
    /// Several requests in one, or one within another.
    Requests,
    /// Tools, of which some are run by the vendor.
    Tools,
    /// What the vendor is to do to the conversation before it answers.
    Edits,
    /// An answer that the client predicts.
    Prediction,
    /// Gemini's settings, which hold limits and also schemas.
    GenerationConfig,
}

/// A top-level field that is known, and what it decides about. Fields that are not known count as input.
pub(crate) struct Field(pub(crate) &'static str, pub(crate) Governed);

/// The gateway's own field; vendors never see it. Anthropic has one of the same name, by which the vendor itself would go on
/// with other models: those must pass the gate too, so it is taken as the gateway's.
pub(crate) const FALLBACKS: Field = Field("fallbacks", Governed::Fallbacks);

/// The row of a field, and which it is.
pub(super) fn find(fields: &'static [Field], name: &str) -> Result<Option<(usize, &'static Field)>, PeekError> {
    if let Some(found) = fields.iter().enumerate().find(|(_, field)| field.0 == name) {
        return Ok(Some(found));
    }
    // Readers that ignore case fold these two letters into ASCII as well.
    let folded =
        if name.is_ascii() { Cow::Borrowed(name) } else { name.replace('ſ', "s").replace('\u{212A}', "k").into() };
    match fields.iter().find(|field| field.1 != Governed::Plain && field.0.eq_ignore_ascii_case(&folded)) {
        Some(field) => Err(PeekError::AlmostField(field.0)),
        None => Ok(None),
    }
}

pub(crate) fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
