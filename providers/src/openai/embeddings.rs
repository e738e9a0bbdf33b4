//! OpenAI's embeddings (<https://platform.openai.com/docs/api-reference/embeddings/create>; openai 3.52.0:
//! `types/embedding_create_params.py`, `types/create_embedding_response.py`, `lib/_parsing/_embeddings.py`).

use crate::hub::embedding::{EmbedRequest, Embedded, Input, Vector};
use crate::hub::field::{Field, Lost};
use crate::hub::request::Other;
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::Json;
use crate::json::Kind;
use crate::openai::usage;
use crate::translate::{Context, Target};

/// How it calls what a request may ask.
pub(crate) fn name(field: Field) -> &'static str {
    match field {
        Field::User => "user",
        _ => "input",
    }
}

pub(crate) fn read_request(body: &[u8]) -> Result<EmbedRequest<'_>> {
    Source::new(body)?.whole(|source| {
        let mut request = EmbedRequest::default();
        source.members(|source, name| {
            match name {
                "model" | "fallbacks" => source.skip()?,
                "input" => request.inputs = inputs(source)?,
                "dimensions" => request.dimensions = source.count()?,
                "encoding_format" => {
                    is_base64(source)?;
                }
                "user" => request.user = source.text_or_null()?,
                other => {
                    let value = source.json_or_null()?;
                    request.others.extend(value.map(|value| Other { name: other.to_owned().into(), value }));
                }
            }
            Ok(())
        })?;
        Ok(request)
    })
}

/// A text, the tokens of one, or several of either.
fn inputs<'a>(source: &mut Source<'a>) -> Result<Vec<Input<'a>>> {
    match source.kind()? {
        Kind::String => Ok(vec![Input::Text(source.text()?)]),
        Kind::Array => several(source),
        _ => source.wrong("a text, an array of tokens, or an array of these"),
    }
}

fn several<'a>(source: &mut Source<'a>) -> Result<Vec<Input<'a>>> {
    let mut inputs = Vec::new();
    let mut tokens: Vec<Json<'a>> = Vec::new();
    source.elements(|source| {
        match source.kind()? {
            Kind::String if tokens.is_empty() => inputs.push(Input::Text(source.text()?)),
            Kind::Array if tokens.is_empty() => inputs.push(Input::Tokens(source.json()?)),
            Kind::Number if inputs.is_empty() => tokens.push(source.json()?),
            _ => return source.wrong("a text, a token or an array of tokens, as the others are"),
        }
        Ok(())
    })?;
    if !tokens.is_empty() {
        let mut sink = Sink::default();
        sink.array(|sink| tokens.iter().for_each(|token| sink.json(token)));
        let whole = String::from_utf8(sink.into_bytes()).ok().and_then(Json::checked);
        inputs.extend(whole.map(Input::Tokens));
    }
    Ok(inputs)
}

/// Whether base64 is named as the form of the vectors.
fn is_base64(source: &mut Source<'_>) -> Result<bool> {
    match source.text_or_null()? {
        None => Ok(false),
        Some(form) if form.is("float") => Ok(false),
        Some(form) if form.is("base64") => Ok(true),
        Some(_) => Err(ReadError::wrong("`float` or `base64`")),
    }
}

pub(crate) fn write_request(request: &EmbedRequest<'_>, target: &Target<'_>, lost: &mut Lost) -> Result<Vec<u8>> {
    request.others.iter().for_each(|other| lost.add_other(&other.name));
    let mut sink = Sink::default();
    sink.object(|sink| {
        sink.plain_member("model", target.model);
        sink.key("input").array(|sink| {
            for input in &request.inputs {
                match input {
                    Input::Text(text) => sink.text(text),
                    Input::Tokens(tokens) => sink.json(tokens),
                }
            }
        });
        if let Some(dimensions) = request.dimensions {
            sink.count_member("dimensions", dimensions);
        }
        if let Some(user) = &request.user {
            sink.text_member("user", user);
        }
    });
    Ok(sink.into_bytes())
}

pub(crate) fn read_answer(body: &[u8]) -> Result<Embedded<'_>> {
    Source::new(body)?.whole(|source| {
        let (mut answer, mut data) = (Embedded::default(), None);
        source.members(|source, name| {
            match name {
                "model" => answer.model = source.text_or_null()?,
                "data" => data = Some(source.list(vector)?),
                "usage" => {
                    let report = source.json_or_null()?;
                    let reading = report.and_then(|report| usage::read(report.raw().as_bytes()));
                    answer.usage = reading.map(|reading| reading.usage);
                }
                _ => source.skip()?,
            }
            Ok(())
        })?;
        let mut data = data.ok_or_else(|| ReadError::wrong("an array").under("data"))?;
        data.sort_by_key(|(index, _)| *index);
        answer.vectors = data.into_iter().map(|(_, vector)| vector).collect();
        Ok(answer)
    })
}

/// A vector and its place among the others.
fn vector<'a>(source: &mut Source<'a>) -> Result<(u64, Vector<'a>)> {
    const EXPECTED: &str = "an array of numbers or its base64";
    let (mut index, mut vector) = (None, None);
    source.members(|source, name| {
        match name {
            "index" => index = source.count()?,
            "embedding" => {
                vector = Some(match source.kind()? {
                    Kind::String => Vector::Base64(source.text()?),
                    Kind::Array => Vector::Numbers(source.json()?),
                    _ => return source.wrong(EXPECTED),
                });
            }
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let vector = vector.ok_or_else(|| ReadError::wrong(EXPECTED).under("embedding"))?;
    Ok((index.unwrap_or(0), vector))
}

/// Writes an answer, in the form that was asked for. The SDK's type wants usage, so where the vendor tells none it is zero.
pub(crate) fn write_answer(answer: &Embedded<'_>, context: &Context) -> Result<Vec<u8>> {
    let wants_base64 = wants_base64(&context.asked);
    let mut sink = Sink::default();
    let mut data = Ok(());
    sink.object(|sink| {
        sink.plain_member("object", "list");
        sink.key("data").array(|sink| {
            data = (0_u64..)
                .zip(&answer.vectors)
                .try_for_each(|(index, vector)| element(sink, index, vector, wants_base64));
        });
        match &answer.model {
            Some(model) => sink.text_member("model", model),
            None => sink.plain_member("model", &context.model),
        }
        let tokens = answer.usage.map_or(0, |usage| usage.input_total());
        sink.key("usage").object(|sink| {
            sink.count_member("prompt_tokens", tokens);
            sink.count_member("total_tokens", tokens);
        });
    });
    data.map(|()| sink.into_bytes())
}

fn element(sink: &mut Sink, index: u64, vector: &Vector<'_>, wants_base64: bool) -> Result<()> {
    let (numbers, base64) = if wants_base64 { (None, Some(vector.base64()?)) } else { (Some(vector.numbers()?), None) };
    sink.object(|sink| {
        sink.plain_member("object", "embedding");
        sink.count_member("index", index);
        if let Some(numbers) = numbers {
            sink.json_member("embedding", &numbers);
        }
        if let Some(base64) = base64 {
            sink.text_member("embedding", &base64);
        }
    });
    Ok(())
}

/// Whether the client's request asks for base64, which the SDKs do by themselves.
fn wants_base64(asked: &[u8]) -> bool {
    let mut wants = false;
    let read = Source::new(asked).and_then(|mut source| {
        source.members(|source, name| match name {
            "encoding_format" => is_base64(source).map(|is_base64| wants = is_base64),
            _ => source.skip(),
        })
    });
    read.is_ok() && wants
}
