//! The parts of a message, written: texts with what they rest on and how likely their tokens were, refusals
//! (`response_output_text.py`, `response_output_refusal.py`).

use super::items::Stage;
use crate::hub::answer::Logprob;
use crate::hub::part::{Citation, Text};
use crate::hub::sink::Sink;
use crate::hub::text::Str;

/// The event that tells more of a text.
pub(super) const OUTPUT_TEXT: &str = "response.output_text.delta";

/// A part of a message.
#[derive(Clone, Debug)]
pub(super) enum Content<'a> {
    Text { text: Text<'a>, logprobs: Vec<Logprob<'a>> },
    Refusal(Str<'a>),
}

impl Content<'_> {
    /// Writes it.
    pub(super) fn write(&self, stage: Stage, sink: &mut Sink) {
        let is_done = stage == Stage::Done;
        sink.object(|sink| match self {
            Self::Text { text, logprobs } => {
                sink.plain_member("type", "output_text");
                sink.text_member("text", if is_done { &text.text } else { const { &Str::raw_of("") } });
                sink.key("annotations").array(|sink| {
                    for citation in text.citations.iter().filter(|citation| is_done && can_be_told(citation)) {
                        write_citation(citation, &text.text, sink);
                    }
                });
                sink.key("logprobs");
                write_logprobs(if is_done { logprobs } else { &[] }, sink);
            }
            Self::Refusal(refusal) => {
                sink.plain_member("type", "refusal");
                sink.text_member("refusal", if is_done { refusal } else { const { &Str::raw_of("") } });
            }
        });
    }
}

/// Whether a citation has a form here: other than places on the web can be files of the vendor's store only.
pub(super) const fn can_be_told(citation: &Citation<'_>) -> bool {
    citation.url.is_some()
}

/// Writes a citation. One that does not say what rests on it is about the whole text.
pub(super) fn write_citation(citation: &Citation<'_>, text: &Str<'_>, sink: &mut Sink) {
    let whole = || (0, u64::try_from(text.plain().chars().count()).unwrap_or_default());
    let (from, to) = citation.range.unwrap_or_else(whole);
    let empty = Str::default();
    let url = citation.url.as_ref().unwrap_or(&empty);
    sink.object(|sink| {
        sink.plain_member("type", "url_citation");
        sink.text_member("url", url);
        sink.text_member("title", citation.title.as_ref().unwrap_or(url));
        sink.count_member("start_index", from);
        sink.count_member("end_index", to);
    });
}

/// Writes how likely tokens were.
pub(super) fn write_logprobs(logprobs: &[Logprob<'_>], sink: &mut Sink) {
    sink.array(|sink| {
        for logprob in logprobs {
            sink.object(|sink| {
                write_token(logprob, sink);
                sink.key("top_logprobs").array(|sink| {
                    for other in &logprob.top {
                        sink.object(|sink| write_token(other, sink));
                    }
                });
            });
        }
    });
}

fn write_token(logprob: &Logprob<'_>, sink: &mut Sink) {
    sink.text_member("token", &logprob.token);
    sink.json_member("logprob", &logprob.logprob);
    match &logprob.bytes {
        Some(bytes) => sink.json_member("bytes", bytes),
        None => sink.key("bytes").array(|sink| {
            for byte in logprob.token.plain().bytes() {
                sink.count(u64::from(byte));
            }
        }),
    }
}

impl Content<'static> {
    /// Adds to it, and names the event that tells so.
    pub(super) fn push(&mut self, more: &Str<'_>) -> &'static str {
        match self {
            Self::Text { text, .. } => {
                text.text.push(more);
                OUTPUT_TEXT
            }
            Self::Refusal(refusal) => {
                refusal.push(more);
                "response.refusal.delta"
            }
        }
    }
}
