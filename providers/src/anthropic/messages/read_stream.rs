//! A streamed answer in Anthropic's Messages, read event by event (`types/raw_message_stream_event.py` of the Python SDK;
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>, 2026-11).

use policy::usage::Usage;

use crate::anthropic::usage::Report;
use crate::error::VendorError;
use crate::hub::answer::Head;
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::part::{Part, Reasoning};
use crate::hub::source::{Result, Source};
use crate::hub::stranger::unmarked;
use crate::hub::text::{Json, Str};

use super::blocks::{Blocks, citation};
use super::read_answer::End;

/// What is known of a stream so far.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    has_head: bool,
    has_stopped: bool,
    has_ended: bool,
    /// Parts that have begun.
    parts: u32,
    open: Option<Open>,
    report: Option<Report>,
}

/// The block that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// Its pieces are told on.
    Pieces,
    /// It was told as a whole.
    Whole,
}

type Each<'e> = dyn FnMut(Delta<'_>) + 'e;

impl StreamReader {
    /// Reads one event's data.
    pub(crate) fn event(&mut self, data: &str, each: &mut Each<'_>) -> Result<()> {
        let mut source = Source::of(data);
        let Some(kind) = source.ahead("type")? else { return self.nameless(&mut source, each) };
        match kind.raw() {
            "content_block_delta" => member(&mut source, "delta", |source| self.piece(source, each)),
            "content_block_start" => member(&mut source, "content_block", |source| self.start(source, each)),
            "content_block_stop" => {
                self.close(each);
                Ok(())
            }
            "message_start" => member(&mut source, "message", |source| self.head(source, each)),
            "message_delta" => self.message_delta(&mut source, each),
            "message_stop" => {
                self.end(each);
                Ok(())
            }
            "error" => self.nameless(&mut source, each),
            // `ping`, and what is new.
            _ => Ok(()),
        }
    }

    /// The stream has come to its end. One that did not say why the answer ended was cut.
    pub(crate) fn finish(&mut self, each: &mut Each<'_>) {
        if self.has_stopped {
            self.end(each);
        }
    }

    /// An error, which need not say that it is one.
    fn nameless(&mut self, source: &mut Source<'_>, each: &mut Each<'_>) -> Result<()> {
        if source.kind()? != crate::json::Kind::Object {
            return source.wrong("an object");
        }
        member(source, "error", |source| {
            let error = VendorError::from_member(source.json()?.raw().as_bytes()).unwrap_or_default();
            self.has_ended = true;
            each(Delta::Error(error));
            Ok(())
        })
    }

    fn head(&mut self, source: &mut Source<'_>, each: &mut Each<'_>) -> Result<()> {
        let mut head = Head::default();
        source.members(|source, name| {
            match name {
                "id" => head.id = source.text_or_null()?,
                "model" => head.model = source.text_or_null()?,
                "usage" => self.usage(&source.json()?, true),
                _ => source.skip()?,
            }
            Ok(())
        })?;
        if !self.has_head {
            self.has_head = true;
            each(Delta::Head(head));
        }
        Ok(())
    }

    fn usage(&mut self, raw: &Json<'_>, is_start: bool) {
        let Some(report) = Report::read(raw.raw().as_bytes()) else { return };
        let report = if is_start { report.without_output() } else { report };
        self.report.get_or_insert_default().update(report);
    }

    fn begin(&mut self, each: &mut Each<'_>) {
        if !self.has_head {
            self.has_head = true;
            each(Delta::Head(Head::default()));
        }
    }

    fn start(&mut self, source: &mut Source<'_>, each: &mut Each<'_>) -> Result<()> {
        self.begin(each);
        self.close(each);
        let mut blocks = Blocks::default();
        blocks.block(source)?;
        if let Some(part) = blocks.parts.into_iter().next() {
            self.open(part, each);
        }
        Ok(())
    }

    fn open(&mut self, part: Part<'_>, each: &mut Each<'_>) {
        let at = At { candidate: 0, part: self.parts };
        self.parts += 1;
        self.open = Some(Open::Pieces);
        match part {
            Part::Text(text) => {
                each(Delta::Open { at, part: Opened::Text });
                tell(each, at, text.text);
                text.citations.into_iter().for_each(|citation| each(Delta::Citation { at, citation }));
            }
            Part::ToolCall(call) => {
                each(Delta::Open { at, part: Opened::ToolCall { id: call.id, name: call.name } });
                // Vendors that do not stream input have it here.
                if call.arguments.object().is_some_and(|input| input.raw().len() > 2) {
                    tell(each, at, call.arguments.text());
                }
            }
            Part::Reasoning(reasoning) if reasoning.sealed.is_none() => {
                let Reasoning { text, signature, .. } = reasoning;
                each(Delta::Open { at, part: Opened::Reasoning { id: None, is_summary: false } });
                tell(each, at, text);
                signature.into_iter().for_each(|signature| each(Delta::Signature { at, signature }));
            }
            whole => {
                self.open = Some(Open::Whole);
                each(Delta::Open { at, part: Opened::Whole(whole) });
            }
        }
    }

    fn close(&mut self, each: &mut Each<'_>) {
        if self.open.take().is_some() {
            each(Delta::Close { at: self.at() });
        }
    }

    /// The last part that began.
    const fn at(&self) -> At {
        At { candidate: 0, part: self.parts.saturating_sub(1) }
    }

    fn piece(&mut self, source: &mut Source<'_>, each: &mut Each<'_>) -> Result<()> {
        if self.open != Some(Open::Pieces) {
            return source.skip();
        }
        let at = self.at();
        source.members(|source, name| {
            match name {
                "text" | "thinking" | "partial_json" => tell(each, at, source.text()?),
                "signature" => sign(each, at, source.text()?),
                "citation" => each(Delta::Citation { at, citation: citation(source)? }),
                _ => source.skip()?,
            }
            Ok(())
        })
    }

    fn message_delta(&mut self, source: &mut Source<'_>, each: &mut Each<'_>) -> Result<()> {
        let mut end = End::default();
        source.members(|source, name| {
            match name {
                "delta" => source.members(|source, name| end.member(source, name))?,
                "usage" => self.usage(&source.json()?, false),
                _ => source.skip()?,
            }
            Ok(())
        })?;
        self.begin(each);
        self.close(each);
        let explanation = end.explanation.take();
        if let Some(stop) = end.stop().filter(|_| !self.has_stopped) {
            self.has_stopped = true;
            explanation.into_iter().for_each(|explanation| self.refusal(explanation, each));
            each(Delta::Stop { candidate: 0, stop });
        }
        Ok(())
    }

    fn refusal(&mut self, explanation: Str<'_>, each: &mut Each<'_>) {
        let at = At { candidate: 0, part: self.parts };
        self.parts += 1;
        each(Delta::Open { at, part: Opened::Refusal });
        tell(each, at, explanation);
        each(Delta::Close { at });
    }

    /// Usage is told once, when all of it is known.
    fn end(&mut self, each: &mut Each<'_>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        self.begin(each);
        self.close(each);
        let usage: Option<Usage> = self.report.as_ref().map(|report| report.reading().usage);
        usage.into_iter().for_each(|usage| each(Delta::Usage(usage)));
        each(Delta::End);
    }
}

fn tell(each: &mut Each<'_>, at: At, text: Str<'_>) {
    if !text.is_empty() {
        each(Delta::Text { at, text });
    }
}

fn sign(each: &mut Each<'_>, at: At, proof: Str<'_>) {
    if let Some(signature) = unmarked(proof) {
        each(Delta::Signature { at, signature });
    }
}

/// Reads the member of this name of the object that is next, and skips the others.
fn member<'a>(
    source: &mut Source<'a>,
    wanted: &str,
    mut read: impl FnMut(&mut Source<'a>) -> Result<()>,
) -> Result<()> {
    source.members(|source, name| if name == wanted { read(source) } else { source.skip() })
}
