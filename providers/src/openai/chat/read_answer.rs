//! Whole answers (`chat_completion.py`), and what those who copy the API put into theirs.

use policy::usage::{ServiceTier, Usage};

use super::logprobs;
use super::message::Message;
use crate::hub::answer::{Answer, Candidate, Head, Stop};
use crate::hub::part::{Citation, Part};
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;
use crate::openai::usage;

/// Reads an answer.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer<'_>> {
    Source::new(body)?.whole(|source| {
        let mut answer = Answer::default();
        let (mut frame, mut has_choices) = (Frame::default(), false);
        source.members(|source, name| {
            if name == "choices" {
                has_choices = true;
                answer.candidates = source.list(candidate)?;
                return Ok(());
            }
            frame.member(source, name)
        })?;
        if !has_choices {
            return Err(ReadError::wrong("an array").under("choices"));
        }
        number(&mut answer.candidates);
        if let Some(text) = answer.candidates.first_mut().and_then(|first| last_text(&mut first.parts)) {
            text.extend(frame.citations());
        }
        answer.usage = frame.usage();
        answer.head = frame.head;
        Ok(answer)
    })
}

/// What is around the choices, in whole answers and in each chunk of a stream.
#[derive(Debug, Default)]
pub(super) struct Frame<'a> {
    pub(super) head: Head<'a>,
    usage: Option<Json<'a>>,
    tier: Option<ServiceTier>,
    /// What was found on the web, as Perplexity and xAI have it: objects, or bare URLs.
    found: Option<Json<'a>>,
    urls: Option<Json<'a>>,
}

impl<'a> Frame<'a> {
    pub(super) fn member(&mut self, source: &mut Source<'a>, name: &str) -> Result<()> {
        match name {
            "id" if source.kind()? == Kind::String => self.head.id = Some(source.text()?).filter(|id| !id.is_empty()),
            "model" if source.kind()? == Kind::String => {
                self.head.model = Some(source.text()?).filter(|model| !model.is_empty());
            }
            "created" if source.kind()? == Kind::Number => {
                self.head.created = crate::count::read(source.json()?.raw().as_bytes()).filter(|created| *created > 0);
            }
            "usage" => self.usage = source.json_or_null()?.or(self.usage.take()),
            // Groq's older streams have it here.
            "x_groq" if source.kind()? == Kind::Object => source.members(|source, name| {
                match name {
                    "usage" if self.usage.is_none() => self.usage = source.json_or_null()?,
                    _ => source.skip()?,
                }
                Ok(())
            })?,
            "service_tier" => self.tier = usage::tier(source.json()?.raw().as_bytes()),
            "search_results" => self.found = source.json_or_null()?,
            "citations" => self.urls = source.json_or_null()?,
            _ => source.skip()?,
        }
        Ok(())
    }

    /// What was used. `None`: it is not told, or cannot be read.
    pub(super) fn usage(&self) -> Option<Usage> {
        let usage = usage::read(self.usage.as_ref()?.raw().as_bytes())?.usage;
        Some(Usage { tier: self.tier.unwrap_or(usage.tier), ..usage })
    }

    /// The text of what was found on the web.
    pub(super) fn found(&self) -> Option<&Json<'a>> {
        self.found.as_ref().or(self.urls.as_ref()).filter(|found| !found.is("[]"))
    }

    fn citations(&self) -> Vec<Citation<'static>> {
        self.found().map(|found| citations(found.raw())).unwrap_or_default()
    }
}

/// What was found on the web: objects (<https://docs.perplexity.ai/api-reference>, 2026-11), or bare URLs.
pub(super) fn citations(found: &str) -> Vec<Citation<'static>> {
    let mut citations = Vec::new();
    let read = Source::of(found).whole(|source| {
        source.elements(|source| {
            let mut citation = Citation::default();
            match source.kind()? {
                Kind::String => citation.url = Some(source.text()?.into_owned()),
                Kind::Object => source.members(|source, name| {
                    match name {
                        "url" => citation.url = source.text_or_null()?.map(Str::into_owned),
                        "title" => citation.title = source.text_or_null()?.map(Str::into_owned),
                        _ => source.skip()?,
                    }
                    Ok(())
                })?,
                _ => source.skip()?,
            }
            if citation.url.is_some() {
                citations.push(citation);
            }
            Ok(())
        })
    });
    if read.is_ok() { citations } else { Vec::new() }
}

/// The citations of the last text.
fn last_text<'b, 'a>(parts: &'b mut [Part<'a>]) -> Option<&'b mut Vec<Citation<'a>>> {
    parts.iter_mut().rev().find_map(|part| match part {
        Part::Text(text) => Some(&mut text.citations),
        _ => None,
    })
}

fn candidate<'a>(source: &mut Source<'a>) -> Result<Candidate<'a>> {
    let mut candidate = Candidate { index: u32::MAX, ..Candidate::default() };
    let mut finish = None;
    source.members(|source, name| {
        match name {
            "index" => candidate.index = index(source.count()?),
            "message" => candidate.parts = Message::read(source)?.into_parts(),
            "finish_reason" => finish = finish_reason(source)?,
            "logprobs" => candidate.logprobs = logprobs::read(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    if finish.as_ref().is_some_and(|finish| finish.is("error")) {
        return Err(ReadError::wrong("the end of an answer, not an error").under("finish_reason"));
    }
    let has_calls = candidate.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let has_refusal = candidate.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    candidate.stop = finish.map(|finish| stop(finish.raw(), has_calls, has_refusal));
    Ok(candidate)
}

pub(super) fn index(count: Option<u64>) -> u32 {
    count.and_then(|count| u32::try_from(count).ok()).unwrap_or(u32::MAX)
}

/// Those that are not numbered are counted.
fn number(candidates: &mut [Candidate<'_>]) {
    for (position, candidate) in (0..).zip(candidates) {
        if candidate.index == u32::MAX {
            candidate.index = position;
        }
    }
}

/// The word for why a choice ended; some have the empty word where others have null.
pub(super) fn finish_reason<'a>(source: &mut Source<'a>) -> Result<Option<Str<'a>>> {
    if source.kind()? != Kind::String {
        source.skip()?;
        return Ok(None);
    }
    Ok(Some(source.text()?).filter(|reason| !reason.is_empty()))
}

/// Why a choice ended. Some say `stop` where others say `tool_calls`.
pub(super) fn stop(reason: &str, has_calls: bool, has_refusal: bool) -> Stop<'static> {
    match reason {
        // DeepSeek's last one: it was cut off.
        "length" | "max_tokens" | "insufficient_system_resource" => Stop::Length,
        "model_length" => Stop::Context,
        "tool_calls" | "function_call" | "tool_use" => Stop::Tools,
        "content_filter" | "content_filtered" | "safety" | "sensitive" => Stop::Filter,
        _ if reason.ends_with("malformed_function_call") || reason.ends_with("MALFORMED_FUNCTION_CALL") => {
            Stop::BadToolCall
        }
        _ if has_calls => Stop::Tools,
        _ if has_refusal => Stop::Refusal,
        _ => Stop::End,
    }
}
