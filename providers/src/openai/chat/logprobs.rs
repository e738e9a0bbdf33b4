//! Log-probabilities: `{"content": […], "refusal": […]}`, each token with others in its place (`chat_completion_token_logprob.py`).

use crate::hub::answer::Logprob;
use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;

/// Reads those of a choice.
pub(super) fn read<'a>(source: &mut Source<'a>) -> Result<Vec<Logprob<'a>>> {
    let mut found = Vec::new();
    if source.kind()? != Kind::Object {
        source.skip()?;
        return Ok(found);
    }
    source.members(|source, name| {
        match name {
            "content" | "refusal" if source.kind()? == Kind::Array => found.append(&mut source.list(token)?),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(found)
}

fn token<'a>(source: &mut Source<'a>) -> Result<Logprob<'a>> {
    let mut token = Logprob { token: Str::default(), logprob: Json::read("0"), bytes: None, top: Vec::new() };
    source.members(|source, name| {
        match name {
            "token" => token.token = source.text_or_null()?.unwrap_or_default(),
            "logprob" => token.logprob = source.number()?.unwrap_or(Json::read("-9999.0")),
            "bytes" => token.bytes = source.json_or_null()?,
            "top_logprobs" => token.top = source.list(self::token)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(token)
}

/// Writes those of a choice, where there are any.
pub(super) fn write(tokens: &[Logprob<'_>], is_refusal: bool, sink: &mut Sink) {
    if tokens.is_empty() {
        return;
    }
    sink.key("logprobs").object(|sink| {
        let (member, other) = if is_refusal { ("refusal", "content") } else { ("content", "refusal") };
        sink.key(member).array(|sink| tokens.iter().for_each(|token| write_token(token, true, sink)));
        sink.key(other).null();
    });
}

fn write_token(token: &Logprob<'_>, has_top: bool, sink: &mut Sink) {
    sink.object(|sink| {
        sink.text_member("token", &token.token);
        sink.json_member("logprob", &token.logprob);
        match &token.bytes {
            Some(bytes) => sink.json_member("bytes", bytes),
            None => bytes_of(&token.token, sink.key("bytes")),
        }
        if has_top {
            sink.key("top_logprobs").array(|sink| token.top.iter().for_each(|top| write_token(top, false, sink)));
        }
    });
}

fn bytes_of(token: &Str<'_>, sink: &mut Sink) {
    sink.array(|sink| token.plain().bytes().for_each(|byte| sink.count(u64::from(byte))));
}
