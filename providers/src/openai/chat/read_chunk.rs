//! One chunk of a streamed answer (`chat_completion_chunk.py`).

use super::call::{self, Call};
use super::read_answer::{Frame, finish_reason};
use super::thought::Thoughts;
use super::{content, logprobs, message};
use crate::hub::answer::Logprob;
use crate::hub::part::{Citation, Part};
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;
use crate::json::Kind;

/// A chunk.
#[derive(Debug, Default)]
pub(super) struct Chunk<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) choices: Vec<Choice<'a>>,
    /// It tells of an error instead, or besides.
    pub(super) is_error: bool,
}

/// What it brings to a choice.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    pub(super) index: Option<u64>,
    pub(super) thoughts: Thoughts<'a>,
    pub(super) text: Option<Str<'a>>,
    /// Where the content is an array.
    pub(super) parts: Vec<Part<'a>>,
    pub(super) refusal: Option<Str<'a>>,
    pub(super) citations: Vec<Citation<'a>>,
    pub(super) calls: Vec<Call<'a>>,
    pub(super) media: Vec<Part<'a>>,
    pub(super) signature: Option<Str<'a>>,
    pub(super) logprobs: Vec<Logprob<'a>>,
    pub(super) finish: Option<Str<'a>>,
}

impl<'a> Chunk<'a> {
    pub(super) fn read(data: &'a str) -> Result<Self> {
        Source::of(data).whole(|source| {
            let mut chunk = Self::default();
            source.members(|source, name| {
                match name {
                    "choices" => chunk.choices = source.list(Choice::read)?,
                    "error" => chunk.is_error |= source.json_or_null()?.is_some(),
                    // vLLM's and Mistral's errors are not wrapped.
                    "object" if source.kind()? == Kind::String => chunk.is_error |= source.text()?.is("error"),
                    _ => chunk.frame.member(source, name)?,
                }
                Ok(())
            })?;
            Ok(chunk)
        })
    }
}

impl<'a> Choice<'a> {
    fn read(source: &mut Source<'a>) -> Result<Self> {
        let mut choice = Self::default();
        source.members(|source, name| {
            match name {
                "index" => choice.index = source.count()?,
                "delta" if source.kind()? == Kind::Object => {
                    source.members(|source, name| choice.member(source, name))?;
                }
                "finish_reason" => choice.finish = finish_reason(source)?,
                "logprobs" => choice.logprobs = logprobs::read(source)?,
                _ => source.skip()?,
            }
            Ok(())
        })?;
        Ok(choice)
    }

    fn member(&mut self, source: &mut Source<'a>, name: &str) -> Result<()> {
        match name {
            "content" if source.kind()? == Kind::String => {
                self.text = Some(source.text()?).filter(|text| !text.is_empty());
            }
            "content" => content::read(source, &mut self.parts)?,
            "refusal" => self.refusal = source.text_or_null()?.filter(|refusal| !refusal.is_empty()),
            "tool_calls" => self.calls.append(&mut source.list(Call::read)?),
            "function_call" => {
                let mut call = Call::default();
                call.function(source)?;
                self.calls.push(call);
            }
            "annotations" => self.citations = message::citations(source)?,
            "audio" => message::audio(source, &mut self.media)?,
            "images" if source.kind()? == Kind::Array => content::read(source, &mut self.media)?,
            "extra_content" => self.signature = call::signature(source)?,
            _ if self.thoughts.member(source, name)? => {}
            _ => source.skip()?,
        }
        Ok(())
    }
}
