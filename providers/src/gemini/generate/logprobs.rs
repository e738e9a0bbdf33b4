//! Log-probabilities: the tokens that were chosen in one list, and those that could have been in another.

use super::names::{members, members_if_any};
use crate::hub::answer::Logprob;
use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};
use crate::hub::text::{Json, Str};

/// Reads a `logprobsResult`.
pub(super) fn read<'a>(source: &mut Source<'a>) -> Result<Vec<Logprob<'a>>> {
    let (mut chosen, mut top) = (Vec::new(), Vec::new());
    members_if_any(source, |source, name| {
        match name {
            "chosenCandidates" => chosen = source.list(token)?,
            "topCandidates" => top = source.list(candidates)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    for (token, others) in chosen.iter_mut().zip(top) {
        token.top = others;
    }
    Ok(chosen)
}

fn candidates<'a>(source: &mut Source<'a>) -> Result<Vec<Logprob<'a>>> {
    let mut list = Vec::new();
    members(source, |source, name| match name {
        "candidates" => {
            list = source.list(token)?;
            Ok(())
        }
        _ => source.skip(),
    })?;
    Ok(list)
}

/// A probability of 1 has the logarithm 0, which Google's JSON leaves out.
fn token<'a>(source: &mut Source<'a>) -> Result<Logprob<'a>> {
    let mut read = Logprob { token: Str::default(), logprob: Json::read("0"), bytes: None, top: Vec::new() };
    members(source, |source, name| {
        match name {
            "token" => read.token = source.text_or_null()?.unwrap_or_default(),
            "logProbability" => read.logprob = source.number()?.unwrap_or(Json::read("0")),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(read)
}

/// Writes a `logprobsResult`.
pub(super) fn write(tokens: &[Logprob<'_>], sink: &mut Sink) {
    sink.object(|sink| {
        if tokens.iter().any(|token| !token.top.is_empty()) {
            sink.key("topCandidates").array(|sink| {
                for token in tokens {
                    let list = |sink: &mut Sink| token.top.iter().for_each(|token| write_token(token, sink));
                    sink.object(|sink| sink.key("candidates").array(list));
                }
            });
        }
        sink.key("chosenCandidates").array(|sink| tokens.iter().for_each(|token| write_token(token, sink)));
    });
}

fn write_token(token: &Logprob<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.text_member("token", &token.token);
        sink.json_member("logProbability", &token.logprob);
    });
}
