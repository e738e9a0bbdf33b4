//! Streamed answers: chunks of the same shape as a whole one, `[DONE]` last.

use std::collections::BTreeMap;

use policy::request::{Dialect, Operation};
use policy::usage::Usage;

use super::read_request::echoed;
use super::{finish_reason, logprobs};
use crate::error::vendor_event;
use crate::hub::answer::Logprob;
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::part::Part;
use crate::hub::sink::Sink;
use crate::hub::text::Str;
use crate::openai::chat::{ChunkFrame, characters};
use crate::translate::Context;

/// Writes a stream.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    context: Context,
    /// The prompt, where it is to be repeated.
    echo: Str<'static>,
    frame: ChunkFrame,
    choices: BTreeMap<u32, Choice>,
    usage: Option<Usage>,
}

/// A choice so far.
#[derive(Debug, Default)]
struct Choice {
    is_begun: bool,
    /// Whether the part that is open is told: calls and thoughts are not.
    is_told: bool,
    /// Characters of the tokens whose probabilities were told, and of the prompt before them.
    offset: u64,
}

impl StreamWriter {
    pub(crate) fn new(mut context: Context) -> Self {
        // It has been read; a long request is not kept for as long as the stream lasts.
        let asked = std::mem::take(&mut context.asked);
        let echo = echoed(&asked).map(Str::into_owned).unwrap_or_default();
        let frame = ChunkFrame::new("cmpl-", "text_completion");
        Self { context, echo, frame, choices: BTreeMap::new(), usage: None }
    }

    /// Writes the chunks that a piece is.
    pub(crate) fn delta(&mut self, delta: &Delta<'_>, sink: &mut Sink) {
        match delta {
            Delta::Head(head) => self.frame.set(head, &self.context),
            Delta::Open { at, part } => self.open(*at, part, sink),
            Delta::Text { at, text } if self.begin(at.candidate, sink).is_told => {
                self.chunk(at.candidate, text, None, sink, |sink| sink.key("logprobs").null());
            }
            Delta::Logprobs { at, logprobs } => self.logprobs(*at, logprobs, sink),
            Delta::Close { at } => self.begin(at.candidate, sink).is_told = false,
            Delta::Stop { candidate, stop } => {
                self.begin(*candidate, sink);
                let reason = Some(finish_reason(stop));
                self.chunk(*candidate, &Str::default(), reason, sink, |sink| sink.key("logprobs").null());
            }
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::End => self.frame.end(self.usage.as_ref(), &self.context, sink),
            Delta::Error(error) => {
                let id = &self.context.request_id;
                let event = vendor_event(Dialect::OpenAi, Operation::TextCompletion, error, id);
                sink.frame(&String::from_utf8_lossy(&event));
            }
            Delta::Text { .. } | Delta::Signature { .. } | Delta::Citation { .. } => {}
        }
    }

    /// The choice; a new one begins with the prompt, where that is to be repeated.
    fn begin(&mut self, candidate: u32, sink: &mut Sink) -> &mut Choice {
        let is_new = !std::mem::replace(&mut self.choices.entry(candidate).or_default().is_begun, true);
        if is_new && !self.echo.is_empty() {
            let echo = self.echo.clone();
            self.chunk(candidate, &echo, None, sink, |sink| sink.key("logprobs").null());
        }
        let choice = self.choices.entry(candidate).or_default();
        if is_new {
            choice.offset = characters(&self.echo);
        }
        choice
    }

    fn open(&mut self, at: At, part: &Opened<'_>, sink: &mut Sink) {
        let choice = self.begin(at.candidate, sink);
        choice.is_told = matches!(part, Opened::Text | Opened::Refusal);
        let whole = match part {
            Opened::Whole(Part::Text(text)) => &text.text,
            Opened::Whole(Part::Refusal(words)) => words,
            _ => return,
        };
        self.chunk(at.candidate, whole, None, sink, |sink| sink.key("logprobs").null());
    }

    fn logprobs(&mut self, at: At, tokens: &[Logprob<'_>], sink: &mut Sink) {
        let choice = self.begin(at.candidate, sink);
        let start = choice.offset;
        choice.offset += tokens.iter().map(|token| characters(&token.token)).sum::<u64>();
        self.chunk(at.candidate, &Str::default(), None, sink, |sink| logprobs::write(tokens, start, sink));
    }

    fn chunk(
        &mut self,
        candidate: u32,
        text: &Str<'_>,
        reason: Option<&str>,
        sink: &mut Sink,
        logprobs: impl FnOnce(&mut Sink),
    ) {
        self.frame.chunk(&self.context, sink, |sink| {
            sink.object(|sink| {
                sink.text_member("text", text);
                sink.count_member("index", u64::from(candidate));
                logprobs(sink);
                match reason {
                    Some(reason) => sink.plain_member("finish_reason", reason),
                    None => sink.key("finish_reason").null(),
                }
            });
        });
    }
}
