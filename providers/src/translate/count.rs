//! How many tokens a request has, asked for in one dialect and counted in another: Anthropic's `count_tokens`, Gemini's
//! `countTokens`, OpenAI's `input_tokens`. What is counted is a conversation; the answer is a number.

use policy::request::Dialect;

use super::wire::Speaks as _;
use super::{Target, Translated, Untranslatable, translated};
use crate::gemini;
use crate::hub::Wire;
use crate::hub::field::Lost;
use crate::hub::request::Request;
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::Json;

/// What Gemini wraps the request in.
const WRAPPER: &str = "generateContentRequest";

/// With a limit that a request without one never comes to: it is not sent, but formats weigh other fields against it.
const NO_LIMIT: u64 = 10_000_000;

/// Counts that are asked for in one dialect and made in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counting {
    client: Dialect,
    vendor: Dialect,
}

impl Counting {
    pub(super) const fn between(client: Dialect, vendor: Dialect) -> Self {
        Self { client, vendor }
    }

    pub(super) fn request(self, body: &[u8], target: &Target<'_>) -> std::result::Result<Translated, Untranslatable> {
        let (client, vendor) = (wire(self.client), wire(self.vendor));
        let inner = if client == Wire::Generate { unwrapped(body)? } else { None };
        let mut request = match &inner {
            Some(inner) => client.read_request(inner.raw().as_bytes()).map_err(|error| error.under(WRAPPER))?,
            None => client.read_request(body)?,
        };
        keep_what_counts(&mut request);
        let unlimited = Target { limit: None, limit_if_none: NO_LIMIT, stream: false, ..*target };
        let mut lost = Lost::new(client.names());
        let body = vendor.write_request(&request, &unlimited, &mut lost)?;
        translated(countable(self.vendor, &body, target.model)?, lost, target)
    }

    pub(super) fn answer(self, body: &[u8]) -> Result<Vec<u8>> {
        let name = if self.vendor == Dialect::Gemini { "totalTokens" } else { "input_tokens" };
        let count = Source::new(body)?.whole(|source| {
            let mut count = None;
            source.members(|source, member| match member {
                member if member == name => source.count().map(|own| count = own),
                _ => source.skip(),
            })?;
            count.ok_or_else(|| ReadError::wrong("a whole number, not negative").under(name))
        })?;
        let mut sink = Sink::default();
        sink.object(|sink| match self.client {
            Dialect::OpenAi => {
                sink.plain_member("object", "response.input_tokens");
                sink.count_member("input_tokens", count);
            }
            Dialect::Anthropic => sink.count_member("input_tokens", count),
            Dialect::Gemini => sink.count_member("totalTokens", count),
        });
        Ok(sink.into_bytes())
    }
}

/// The format of the conversations that a dialect counts.
const fn wire(dialect: Dialect) -> Wire {
    match dialect {
        Dialect::OpenAi => Wire::Responses,
        Dialect::Anthropic => Wire::Messages,
        Dialect::Gemini => Wire::Generate,
    }
}

/// The request that Gemini wraps. `None`: the conversation stands there by itself.
fn unwrapped(body: &[u8]) -> Result<Option<Json<'_>>> {
    Source::new(body)?.whole(|source| {
        let mut inner = None;
        source.members(|source, name| match name {
            WRAPPER | "generate_content_request" => source.json_or_null().map(|value| inner = value),
            _ => source.skip(),
        })?;
        Ok(inner)
    })
}

/// Takes out what changes the answer and not how many tokens the request has: without it nothing is lost.
fn keep_what_counts(request: &mut Request<'_>) {
    let number = [&mut request.temperature, &mut request.top_p, &mut request.top_k, &mut request.seed].into_iter();
    let penalties = [&mut request.frequency_penalty, &mut request.presence_penalty];
    number.chain(penalties).for_each(|field| *field = None);
    for field in [&mut request.max_output, &mut request.choices, &mut request.top_logprobs] {
        *field = None;
    }
    request.logprobs = None;
    request.verbosity = None;
    request.user = None;
    request.stop.clear();
    request.modalities.clear();
}

/// A request for an answer as a request for a count, which has fewer members (openai 3.52.0:
/// `types/responses/input_token_count_params.py`; anthropic 2.11.0: `types/message_count_tokens_params.py`;
/// <https://ai.google.dev/api/tokens>, 2026-11).
fn countable(vendor: Dialect, body: &[u8], model: &str) -> Result<Vec<u8>> {
    let mut sink = Sink::with_capacity(body.len());
    let mut copied = Ok(());
    match vendor {
        Dialect::OpenAi => sink.object(|sink| copied = copy(body, sink, |name| INPUT_TOKENS.contains(&name))),
        Dialect::Anthropic => sink.object(|sink| copied = copy(body, sink, |name| COUNT_TOKENS.contains(&name))),
        Dialect::Gemini => sink.object(|sink| {
            sink.key(WRAPPER).object(|sink| {
                sink.plain_member("model", &gemini::embed::resource(model));
                copied = copy(body, sink, |name| name != "model");
            });
        }),
    }
    copied.map(|()| sink.into_bytes())
}

const INPUT_TOKENS: &[&str] = &[
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "personality",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

const COUNT_TOKENS: &[&str] =
    &["cache_control", "messages", "model", "output_config", "speed", "system", "thinking", "tool_choice", "tools"];

/// Copies the members of these names.
fn copy(body: &[u8], sink: &mut Sink, is_kept: impl Fn(&str) -> bool) -> Result<()> {
    Source::new(body)?.whole(|source| {
        source.members(|source, name| {
            let value = source.json()?;
            if is_kept(name) {
                sink.json_member(name, &value);
            }
            Ok(())
        })
    })
}
