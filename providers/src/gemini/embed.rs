//! Gemini's embeddings: `embedContent` for one text, `batchEmbedContents` for several
//! (<https://ai.google.dev/api/embeddings>, 2026-11; google-genai 3.4.0: `models.py`, `types.EmbedContentResponse`).

use std::borrow::Cow;

use crate::gemini::usage;
use crate::hub::embedding::{EmbedRequest, Embedded, Input, Vector};
use crate::hub::field::{Field, Lost};
use crate::hub::request::Other;
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::Str;
use crate::json::Kind;
use crate::translate::{Context, Target};

/// How it calls what a request may ask; nothing of it can be lost under a name of the neutral form's.
pub(crate) const fn name(_field: Field) -> &'static str {
    "content"
}

/// A model as it is called within a body.
pub(crate) fn resource(model: &str) -> Cow<'_, str> {
    let has_collection = model.starts_with("models/") || model.starts_with("tunedModels/");
    if has_collection { model.into() } else { format!("models/{model}").into() }
}

/// Reads a request of either action.
pub(crate) fn read_request(body: &[u8]) -> Result<EmbedRequest<'_>> {
    Source::new(body)?.whole(|source| {
        let (mut request, mut single, mut batch) = (EmbedRequest::default(), One::default(), None);
        source.members(|source, name| match name {
            "requests" => {
                batch = Some(source.list(one)?);
                Ok(())
            }
            "fallbacks" => source.skip(),
            _ => member(source, name, &mut single),
        })?;
        let Some(batch) = batch else {
            add(&mut request, single)?;
            return Ok(request);
        };
        request.others = single.others;
        for (index, one) in batch.into_iter().enumerate() {
            if index > 0 && one.dimensions != request.dimensions {
                return Err(ReadError::wrong("the same in all").under("requests[].outputDimensionality"));
            }
            add(&mut request, one).map_err(|error| error.under(&format!("requests[{index}]")))?;
        }
        Ok(request)
    })
}

/// What is asked for one text.
#[derive(Default)]
struct One<'a> {
    text: Option<Str<'a>>,
    dimensions: Option<u64>,
    others: Vec<Other<'a>>,
}

fn one<'a>(source: &mut Source<'a>) -> Result<One<'a>> {
    let mut one = One::default();
    source.members(|source, name| member(source, name, &mut one))?;
    for other in &mut one.others {
        other.name = format!("requests[].{}", other.name).into();
    }
    Ok(one)
}

fn member<'a>(source: &mut Source<'a>, name: &str, one: &mut One<'a>) -> Result<()> {
    match name {
        "model" => source.skip()?,
        "content" => one.text = content(source)?,
        "outputDimensionality" | "output_dimensionality" => one.dimensions = source.count()?,
        other => {
            let value = source.json_or_null()?;
            one.others.extend(value.map(|value| Other { name: other.to_owned().into(), value }));
        }
    }
    Ok(())
}

/// Its parts, one behind the other. Only texts become vectors in other formats.
fn content<'a>(source: &mut Source<'a>) -> Result<Option<Str<'a>>> {
    let mut text: Option<Str<'a>> = None;
    let mut part = |source: &mut Source<'a>| {
        source.members(|source, name| match (name, &mut text) {
            ("text", Some(text)) => source.text().map(|more| text.push(&more)),
            ("text", none) => source.text().map(|first| *none = Some(first)),
            _ => source.wrong("a text, where the model's provider takes nothing else"),
        })
    };
    source.members(|source, name| match name {
        "parts" if source.kind()? == Kind::Array => source.elements(&mut part),
        "parts" => part(source),
        _ => source.skip(),
    })?;
    Ok(text)
}

fn add<'a>(request: &mut EmbedRequest<'a>, one: One<'a>) -> Result<()> {
    let text = one.text.ok_or_else(|| ReadError::wrong("a text").under("content"))?;
    request.inputs.push(Input::Text(text));
    request.dimensions = one.dimensions;
    request.others.extend(one.others);
    Ok(())
}

/// Writes a request of `batchEmbedContents`.
pub(crate) fn write_request(request: &EmbedRequest<'_>, target: &Target<'_>, lost: &mut Lost) -> Result<Vec<u8>> {
    request.others.iter().for_each(|other| lost.add_other(&other.name));
    lost.add_if(request.user.is_some(), Field::User);
    let model = resource(target.model);
    let mut sink = Sink::default();
    let mut written = Ok(());
    sink.object(|sink| {
        sink.key("requests").array(|sink| {
            written = request.inputs.iter().try_for_each(|input| {
                let Input::Text(text) = input else {
                    return Err(ReadError::wrong("text: the model's provider takes no tokens").under("input"));
                };
                sink.object(|sink| {
                    sink.plain_member("model", &model);
                    sink.key("content").object(|sink| {
                        sink.key("parts").array(|sink| sink.object(|sink| sink.text_member("text", text)));
                    });
                    if let Some(dimensions) = request.dimensions {
                        sink.count_member("outputDimensionality", dimensions);
                    }
                });
                Ok(())
            });
        });
    });
    written.map(|()| sink.into_bytes())
}

/// Reads an answer to either action.
pub(crate) fn read_answer(body: &[u8]) -> Result<Embedded<'_>> {
    Source::new(body)?.whole(|source| {
        let (mut answer, mut is_there) = (Embedded::default(), false);
        source.members(|source, name| {
            match name {
                "embedding" => answer.vectors.push(vector(source)?),
                "embeddings" => answer.vectors = source.list(vector)?,
                "usageMetadata" => {
                    let report = source.json_or_null()?;
                    let read = report.and_then(|report| usage::read(report.raw().as_bytes()));
                    answer.usage = read.map(|(reading, _)| reading.usage);
                }
                _ => source.skip()?,
            }
            is_there |= matches!(name, "embedding" | "embeddings");
            Ok(())
        })?;
        if is_there { Ok(answer) } else { Err(ReadError::wrong("an array").under("embeddings")) }
    })
}

fn vector<'a>(source: &mut Source<'a>) -> Result<Vector<'a>> {
    let mut values = None;
    source.members(|source, name| match name {
        "values" if source.kind()? == Kind::Array => {
            source.json().map(|numbers| values = Some(Vector::Numbers(numbers)))
        }
        "values" => source.wrong("an array of numbers"),
        _ => source.skip(),
    })?;
    values.ok_or_else(|| ReadError::wrong("an array of numbers").under("values"))
}

/// Writes an answer to the action that was asked for.
pub(crate) fn write_answer(answer: &Embedded<'_>, context: &Context) -> Result<Vec<u8>> {
    let vectors = answer.vectors.iter().map(Vector::numbers).collect::<Result<Vec<_>>>()?;
    let mut sink = Sink::default();
    sink.object(|sink| {
        match vectors.as_slice() {
            [only] if !is_batch(&context.asked) => {
                sink.key("embedding").object(|sink| sink.json_member("values", only));
            }
            all => sink.key("embeddings").array(|sink| {
                all.iter().for_each(|numbers| sink.object(|sink| sink.json_member("values", numbers)));
            }),
        }
        if let Some(usage) = &answer.usage {
            sink.key("usageMetadata").object(|sink| {
                sink.count_member("promptTokenCount", usage.input_total());
                sink.count_member("totalTokenCount", usage.input_total());
            });
        }
    });
    Ok(sink.into_bytes())
}

/// Whether the client asked for several at once.
fn is_batch(asked: &[u8]) -> bool {
    let mut is_batch = false;
    let read = Source::new(asked).and_then(|mut source| {
        source.members(|source, name| {
            is_batch |= name == "requests";
            source.skip()
        })
    });
    read.is_ok() && is_batch
}
