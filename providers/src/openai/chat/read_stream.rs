//! Streamed answers: chunks as parts that begin, grow and end. Chunks carry no marks of where a part ends, so that is where another
//! begins or the answer ends. Only a call's pieces may stand among others': all that begins before it is whole waits for it. Why a choice ended is told at the end, as some go on behind it.

use std::collections::BTreeMap;

use super::call::Call;
use super::growing_call::GrowingCall;
use super::read_answer::{citations, index, stop};
use super::read_chunk::{Choice, Chunk};
use super::thought::Detail;
use crate::error::VendorError;
use crate::hub::answer::{Head, Logprob, Stop};
use crate::hub::delta::{Delta, Opened};
use crate::hub::part::{Arguments, Part, Reasoning};
use crate::hub::source::{ReadError, Result};
use crate::hub::text::Str;
use crate::openai::queue::{Piece, Queue};

/// Reads a stream.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    has_head: bool,
    has_ended: bool,
    candidates: BTreeMap<u32, Candidate>,
    /// What was found on the web, where each chunk repeats it.
    found: String,
}

type Each<'e> = &'e mut dyn FnMut(Delta<'_>);

impl StreamReader {
    /// Reads one event's data.
    pub(crate) fn event(&mut self, data: &str, each: &mut dyn FnMut(Delta<'_>)) -> Result<()> {
        let data = data.trim_ascii();
        if data == "[DONE]" {
            self.end(each);
            return Ok(());
        }
        if data.is_empty() || self.has_ended {
            return Ok(());
        }
        let chunk = Chunk::read(data)?;
        if chunk.is_error {
            self.has_ended = true;
            each(Delta::Error(VendorError::read(data.as_bytes()).unwrap_or_default()));
            return Ok(());
        }
        self.chunk(chunk, each)
    }

    /// The stream has come to its end. One that was cut off before any choice ended has none.
    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(Delta<'_>)) {
        if self.candidates.values().any(|candidate| candidate.finish.is_some()) {
            self.end(each);
        }
    }

    fn chunk(&mut self, chunk: Chunk<'_>, each: Each<'_>) -> Result<()> {
        let usage = chunk.frame.usage();
        if let Some(found) = chunk.frame.found().filter(|found| !found.is(&self.found)) {
            found.raw().clone_into(&mut self.found);
        }
        // Azure's first chunk has neither id nor choices.
        if !self.has_head && (chunk.frame.head.id.is_some() || !chunk.choices.is_empty()) {
            self.head(chunk.frame.head, each);
        }
        for choice in chunk.choices {
            self.candidate(choice.index).take(choice, each)?;
        }
        if let Some(usage) = usage {
            each(Delta::Usage(usage));
        }
        Ok(())
    }

    fn head(&mut self, head: Head<'_>, each: Each<'_>) {
        self.has_head = true;
        each(Delta::Head(head));
    }

    fn candidate(&mut self, number: Option<u64>) -> &mut Candidate {
        let number = index(number.or(Some(0)));
        self.candidates.entry(number).or_insert_with(|| Candidate::new(number))
    }

    fn end(&mut self, each: Each<'_>) {
        if self.has_ended {
            return;
        }
        self.has_ended = true;
        if !self.has_head {
            self.head(Head::default(), each);
        }
        if let (Some(first), false) = (self.candidates.values_mut().next(), self.found.is_empty()) {
            first.cite(&self.found, each);
        }
        for candidate in self.candidates.values_mut() {
            candidate.end(each);
        }
        each(Delta::End);
    }
}

/// A choice so far.
#[derive(Debug)]
struct Candidate {
    number: u32,
    queue: Queue<u32>,
    /// How many parts were begun: what the next one is known by.
    parts: u32,
    /// The parts that grow: calls, whose pieces may mingle with all else, and what came last.
    growing: Vec<(u32, Growing)>,
    /// How many calls were begun.
    calls: u64,
    /// A call whose name is still to come: its id.
    nameless: Option<Str<'static>>,
    has_refusal: bool,
    finish: Option<Finish>,
}

/// A part that grows.
#[derive(Debug, PartialEq)]
enum Growing {
    Text,
    Refusal,
    Thought { index: Option<u64>, is_summary: bool },
    Whole,
    Call(GrowingCall),
}

impl Growing {
    /// Whether more of it may come after another part has begun.
    fn lasts_beside(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Call(call), Self::Call(next)) => {
                !call.arguments.is_whole && call.index.is_some() && next.index.is_some() && call.index != next.index
            }
            (Self::Call(call), _) => !call.arguments.is_whole,
            _ => false,
        }
    }
}

/// Why it ended, in the vendor's word.
#[derive(Debug)]
struct Finish(String);

impl Candidate {
    const fn new(number: u32) -> Self {
        Self {
            number,
            queue: Queue::of(number),
            parts: 0,
            growing: Vec::new(),
            calls: 0,
            nameless: None,
            has_refusal: false,
            finish: None,
        }
    }

    fn take(&mut self, choice: Choice<'_>, each: Each<'_>) -> Result<()> {
        let has_words = choice.text.is_some() || choice.refusal.is_some() || !choice.parts.is_empty();
        for detail in choice.thoughts.into_details() {
            self.thought(detail, each);
        }
        if let Some(text) = choice.text {
            self.text(text, each);
        }
        for part in choice.parts.into_iter().chain(choice.media) {
            self.part(part, each);
        }
        if let Some(text) = choice.refusal {
            self.has_refusal = true;
            let part = self.grow(|last| *last == Growing::Refusal, || (Growing::Refusal, Opened::Refusal), each);
            self.queue.tell(&part, Piece::Text(text), each);
        }
        for citation in choice.citations {
            let part = self.text_part(each);
            self.queue.tell(&part, Piece::Citation(citation), each);
        }
        if let Some(signature) = choice.signature {
            let part = self.text_part(each);
            self.queue.tell(&part, Piece::Signature(signature), each);
        }
        // Some tell of the tokens of calls and thoughts too, which have no place for it.
        if has_words || choice.calls.is_empty() {
            self.logprobs(choice.logprobs, each);
        }
        for call in choice.calls {
            self.call(call, each)?;
        }
        if let (Some(finish), None) = (choice.finish, &self.finish) {
            self.finish = Some(Finish(finish.raw().to_owned()));
        }
        Ok(())
    }

    /// A part begins: all others have ended but those of which more may come.
    fn begin(&mut self, growing: Growing, opened: Opened<'_>, each: Each<'_>) -> u32 {
        let part = self.parts;
        self.parts += 1;
        self.growing.retain(|(_, other)| other.lasts_beside(&growing));
        let lasting = &self.growing;
        self.queue.close(|part| !lasting.iter().any(|(own, _)| own == part), each);
        self.growing.push((part, growing));
        self.queue.open(part, opened, each);
        part
    }

    fn end_part(&mut self, part: u32, each: Each<'_>) {
        self.growing.retain(|(own, _)| *own != part);
        self.queue.close(|own| *own == part, each);
    }

    /// The part that came last where it is such a one, else a new one.
    fn grow<'o>(
        &mut self,
        is_such: impl FnOnce(&Growing) -> bool,
        new: impl FnOnce() -> (Growing, Opened<'o>),
        each: Each<'_>,
    ) -> u32 {
        match self.growing.last() {
            Some((part, last)) if is_such(last) => *part,
            _ => {
                let (growing, opened) = new();
                self.begin(growing, opened, each)
            }
        }
    }

    fn text_part(&mut self, each: Each<'_>) -> u32 {
        self.grow(|last| *last == Growing::Text, || (Growing::Text, Opened::Text), each)
    }

    fn text(&mut self, text: Str<'_>, each: Each<'_>) {
        let part = self.text_part(each);
        self.queue.tell(&part, Piece::Text(text), each);
    }

    fn logprobs(&mut self, logprobs: Vec<Logprob<'_>>, each: Each<'_>) {
        if let (Some((part, Growing::Text | Growing::Refusal)), false) = (self.growing.last(), logprobs.is_empty()) {
            self.queue.tell(part, Piece::Logprobs(logprobs), each);
        }
    }

    fn thought(&mut self, detail: Detail<'_>, each: Each<'_>) {
        let Detail { index, thought } = detail;
        let Reasoning { text, is_summary, signature, sealed, id } = thought;
        if sealed.is_some() && text.is_empty() && signature.is_none() {
            let sealed = Reasoning { sealed, id, ..Reasoning::default() };
            return self.whole(Part::Reasoning(sealed), each);
        }
        let goes_on = |last: &Growing| {
            matches!(last, Growing::Thought { index: own, is_summary: is_own }
                if *is_own == is_summary && (index.is_none() || own.is_none() || *own == index))
        };
        let new = || (Growing::Thought { index, is_summary }, Opened::Reasoning { id, is_summary });
        let part = self.grow(goes_on, new, each);
        if !text.is_empty() {
            self.queue.tell(&part, Piece::Text(text), each);
        }
        if let Some(signature) = signature {
            self.queue.tell(&part, Piece::Signature(signature), each);
        }
    }

    fn part(&mut self, part: Part<'_>, each: Each<'_>) {
        match part {
            Part::Text(text) if text.text.is_empty() => {}
            Part::Text(text) => self.text(text.text, each),
            Part::Reasoning(thought) => self.thought(Detail { index: None, thought }, each),
            other => self.whole(other, each),
        }
    }

    fn whole(&mut self, whole: Part<'_>, each: Each<'_>) {
        let part = self.begin(Growing::Whole, Opened::Whole(whole), each);
        self.end_part(part, each);
    }

    /// A call or a piece of one.
    fn call(&mut self, call: Call<'_>, each: Each<'_>) -> Result<()> {
        let growing = self.growing.iter().rev().find_map(|(part, growing)| match growing {
            Growing::Call(own) if own.goes_on(&call) => Some(*part),
            _ => None,
        });
        let Call { index, id, name, arguments, signature, .. } = call;
        let part = match (growing, name) {
            (Some(part), _) => part,
            (None, None) => return self.nameless(index, id, arguments.as_ref()),
            (None, Some(name)) => {
                let id = id.or_else(|| self.nameless.take());
                self.calls += 1;
                let call = GrowingCall::new(index, id.clone().map(Str::into_owned));
                self.begin(Growing::Call(call), Opened::ToolCall { id, name }, each)
            }
        };
        let text = arguments.as_ref().map(Arguments::text).filter(|text| !text.is_empty());
        let is_whole = text.as_ref().is_some_and(|text| self.grow_call(part, text));
        if let Some(text) = text {
            self.queue.tell(&part, Piece::Text(text), each);
        }
        if let Some(signature) = signature {
            self.queue.tell(&part, Piece::Signature(signature), each);
        }
        if is_whole && part + 1 < self.parts {
            self.end_part(part, each);
        }
        Ok(())
    }

    /// Whether a call's arguments are whole with this.
    fn grow_call(&mut self, part: u32, text: &Str<'_>) -> bool {
        match self.growing.iter_mut().find(|(own, _)| *own == part) {
            Some((_, Growing::Call(call))) => {
                call.arguments.push(&text.plain());
                call.arguments.is_whole
            }
            _ => false,
        }
    }

    /// A call that has no name yet, before which its arguments cannot come; or more of one that was whole, where only space is left.
    fn nameless(&mut self, index: Option<u64>, id: Option<Str<'_>>, arguments: Option<&Arguments<'_>>) -> Result<()> {
        let is_late = index.is_some_and(|index| index < self.calls);
        if arguments.is_some_and(|arguments| !arguments.text().plain().trim_ascii().is_empty()) {
            let expected = if is_late { "one object for each call" } else { "a call's name before its arguments" };
            return Err(ReadError::wrong(expected).under("tool_calls").under("delta"));
        }
        if !is_late {
            self.nameless = id.map(Str::into_owned).or(self.nameless.take());
        }
        Ok(())
    }

    fn cite(&mut self, found: &str, each: Each<'_>) {
        if let Some((part, Growing::Text)) = self.growing.last() {
            for citation in citations(found) {
                self.queue.tell(part, Piece::Citation(citation), each);
            }
        }
    }

    fn end(&mut self, each: Each<'_>) {
        self.growing.clear();
        self.queue.close(|_| true, each);
        let reason = self.finish.as_ref().map_or("stop", |Finish(reason)| reason);
        let stop: Stop<'static> = stop(reason, self.calls > 0, self.has_refusal);
        each(Delta::Stop { candidate: self.number, stop });
    }
}
