//! A whole answer, written.

use super::grounding::{self, Cited};
use super::names::members;
use super::{logprobs, stop, usage, write_part};
use crate::hub::answer::{Answer, Candidate, Head, Stop};
use crate::hub::part::{Media, MediaSource, Part, Text};
use crate::hub::sink::Sink;
use crate::hub::source::Source;

use crate::translate::Context;

/// Writes an answer of generateContent.
pub(crate) fn write_answer(answer: &Answer<'_>, context: &Context) -> Vec<u8> {
    let shows = shows_thoughts(&context.asked);
    let mut sink = Sink::with_capacity(2_048);
    sink.object(|sink| {
        sink.key("candidates").array(|sink| {
            answer.candidates.iter().for_each(|candidate| write_candidate(candidate, shows, sink));
        });
        if let Some(used) = &answer.usage {
            usage::write(used, sink.key("usageMetadata"));
        }
        write_head(&answer.head, context, sink);
    });
    sink.into_bytes()
}

/// Writes the members by which an answer is known.
pub(super) fn write_head(head: &Head<'_>, context: &Context, sink: &mut Sink) {
    match &head.model {
        Some(model) => sink.text_member("modelVersion", model),
        None => sink.plain_member("modelVersion", &context.model),
    }
    match &head.id {
        Some(id) => sink.text_member("responseId", id),
        None => sink.plain_member("responseId", &context.request_id),
    }
}

/// Whether the client asked to see thoughts: Gemini tells none unasked, and its clients may take the first text for the answer.
pub(super) fn shows_thoughts(asked: &[u8]) -> bool {
    let mut shows = false;
    let read = |source: &mut Source<'_>| {
        members(source, |source, name| match name {
            "generationConfig" => members(source, |source, name| match name {
                "thinkingConfig" => members(source, |source, name| match name {
                    "includeThoughts" => {
                        shows = source.flag()?.unwrap_or(false);
                        Ok(())
                    }
                    _ => source.skip(),
                }),
                _ => source.skip(),
            }),
            _ => source.skip(),
        })
    };
    // A request that was served was read before; what cannot be read asks for nothing.
    let _ = Source::new(asked).and_then(|source| source.whole(read));
    shows
}

fn write_candidate(candidate: &Candidate<'_>, shows: bool, sink: &mut Sink) {
    let mut writer = Parts::new(shows);
    sink.object(|sink| {
        if !candidate.parts.is_empty() {
            sink.key("content").object(|sink| {
                sink.key("parts").array(|sink| writer.all(&candidate.parts, sink));
                sink.plain_member("role", "model");
            });
        }
        let own = candidate.stop.as_ref().map(stop::write);
        if let Some(reason) = if writer.has_bad_call { Some(stop::write(&Stop::BadToolCall)) } else { own } {
            sink.plain_member("finishReason", reason);
        }
        sink.count_member("index", u64::from(candidate.index));
        if !writer.cited.is_empty() {
            grounding::write(&writer.cited, sink.key("groundingMetadata"));
        }
        if !candidate.logprobs.is_empty() {
            logprobs::write(&candidate.logprobs, sink.key("logprobsResult"));
        }
    });
}

/// The parts of a candidate as they are written.
#[derive(Default)]
pub(super) struct Parts<'c> {
    shows: bool,
    written: u64,
    cited: Vec<Cited<'c>>,
    /// A call's arguments are none that Gemini could write.
    pub(super) has_bad_call: bool,
}

impl<'c> Parts<'c> {
    /// None yet. `shows`: thoughts are to be written.
    pub(super) fn new(shows: bool) -> Self {
        Self { shows, ..Self::default() }
    }

    /// Texts that follow each other are one, as Gemini has them; places of citations are counted in it.
    pub(super) fn all(&mut self, parts: &'c [Part<'c>], sink: &mut Sink) {
        let mut rest = parts;
        while let Some((first, tail)) = rest.split_first() {
            let texts = rest.iter().take_while(|part| matches!(part, Part::Text(_))).count();
            match rest.split_at_checked(texts).filter(|_| texts > 0) {
                Some((texts, tail)) => {
                    self.texts(texts, sink);
                    rest = tail;
                }
                None => {
                    self.one(first, sink);
                    rest = tail;
                }
            }
        }
    }

    fn texts(&mut self, parts: &'c [Part<'c>], sink: &mut Sink) {
        let texts = parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
        let mut all: Option<Text<'_>> = None;
        let mut bytes = 0;
        let has_citations = texts.clone().any(|text| !text.citations.is_empty());
        for text in texts {
            if has_citations {
                let plain = text.text.plain();
                let cited = |citation| Cited::of(citation, &plain, self.written, bytes);
                self.cited.extend(text.citations.iter().cloned().map(cited));
                bytes += plain.len();
            }
            match &mut all {
                None => {
                    all = Some(Text { text: text.text.by_ref(), signature: text.signature.clone(), ..Text::default() })
                }
                Some(all) => {
                    all.text.push(&text.text);
                    all.signature = text.signature.clone().or(all.signature.take());
                }
            }
        }
        if let Some(all) = all {
            self.written += 1;
            write_part::text(&all, sink);
        }
    }

    fn one(&mut self, part: &Part<'_>, sink: &mut Sink) {
        self.written += 1;
        match part {
            Part::Refusal(text) => write_part::plain(text, sink),
            Part::Reasoning(reasoning) if self.shows => write_part::thought(reasoning, sink),
            Part::ToolCall(call) => match call.arguments.object() {
                Some(arguments) => write_part::call(call, &arguments, call.signature.as_ref(), sink),
                None => {
                    self.has_bad_call = true;
                    self.written -= 1;
                }
            },
            Part::Media(media) if is_readable(media) => write_part::media(media, sink),
            Part::Other { kind, value } if is_geminis(&kind.plain()) => sink.json(value),
            Part::Text(_) | Part::Reasoning(_) | Part::Media(_) | Part::Other { .. } | Part::ToolResult(_) => {
                self.written -= 1;
            }
        }
    }
}

/// Whether a client of Gemini can get at it: what is in another vendor's store it cannot.
const fn is_readable(media: &Media<'_>) -> bool {
    !matches!(media.source, MediaSource::Id(_))
}

/// Whether a part of this type is one of Gemini's own.
fn is_geminis(kind: &str) -> bool {
    ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"].contains(&kind)
}
