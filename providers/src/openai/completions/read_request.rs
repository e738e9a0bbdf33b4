//! Requests (`completion_create_params.py`). A prompt of tokens means something to one model only, and several prompts are several
//! conversations: neither can be served as one.

use std::borrow::Cow;

use crate::hub::Wire;
use crate::hub::part::{Part, Role, Text, Turn};
use crate::hub::request::{Other, Request};
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;
use crate::openai::chat::{read_stop, read_stream_options};

/// Reads a request.
pub(crate) fn read_request(body: &[u8]) -> Result<Request<'_>> {
    Source::new(body)?.whole(|source| {
        let mut request = Request::new(Wire::Completions);
        let (mut prompt, mut best_of, mut echo) = (None, None, false);
        source.members(|source, name| {
            match name {
                "prompt" => prompt = Some(read_prompt(source)?),
                "best_of" => best_of = source.count()?,
                "echo" => echo = source.flag()?.unwrap_or_default(),
                _ => field(&mut request, source, name)?,
            }
            Ok(())
        })?;
        request.max_output = request.max_output.or(Some(DEFAULT_LIMIT));
        let text = prompt.ok_or_else(|| ReadError::wrong(ONE_TEXT).under("prompt"))?;
        request.turns.push(Turn { role: Role::User, name: None, parts: vec![Part::Text(Text::plain(text))] });
        if best_of.is_some_and(|drafts| drafts > request.choices.unwrap_or(1)) {
            other(&mut request, "best_of");
        }
        // The gateway can repeat the prompt, but not how likely its tokens were.
        if echo && request.logprobs.is_some() {
            other(&mut request, "echo");
        }
        Ok(request)
    })
}

/// The most output tokens where the request says nothing, as the API's documentation has it; what is reserved counts on it.
const DEFAULT_LIMIT: u64 = 16;

const ONE_TEXT: &str = "one text: the model is spoken to in conversations, not in tokens or several prompts at once";

/// A text, or an array with one text.
pub(super) fn read_prompt<'a>(source: &mut Source<'a>) -> Result<Str<'a>> {
    if source.kind()? == Kind::String {
        return source.text();
    }
    if source.kind()? != Kind::Array {
        return source.wrong(ONE_TEXT);
    }
    let (mut first, mut count) = (None, 0);
    source.elements(|source| {
        count += 1;
        if count == 1 && source.kind()? == Kind::String {
            first = Some(source.text()?);
            return Ok(());
        }
        source.skip()
    })?;
    first.filter(|_| count == 1).ok_or_else(|| ReadError::wrong(ONE_TEXT))
}

fn field<'a>(request: &mut Request<'a>, source: &mut Source<'a>, name: &str) -> Result<()> {
    match name {
        "model" | "stream" | "fallbacks" => source.skip()?,
        "stream_options" => read_stream_options(request, source)?,
        "max_tokens" => request.max_output = source.count()?,
        "temperature" => request.temperature = source.number()?,
        "top_p" => request.top_p = source.number()?,
        "top_k" => request.top_k = source.number()?,
        "frequency_penalty" => request.frequency_penalty = source.number()?,
        "presence_penalty" => request.presence_penalty = source.number()?,
        "seed" => request.seed = source.number()?,
        "n" => request.choices = source.count()?,
        "stop" => request.stop = read_stop(source)?,
        "user" => request.user = source.text_or_null()?,
        // How many others in each token's place; 0: the tokens themselves.
        "logprobs" => {
            request.top_logprobs = source.count()?;
            request.logprobs = request.top_logprobs.map(|_| true);
        }
        "suffix" if source.kind()? == Kind::String => {
            if !source.text()?.is_empty() {
                other(request, "suffix");
            }
        }
        _ => {
            if let Some(value) = source.json_or_null()? {
                request.others.push(Other { name: Cow::Owned(name.to_owned()), value });
            }
        }
    }
    Ok(())
}

/// What no conversation can be asked.
fn other(request: &mut Request<'_>, name: &'static str) {
    request.others.push(Other { name: Cow::Borrowed(name), value: Json::read("true") });
}

/// The prompt that an answer is to begin with, where the request says so.
pub(super) fn echoed(asked: &[u8]) -> Option<Str<'_>> {
    memchr::memmem::find(asked, b"\"echo\"")?;
    let (mut prompt, mut echo) = (None, false);
    let read = Source::new(asked).and_then(|source| {
        source.whole(|source| {
            source.members(|source, name| {
                match name {
                    "prompt" => prompt = Some(read_prompt(source)?),
                    "echo" => echo = source.flag()?.unwrap_or_default(),
                    _ => source.skip()?,
                }
                Ok(())
            })
        })
    });
    prompt.filter(|_| echo && read.is_ok())
}
