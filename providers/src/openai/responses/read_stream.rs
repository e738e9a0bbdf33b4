//! A stream of the Responses API, read (`response_stream_event.py`). Parts are told one after another: pieces of one that begins
//! before another has ended wait for it.

use super::parts::read_citation;
use super::queue::{Key, Piece, Queue};
use super::read_output::{Report, Says, read_call, read_item, read_logprobs, read_sealed};
use crate::error::VendorError;
use crate::hub::delta::{Delta, Opened};
use crate::hub::members::Members;
use crate::hub::part::{Part, Reasoning};
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;

/// What reads a stream.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    has_head: bool,
    has_ended: bool,
    queue: Queue,
    says: Says,
}

type Each<'e> = dyn FnMut(Delta<'_>) + 'e;

impl StreamReader {
    /// Reads one event's data.
    pub(crate) fn event(&mut self, data: &str, each: &mut Each<'_>) -> Result<()> {
        // Some who copy the API end their streams as chat completions do.
        if self.has_ended || data.trim() == "[DONE]" {
            return Ok(());
        }
        let event = Source::of(data).whole(Source::unread_members)?;
        let Some(kind) = event.text("type")? else { return Ok(()) };
        match &*kind.plain() {
            "response.output_text.delta" => self.text(&event, each)?,
            "response.function_call_arguments.delta" => self.arguments(&event, each)?,
            "response.refusal.delta" => self.delta(&event, Key::content(&event)?, Opened::Refusal, each)?,
            "response.reasoning_text.delta" => self.thought(&event, false, each)?,
            "response.reasoning_summary_text.delta" => self.thought(&event, true, each)?,
            "response.created" | "response.queued" | "response.in_progress" => self.head(&event, each)?,
            "response.output_item.added" => self.item_added(&event, each)?,
            "response.content_part.added" => self.part_added(&event, each)?,
            "response.output_text.annotation.added" => self.annotation(&event, each)?,
            "response.content_part.done" => self.queue.close(Key::content(&event)?, each),
            "response.reasoning_summary_part.done" => self.queue.close(Key::summary(&event)?, each),
            "response.output_item.done" => self.item_done(&event, each)?,
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                self.end(&event, each)?;
            }
            "error" => self.fail(VendorError::read(data.as_bytes()), each),
            _ => {}
        }
        Ok(())
    }

    /// The stream has come to its end. One that did not say so itself has broken off.
    pub(crate) fn finish(&mut self, _each: &mut Each<'_>) {}

    fn head(&mut self, event: &Members<'_>, each: &mut Each<'_>) -> Result<()> {
        if std::mem::replace(&mut self.has_head, true) {
            return Ok(());
        }
        each(Delta::Head(report(event)?.head()?));
        Ok(())
    }

    fn item_added(&mut self, event: &Members<'_>, each: &mut Each<'_>) -> Result<()> {
        let Some(item) = event.read("item", Source::unread_members)? else { return Ok(()) };
        if item.text("type")?.is_some_and(|kind| kind.is("function_call")) {
            let call = read_call(&item)?;
            self.says.note_call();
            self.queue.open(Key::call(event)?, Opened::ToolCall { id: call.id, name: call.name }, each);
        }
        Ok(())
    }

    fn part_added(&mut self, event: &Members<'_>, each: &mut Each<'_>) -> Result<()> {
        let part = event.read("part", Source::unread_members)?.unwrap_or_default();
        let opened = match part.text("type")?.unwrap_or_default().raw() {
            "output_text" => Opened::Text,
            "refusal" => Opened::Refusal,
            // A thought that has no words needs no part.
            _ => return Ok(()),
        };
        self.queue.open(Key::content(event)?, opened, each);
        Ok(())
    }

    fn text(&mut self, event: &Members<'_>, each: &mut Each<'_>) -> Result<()> {
        let key = Key::content(event)?;
        self.delta(event, key, Opened::Text, each)?;
        let logprobs = read_logprobs(event, "logprobs")?;
        if !logprobs.is_empty() {
            self.queue.tell(key, Piece::Logprobs(logprobs), each);
        }
        Ok(())
    }

    fn thought(&mut self, event: &Members<'_>, is_summary: bool, each: &mut Each<'_>) -> Result<()> {
        let key = if is_summary { Key::summary(event)? } else { Key::content(event)? };
        self.delta(event, key, Opened::Reasoning { id: event.text("item_id")?, is_summary }, each)
    }

    /// More of a part, which begins with it where nothing else has told so.
    fn delta(&mut self, event: &Members<'_>, key: Key, opened: Opened<'_>, each: &mut Each<'_>) -> Result<()> {
        if matches!(opened, Opened::Refusal) {
            self.says.note_refusal();
        }
        self.queue.open(key, opened, each);
        let text = event.text("delta")?.filter(|text| !text.is_empty());
        text.into_iter().for_each(|text| self.queue.tell(key, Piece::Text(text), each));
        Ok(())
    }

    /// Those of a call whose name was not told wait for its end, when it is.
    fn arguments(&mut self, event: &Members<'_>, each: &mut Each<'_>) -> Result<()> {
        let text = event.text("delta")?.unwrap_or_default();
        self.queue.tell(Key::call(event)?, Piece::Text(text), each);
        Ok(())
    }

    fn annotation(&mut self, event: &Members<'_>, each: &mut Each<'_>) -> Result<()> {
        let Some(annotation) = event.read("annotation", Source::unread_members)? else { return Ok(()) };
        if let Some(citation) = read_citation(&annotation)? {
            let key = Key::content(event)?;
            self.queue.open(key, Opened::Text, each);
            self.queue.tell(key, Piece::Citation(citation), each);
        }
        Ok(())
    }

    /// An item has all that is to be told of it: what its events did not tell is told now.
    fn item_done(&mut self, event: &Members<'_>, each: &mut Each<'_>) -> Result<()> {
        let Some(item) = event.read("item", Source::unread_members)? else { return Ok(()) };
        let output = Key::output(event)?;
        if !self.queue.has(output) {
            self.whole(output, &item, each)?;
        } else if let Some(sealed) = read_sealed(&item)? {
            self.queue.open(Key::whole(output, 0), Opened::Whole(Part::Reasoning(sealed)), each);
        } else if !self.queue.has_text(Key::call(event)?)
            && let Some(arguments) = item.text("arguments")?
        {
            self.queue.tell(Key::call(event)?, Piece::Text(arguments), each);
        }
        self.queue.close_all(output, each);
        Ok(())
    }

    fn whole(&mut self, output: u64, item: &Members<'_>, each: &mut Each<'_>) -> Result<()> {
        for ((part, logprobs), number) in read_item(item)?.into_iter().zip(0..) {
            self.says.note(&part);
            let key = Key::whole(output, number);
            let (opened, pieces) = taken_apart(part);
            self.queue.open(key, opened, each);
            pieces.into_iter().for_each(|piece| self.queue.tell(key, piece, each));
            if !logprobs.is_empty() {
                self.queue.tell(key, Piece::Logprobs(logprobs), each);
            }
            self.queue.close(key, each);
        }
        Ok(())
    }

    fn end(&mut self, event: &Members<'_>, each: &mut Each<'_>) -> Result<()> {
        self.head(event, each)?;
        let report = report(event)?;
        if report.is_failed()? {
            let error = report.error().and_then(|error| VendorError::from_member(error.raw().as_bytes()));
            self.fail(error, each);
            return Ok(());
        }
        self.queue.finish(each);
        let mut output = 0;
        report.items(|item| {
            if !self.queue.has(output) {
                self.whole(output, item, each)?;
            }
            output += 1;
            Ok(())
        })?;
        each(Delta::Stop { candidate: 0, stop: report.stop(self.says)? });
        report.usage().into_iter().for_each(|usage| each(Delta::Usage(usage)));
        self.has_ended = true;
        each(Delta::End);
        Ok(())
    }

    fn fail(&mut self, error: Option<VendorError>, each: &mut Each<'_>) {
        self.has_ended = true;
        each(Delta::Error(error.unwrap_or_default()));
    }
}

fn report<'a>(event: &Members<'a>) -> Result<Report<'a>> {
    Ok(Report::new(event.read("response", Source::unread_members)?.unwrap_or_default()))
}

/// A part as its beginning and the pieces behind it.
fn taken_apart(part: Part<'_>) -> (Opened<'_>, Vec<Piece<'_>>) {
    let piece = |text: Str<'_>| if text.is_empty() { Vec::new() } else { vec![Piece::Text(text.into_owned())] };
    match part {
        Part::Text(text) => {
            let mut pieces = piece(text.text);
            pieces.extend(text.citations.into_iter().map(Piece::Citation));
            (Opened::Text, pieces)
        }
        Part::Refusal(text) => (Opened::Refusal, piece(text)),
        Part::ToolCall(call) => {
            let pieces = piece(call.arguments.text());
            (Opened::ToolCall { id: call.id, name: call.name }, pieces)
        }
        Part::Reasoning(Reasoning { sealed: None, text, id, is_summary, .. }) => {
            (Opened::Reasoning { id, is_summary }, piece(text))
        }
        whole => (Opened::Whole(whole), Vec::new()),
    }
}
