//! `generationConfig`, read.

use super::names::{members, members_if_any, one_or_many, other, word};
use super::schema;
use crate::count;
use crate::hub::request::{Format, Request, Thinking};
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::{Json, Str};

/// What several members say together.
#[derive(Default)]
struct Draft<'a> {
    mime: Option<Str<'a>>,
    schema: Option<Json<'a>>,
}

/// Reads `generationConfig`.
pub(super) fn read<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    let mut draft = Draft::default();
    members_if_any(source, |source, name| member(source, name, request, &mut draft))?;
    let is_json = draft.mime.as_ref().is_some_and(|mime| mime.is("application/json"));
    request.format = match draft.schema {
        Some(schema) => Some(Format::Schema { name: None, description: None, schema, strict: None }),
        None => is_json.then_some(Format::Json),
    };
    Ok(())
}

fn member<'a>(source: &mut Source<'a>, name: &str, request: &mut Request<'a>, draft: &mut Draft<'a>) -> Result<()> {
    match name {
        "temperature" => request.temperature = source.number()?,
        "topP" => request.top_p = source.number()?,
        "topK" => request.top_k = source.number()?,
        "presencePenalty" => request.presence_penalty = source.number()?,
        "frequencyPenalty" => request.frequency_penalty = source.number()?,
        "seed" => request.seed = source.number()?,
        "candidateCount" => request.choices = source.count()?,
        "maxOutputTokens" => request.max_output = source.count()?,
        "responseLogprobs" => request.logprobs = source.flag()?,
        "logprobs" => request.top_logprobs = source.count()?,
        "stopSequences" => one_or_many(source, |source| {
            request.stop.push(source.text()?);
            Ok(())
        })?,
        "responseMimeType" => mime(source, request, draft)?,
        "responseSchema" => draft.schema = schema::read(source)?.or(draft.schema.take()),
        "responseJsonSchema" => draft.schema = source.json_or_null()?.or(draft.schema.take()),
        "responseModalities" => one_or_many(source, |source| modality(source, request))?,
        "thinkingConfig" => request.thinking = thinking(source, request)?,
        _ => other(&mut request.others, source, "generationConfig.", name)?,
    }
    Ok(())
}

/// Another type than text and JSON, as `text/x.enum`, is only Gemini's.
fn mime<'a>(source: &mut Source<'a>, request: &mut Request<'a>, draft: &mut Draft<'a>) -> Result<()> {
    let mime = source.clone().text_or_null()?;
    if mime.as_ref().is_none_or(|mime| ["", "text/plain", "application/json"].iter().any(|known| mime.is(known))) {
        draft.mime = mime;
        return source.skip();
    }
    other(&mut request.others, source, "generationConfig.", "responseMimeType")
}

fn modality<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    match word(source)?.as_deref() {
        None | Some("TEXT" | "MODALITY_UNSPECIFIED") => {}
        Some("IMAGE") => request.modalities.push(Str::raw_of("image")),
        Some("AUDIO") => request.modalities.push(Str::raw_of("audio")),
        Some("VIDEO") => request.modalities.push(Str::raw_of("video")),
        Some(_) => return Err(ReadError::wrong("`TEXT`, `IMAGE`, `AUDIO` or `VIDEO`")),
    }
    Ok(())
}

fn thinking<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<Option<Thinking<'a>>> {
    let mut thinking = Thinking::default();
    if source.is_null()? {
        return Ok(None);
    }
    members(source, |source, name| match name {
        "includeThoughts" => {
            thinking.is_shown = source.flag()?;
            Ok(())
        }
        "thinkingBudget" => budget(source, &mut thinking),
        "thinkingLevel" => {
            let level = word(source)?.filter(|level| level != "THINKING_LEVEL_UNSPECIFIED");
            thinking.effort = level.map(|level| Str::of(&level.to_ascii_lowercase()).into_owned());
            Ok(())
        }
        _ => other(&mut request.others, source, "generationConfig.thinkingConfig.", name),
    })?;
    Ok((thinking != Thinking::default()).then_some(thinking))
}

/// -1: as the model likes.
fn budget(source: &mut Source<'_>, thinking: &mut Thinking<'_>) -> Result<()> {
    let Some(number) = source.number()? else { return Ok(()) };
    thinking.is_adaptive = number.is("-1");
    if !thinking.is_adaptive {
        let budget = count::read(number.raw().as_bytes());
        thinking.budget = Some(budget.ok_or_else(|| ReadError::wrong("a whole number from -1"))?);
    }
    Ok(())
}
