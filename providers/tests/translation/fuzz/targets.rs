//! Every decoder, and what must hold for whatever it is given.

use policy::request::{Dialect, Operation};
use providers::peek::{PeekError, peek};
use providers::sse::{Decoder, Item};
use providers::translate::{Context, Translation, Untranslatable, Wire};

use crate::support::{CLIENTS, Kind, VENDORS, context, fixtures, target};

/// What is done with an input: whether something came of it, or what is wrong with that. The number is one of chance.
type Run = Box<dyn Fn(&[u8], u64) -> Result<bool, String>>;

/// A decoder.
pub(crate) struct Target {
    pub(crate) name: String,
    /// What it is given, before it is changed.
    pub(crate) seeds: Vec<Vec<u8>>,
    pub(crate) is_stream: bool,
    pub(crate) run: Run,
}

/// All of them.
pub(crate) fn targets() -> Vec<Target> {
    let mut targets = Vec::new();
    for client in CLIENTS {
        targets.extend(requests(client));
    }
    for vendor in VENDORS {
        targets.extend(answers(vendor));
        targets.extend(streams(vendor));
    }
    targets.extend(small());
    targets.push(sse());
    targets
}

fn seeds(wire: Wire, kind: Kind) -> Option<Vec<Vec<u8>>> {
    let seeds: Vec<_> =
        fixtures(kind).into_iter().filter(|fixture| fixture.wire == wire).map(|fixture| fixture.bytes).collect();
    (!seeds.is_empty()).then_some(seeds)
}

/// Whether something came of it in any of these formats.
fn any(wires: impl Iterator<Item = Wire>, mut one: impl FnMut(Wire) -> Result<bool, String>) -> Result<bool, String> {
    let mut came = false;
    for wire in wires {
        came |= one(wire).map_err(|problem| format!("to {wire:?}: {problem}"))?;
    }
    Ok(came)
}

fn requests(client: Wire) -> Option<Target> {
    let run = move |input: &[u8], seed: u64| {
        any(VENDORS.into_iter().filter(|vendor| *vendor != client), |vendor| {
            request(Translation::between(client, vendor), input, seed)
        })
    };
    let name = format!("requests of {client:?}");
    Some(Target { name, seeds: seeds(client, Kind::Request)?, is_stream: false, run: Box::new(run) })
}

fn request(translation: Translation, input: &[u8], seed: u64) -> Result<bool, String> {
    match translation.request(input, &target(seed.is_multiple_of(2))) {
        Ok(translated) => {
            is_json(&translated.body)?;
            is_bounded(translated.body.len(), input.len(), 64).map(|()| true)
        }
        Err(Untranslatable::Inexpressible { fields }) if fields.is_empty() => {
            Err("nothing is inexpressible".to_owned())
        }
        Err(error) => is_bounded(error.to_string().len(), input.len(), 4).map(|()| false),
    }
}

fn answers(vendor: Wire) -> Option<Target> {
    let run = move |input: &[u8], _: u64| {
        any(CLIENTS.into_iter().filter(|client| *client != vendor), |client| {
            answer(Translation::between(client, vendor), input, &context(client))
        })
    };
    let name = format!("answers of {vendor:?}");
    Some(Target { name, seeds: seeds(vendor, Kind::Answer)?, is_stream: false, run: Box::new(run) })
}

fn answer(translation: Translation, input: &[u8], context: &Context) -> Result<bool, String> {
    let Ok(told) = translation.answer(input, context) else { return Ok(false) };
    is_json(&told)?;
    is_bounded(told.len(), input.len(), 64).map(|()| true)
}

fn streams(vendor: Wire) -> Option<Target> {
    let run = move |input: &[u8], seed: u64| {
        any(CLIENTS.into_iter().filter(|client| *client != vendor), |client| stream(client, vendor, input, seed))
    };
    let name = format!("streams of {vendor:?}");
    Some(Target { name, seeds: seeds(vendor, Kind::Stream)?, is_stream: true, run: Box::new(run) })
}

fn stream(client: Wire, vendor: Wire, input: &[u8], seed: u64) -> Result<bool, String> {
    let as_array = client == Wire::Generate && seed.is_multiple_of(3);
    let context = Context { as_array, wants_usage: seed.is_multiple_of(2), ..context(client) };
    let mut stream = Translation::between(client, vendor).stream(context);
    let size = [1, 16, 1_000, usize::MAX][usize::try_from(seed % 4).unwrap()];
    let size = if input.len() > 50_000 { size.max(1_000) } else { size };
    let (mut told, mut is_broken) = (Vec::new(), false);
    for piece in input.chunks(size) {
        match stream.pass(piece, false) {
            Ok(bytes) => told.extend_from_slice(&bytes),
            Err(_) => is_broken = true,
        }
    }
    match stream.pass(b"", true) {
        Ok(bytes) => told.extend_from_slice(&bytes),
        Err(_) => is_broken = true,
    }
    is_bounded(told.len(), input.len(), 64)?;
    if !as_array {
        are_events(&told)?;
    } else if !is_broken && !told.is_empty() {
        // A vendor that breaks off leaves the array open.
        let close: &[u8] = if told.ends_with(b"]") { b"}" } else { b"]}" };
        is_json(&[b"{\"x\":", told.as_slice(), close].concat())?;
    }
    Ok(!told.is_empty())
}

fn are_events(stream: &[u8]) -> Result<(), String> {
    let mut outcome = Ok(());
    let mut decoder = Decoder::default();
    let mut each = |item: Item<'_>| {
        if let Item::Event(event) = item
            && let Some(data) = event.data.filter(|data| &**data != b"[DONE]")
            && outcome.is_ok()
        {
            outcome = is_json(&data);
        }
    };
    decoder.push(stream, &mut each);
    decoder.finish(&mut each);
    outcome
}

/// Embeddings and counts.
fn small() -> Vec<Target> {
    let (openai, anthropic, gemini) = (Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini);
    let (embed, count) = (Operation::Embedding, Operation::CountTokens);
    let mut targets = Vec::new();
    for (client, vendor) in [(openai, gemini), (gemini, openai)] {
        targets.push(small_request(embed, client, vendor, EMBED_REQUESTS));
        targets.push(small_answer(embed, client, vendor, EMBED_ANSWERS));
    }
    for (client, vendor) in [(openai, anthropic), (anthropic, gemini), (gemini, openai)] {
        targets.push(small_request(count, client, vendor, COUNT_REQUESTS));
        targets.push(small_answer(count, client, vendor, COUNT_ANSWERS));
    }
    targets
}

const EMBED_REQUESTS: &[(Dialect, &str)] = &[
    (Dialect::OpenAi, r#"{"model":"m","input":["a","b"],"dimensions":64,"encoding_format":"base64","user":"u"}"#),
    (Dialect::OpenAi, r#"{"model":"m","input":[[1,2],[3]]}"#),
    (Dialect::Gemini, r#"{"content":{"parts":[{"text":"a"},{"text":"b"}]},"outputDimensionality":3}"#),
    (
        Dialect::Gemini,
        r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY"},{"content":{"parts":{"text":"b"}}}]}"#,
    ),
];

const EMBED_ANSWERS: &[(Dialect, &str)] = &[
    (
        Dialect::OpenAi,
        r#"{"object":"list","data":[{"object":"embedding","index":1,"embedding":"AAAAPwAAgL8="},{"object":"embedding","index":0,"embedding":[0.5,-1e-5]}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
    ),
    (Dialect::Gemini, r#"{"embedding":{"values":[0.013168517,-0.00871193]},"usageMetadata":{"promptTokenCount":3}}"#),
    (Dialect::Gemini, r#"{"embeddings":[{"values":[0.5]},{"values":[1,2,3]}]}"#),
];

const COUNT_REQUESTS: &[(Dialect, &str)] = &[
    (
        Dialect::Anthropic,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"system":"s","tools":[{"name":"f","input_schema":{"type":"object"}}]}"#,
    ),
    (
        Dialect::OpenAi,
        r#"{"model":"m","instructions":"s","input":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","name":"f","parameters":{}}]}"#,
    ),
    (Dialect::Gemini, r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#),
    (
        Dialect::Gemini,
        r#"{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"Hi"}]}],"systemInstruction":{"parts":[{"text":"s"}]}}}"#,
    ),
];

const COUNT_ANSWERS: &[(Dialect, &str)] = &[
    (Dialect::OpenAi, r#"{"object":"response.input_tokens","input_tokens":12}"#),
    (Dialect::Anthropic, r#"{"input_tokens":12}"#),
    (Dialect::Gemini, r#"{"totalTokens":12,"promptTokensDetails":[{"modality":"TEXT","tokenCount":12}]}"#),
];

fn in_dialect(dialect: Dialect, seeds: &[(Dialect, &str)]) -> Vec<Vec<u8>> {
    seeds.iter().filter(|(own, _)| *own == dialect).map(|(_, seed)| seed.as_bytes().to_vec()).collect()
}

fn small_request(operation: Operation, client: Dialect, vendor: Dialect, seeds: &[(Dialect, &str)]) -> Target {
    let translation = Translation::new((client, operation), (vendor, operation)).unwrap();
    Target {
        name: format!("{operation:?} requests of {client:?}"),
        seeds: in_dialect(client, seeds),
        is_stream: false,
        run: Box::new(move |input, seed| request(translation, input, seed)),
    }
}

fn small_answer(operation: Operation, client: Dialect, vendor: Dialect, seeds: &[(Dialect, &str)]) -> Target {
    let translation = Translation::new((client, operation), (vendor, operation)).unwrap();
    let run = move |input: &[u8], seed: u64| {
        let (_, asked) = EMBED_REQUESTS[usize::try_from(seed % 4).unwrap()];
        let context = Context { asked: bytes::Bytes::from_static(asked.as_bytes()), ..Context::default() };
        answer(translation, input, &context)
    };
    Target {
        name: format!("{operation:?} answers of {vendor:?}"),
        seeds: in_dialect(vendor, seeds),
        is_stream: false,
        run: Box::new(run),
    }
}

/// The decoder of event streams by itself: no byte is lost, and it is the same however the bytes are cut.
fn sse() -> Target {
    let run = |input: &[u8], seed: u64| {
        let size = 1 + usize::try_from(seed % 37).unwrap();
        let decoded = |size: usize| {
            let (mut raw, mut data) = (Vec::new(), Vec::new());
            let mut decoder = Decoder::default();
            let mut each = |item: Item<'_>| match item {
                Item::Event(event) => {
                    raw.extend_from_slice(event.raw);
                    data.extend(event.data.as_deref().map(<[u8]>::to_vec));
                }
                Item::Piece(piece) => raw.extend_from_slice(piece.raw),
            };
            input.chunks(size).for_each(|piece| decoder.push(piece, &mut each));
            decoder.finish(&mut each);
            (raw, data)
        };
        let (raw, data) = decoded(size);
        if raw != input {
            return Err("bytes are lost".to_owned());
        }
        if data != decoded(usize::MAX).1 {
            Err(format!("it is another in pieces of {size}"))
        } else {
            Ok(!data.is_empty())
        }
    };
    let seeds = fixtures(Kind::Stream).into_iter().map(|fixture| fixture.bytes).collect();
    Target { name: "event streams".to_owned(), seeds, is_stream: true, run: Box::new(run) }
}

/// Whether it is JSON, as strictly as the gateway reads it. What is nested as deep as may be read can be too deep when it is wrapped.
fn is_json(text: &[u8]) -> Result<(), String> {
    match peek(Dialect::Gemini, Operation::ChatCompletion, text) {
        Err(PeekError::NotJson { message: "the nesting is too deep", .. }) => Ok(()),
        Err(error @ (PeekError::NotJson { .. } | PeekError::NotAnObject)) => {
            Err(format!("{error} in the output: {}", String::from_utf8_lossy(&text[..text.len().min(2_000)])))
        }
        _ => Ok(()),
    }
}

/// Small inputs have frames of their own, so they get some bytes besides.
fn is_bounded(output: usize, input: usize, multiple: usize) -> Result<(), String> {
    let most = multiple * input + 8_192;
    if output > most { Err(format!("{output} bytes come of {input}, more than {most}")) } else { Ok(()) }
}
