//! A stream that broke off after content was delivered, and goes on from another target (`stream_recovery: "resume"`). What the
//! bytes must look like is `providers::resume`'s business; here the attempts are made.

use std::collections::VecDeque;

use bytes::Bytes;
use pingora::{Error, ErrorType};
use policy::decision::Refusal;
use policy::route::{Attempt, Failure};
use policy::settings::StreamRecovery;
use providers::resume::{Continuation, Diverged, Mode, Transcript, with_prefill};

use super::Edge;
use super::attempts::next_attempt;
use super::ctx::{Call, RequestCtx, Told};
use super::held::Held;
use super::route::Asked;

/// What the client has been given of a stream that could be continued.
#[derive(Debug)]
pub(crate) enum Script {
    /// By the first target.
    Transcript(Box<Transcript>),
    /// By targets that went on where others broke off.
    Continuation(Box<Continuation>),
}

impl Script {
    /// What the client has been given.
    pub(super) fn transcript(&self) -> &Transcript {
        match self {
            Self::Transcript(transcript) => transcript,
            Self::Continuation(continuation) => continuation.transcript(),
        }
    }

    /// Takes the answer's next bytes and gives those for the client.
    pub(super) fn pass(&mut self, piece: Bytes, end: bool) -> Result<Bytes, Diverged> {
        match self {
            Self::Transcript(transcript) => Ok(transcript.pass(piece, end)),
            Self::Continuation(continuation) => continuation.pass(piece, end),
        }
    }

    /// What was kept from the client of a stream's own error.
    pub(super) fn take_withheld(&mut self) -> Bytes {
        match self {
            Self::Transcript(transcript) => transcript.take_withheld(),
            Self::Continuation(_) => Bytes::new(),
        }
    }

    fn into_transcript(self) -> Transcript {
        match self {
            Self::Transcript(transcript) => *transcript,
            Self::Continuation(continuation) => continuation.into_transcript(),
        }
    }
}

impl Call {
    /// Begins the script of an answer that is a stream, or goes on with the one that an earlier answer left.
    pub(super) fn begin_script(&mut self, asked: &Asked, is_out: bool) {
        self.script = match self.script.take() {
            Some(script) if is_out => {
                let mode = self.mode.unwrap_or(Mode::Restart);
                Some(Script::Continuation(Box::new(Continuation::new(script.into_transcript(), mode))))
            }
            _ if self.recovery == StreamRecovery::Resume && self.stream => {
                let transcript = Transcript::new(asked.dialect, asked.operation, self.streams_array);
                Some(Script::Transcript(Box::new(transcript)))
            }
            _ => None,
        };
    }

    /// Whether another target could go on with the stream.
    pub(super) fn is_resumable(&self) -> bool {
        self.script.as_ref().is_some_and(|script| script.transcript().is_resumable())
    }

    /// The body for an attempt that goes on with a stream: behind the text that was delivered, where the target takes that;
    /// otherwise as it is, to be answered again from the start.
    pub(super) fn continued(&mut self, body: Bytes, asked: &Asked) -> Bytes {
        let text = self.script.as_ref().map_or("", |script| script.transcript().text());
        let takes_prefill = self.attempt().is_some_and(takes_prefill) && !self.refused_prefill;
        let prefilled = takes_prefill.then(|| with_prefill(&body, asked.dialect, asked.operation, text)).flatten();
        self.mode = Some(if prefilled.is_some() { Mode::Prefill } else { Mode::Restart });
        prefilled.unwrap_or(body)
    }
}

fn takes_prefill(attempt: &Attempt) -> bool {
    attempt.known.as_ref().is_some_and(|known| known.supports_assistant_prefill)
}

impl Edge {
    /// A stream broke off after content was delivered: another target goes on with it, or it ends with an error. `unsent` is what
    /// the client is still to get of it.
    pub(super) fn break_off(
        &self,
        ctx: &mut RequestCtx,
        unsent: Bytes,
        failure: Failure,
        reason: Refusal,
    ) -> Box<Error> {
        let Some(call) = ctx.stage.call() else { return Error::new_up(ErrorType::ConnectionClosed) };
        let transcript = call.script.as_ref().map(Script::transcript);
        let is_finished = transcript.is_some_and(Transcript::is_finished);
        let closing = transcript.filter(|_| is_finished).map(Transcript::closing);
        let is_resumable = call.is_resumable();
        ctx.record.first_content_us = ctx.record.first_content_us.or(call.first_content_us);
        let again = ctx.unsent.lose(unsent, ctx.held.as_ref().map_or(0, Held::received));
        ctx.takes_back(again);
        self.settle(ctx, failure.as_str());
        if is_finished {
            // Only the end mark is missing: the answer is whole, though its route is not well.
            self.note_failure(ctx, failure);
            ctx.closing = closing;
            return Error::new_up(ErrorType::ConnectionClosed);
        }
        ctx.broke_off.get_or_insert(reason.clone());
        if is_resumable && self.another(ctx, failure, Told::Refusal(reason)) {
            return next_attempt(ErrorType::ConnectionClosed);
        }
        self.note_failure(ctx, failure);
        self.last_word(ctx)
    }
}

/// The pieces of a stream that were passed on and have not come as far as the client's session yet: they are lost when a piece
/// that is passed on together with them fails.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    pieces: VecDeque<Bytes>,
    /// All bytes that were ever passed on.
    passed: u64,
    /// Bytes that were lost, and are to be passed on again.
    lost: Bytes,
}

impl Unsent {
    /// Nothing was passed on yet; the session may have got something of an answer that did not count.
    pub(super) fn beginning_at(received: u64) -> Self {
        Self { passed: received, ..Self::default() }
    }

    /// A piece is passed on, with what was lost before it. `received`: how much of the stream came as far as the session.
    pub(super) fn with(&mut self, piece: Bytes, received: u64) -> Bytes {
        let piece = join(std::mem::take(&mut self.lost), piece);
        self.passed += piece.len() as u64;
        self.pieces.push_back(piece.clone());
        self.forget(received);
        piece
    }

    /// A piece failed: it is lost, and so are those before it that did not come as far as the session. Gives how many bytes these
    /// are.
    fn lose(&mut self, piece: Bytes, received: u64) -> u64 {
        self.forget(received);
        self.passed = received;
        let again = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        let pieces = self.pieces.drain(..).chain([piece]);
        self.lost = pieces.fold(std::mem::take(&mut self.lost), join);
        again
    }

    /// What was lost, for whoever writes it himself.
    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.lost)
    }

    fn forget(&mut self, received: u64) {
        let mut waiting: u64 = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        while let Some(first) = self.pieces.front()
            && self.passed - waiting + first.len() as u64 <= received
        {
            waiting -= first.len() as u64;
            self.pieces.pop_front();
        }
    }
}

/// Two pieces, one after the other; not copied where one is empty.
pub(super) fn join(first: Bytes, second: Bytes) -> Bytes {
    match (first.is_empty(), second.is_empty()) {
        (true, _) => second,
        (_, true) => first,
        _ => Bytes::from([first, second].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn what_did_not_come_as_far_as_the_session_is_passed_on_again() {
        let mut unsent = Unsent::default();
        assert_eq!(unsent.with(piece("one "), 0), "one ");
        assert_eq!(unsent.with(piece("two "), 0), "two ");
        assert_eq!(unsent.with(piece("three "), 4), "three ");
        assert_eq!(unsent.lose(piece("four "), 4), 10, "two and three were passed on");
        assert_eq!(unsent.with(piece("five"), 4), "two three four five");
        unsent.lose(Bytes::new(), 4);
        assert_eq!(unsent.take(), "two three four five");
    }

    #[test]
    fn what_came_there_is_not() {
        let mut unsent = Unsent::default();
        unsent.with(piece("one "), 0);
        unsent.with(piece("two "), 4);
        unsent.lose(piece("three "), 8);
        assert_eq!(unsent.take(), "three ");
        unsent.lose(piece("four"), 14);
        assert_eq!(unsent.take(), "four");
    }
}
