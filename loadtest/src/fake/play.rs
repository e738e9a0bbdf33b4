//! Sends an answer as the controls say: paced, in pieces, broken off, stalled, or reset.

mod points;
mod writer;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::body::Outlet;
use super::conn::{Leave, Link};
use super::controls::Controls;
use super::pen::Pen;
use super::wire::{Event, Framing, SseStyle};
use points::{BreakOff, Points};
use writer::{Writer, piece_bytes};

/// What every answer needs while it is sent.
pub(super) struct Stage {
    pub(super) controls: Controls,
    pub(super) link: Arc<Link>,
    pub(super) pen: Pen,
    pub(super) lockstep: Option<Arc<Semaphore>>,
    pub(super) is_http2: bool,
}

/// What Content-Length says of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// There is none.
    Nothing,
    /// What the body has.
    Exactly(usize),
    /// More than the body has.
    Over(usize),
    /// Less than the body has.
    Under(usize),
}

impl Announced {
    /// Content-Length.
    pub(super) fn bytes(self) -> Option<u64> {
        match self {
            Self::Nothing => None,
            Self::Exactly(bytes) | Self::Over(bytes) | Self::Under(bytes) => u64::try_from(bytes).ok(),
        }
    }
}

impl Stage {
    /// What Content-Length is to say of a body of `bytes` bytes.
    pub(super) fn announced(&self, bytes: usize) -> Announced {
        let faults = &self.controls.faults;
        if faults.length_over > 0 {
            Announced::Over(bytes.saturating_add(faults.length_over))
        } else if faults.length_under > 0 && !self.is_http2 {
            Announced::Under(bytes.saturating_sub(faults.length_under))
        } else {
            Announced::Exactly(bytes)
        }
    }

    /// Sends a body that is not streamed. `N` of the faults counts bytes here.
    pub(super) async fn whole(mut self, mut outlet: Outlet, mut body: Bytes, tokens: u64, announced: Announced) {
        pause(self.controls.body_delay).await;
        // A fault past the end never happens, as in a stream.
        let stop = BreakOff::of_bytes(&self.controls, self.is_http2).filter(|(at, _)| *at < body.len());
        if let Some((at, _)) = stop {
            body.truncate(at);
        }
        let unannounced = match announced {
            Announced::Under(bytes) => body.split_off(bytes.min(body.len())),
            _ => Bytes::new(),
        };
        let piece_bytes = piece_bytes(&self.controls).unwrap_or(usize::MAX);
        while body.len() > piece_bytes {
            outlet.send(body.split_to(piece_bytes)).await;
            pause(self.controls.faults.trickle).await;
        }
        if let Some((_, how)) = stop {
            outlet.send(body).await;
            return self.break_off(how).await;
        }
        self.link.trail(unannounced);
        match announced {
            Announced::Exactly(_) | Announced::Under(_) => outlet.send_last(body),
            Announced::Nothing | Announced::Over(_) => outlet.send(body).await,
        }
        self.pen.wrote(tokens);
        if let Announced::Over(_) = announced {
            return self.break_off(BreakOff::Leave(Leave::HangUp)).await;
        }
        self.pen.over(true);
    }

    /// Sends a stream. `error` is what `error_after` puts in place of the event that would follow.
    pub(super) async fn events(mut self, outlet: Outlet, mut events: Vec<Event>, framing: Framing, error: Event) {
        pause(self.controls.body_delay).await;
        let (no_finish, no_done) = (self.controls.faults.no_finish, self.controls.faults.no_done);
        let all = events.len();
        events.retain(|event| !event.part.is_left_out(no_finish, no_done));
        let mut is_whole = !no_finish && events.len() == all;
        let points = Points::new(&self.controls, &events);
        let style = SseStyle { crlf: self.controls.crlf, comments: self.controls.comments };
        let mut writer = Writer::new(outlet, &self.controls);
        for (n, event) in events.iter().enumerate() {
            if let Some(how) = points.break_off_at(n, self.is_http2) {
                writer.flush(&self.pen).await;
                return self.break_off(how).await;
            }
            self.hold_back(n, &points, &mut writer).await;
            if points.garbage == Some(n) {
                let garbage = framing.frame(&Event::raw("{\"not\": json"), n, style);
                writer.write_unmarked(garbage, &self.pen).await;
            }
            let is_error = points.error == Some(n);
            let event = if is_error { &error } else { event };
            writer.write(framing.frame(event, n, style), event.tokens, &self.pen).await;
            self.await_ack(&mut writer).await;
            if is_error {
                is_whole = false;
                break;
            }
        }
        if let Some(how) = points.break_off_at(events.len(), self.is_http2).filter(|_| self.controls.by_tokens) {
            writer.flush(&self.pen).await;
            return self.break_off(how).await;
        }
        match framing.closing() {
            Some(_) if no_done => is_whole = false,
            Some(closing) => writer.write_unmarked(closing, &self.pen).await,
            None => {}
        }
        writer.flush(&self.pen).await;
        self.pen.over(is_whole);
    }

    /// The pauses before event `n`.
    async fn hold_back(&self, n: usize, points: &Points, writer: &mut Writer) {
        if n > 0 {
            pause(self.controls.delay).await;
        }
        if points.silent == Some(n) {
            writer.flush(&self.pen).await;
            pause(self.controls.faults.silence()).await;
        }
        if points.first_token == Some(n) {
            writer.flush(&self.pen).await;
            pause(self.controls.faults.first_token_delay).await;
        }
        if points.drain == Some(n) {
            self.link.leave(Leave::Drain);
        }
    }

    /// Ends, holds or leaves an answer in its middle.
    async fn break_off(mut self, how: BreakOff) {
        match how {
            BreakOff::End => self.pen.over(false),
            // The pen is not put down: the caller's patience is what gets noted.
            BreakOff::Stall => pending().await,
            BreakOff::Leave(leave) => {
                self.pen.over(false);
                self.link.leave(leave);
                pending().await
            }
        }
    }

    async fn await_ack(&self, writer: &mut Writer) {
        let Some(gate) = &self.lockstep else { return };
        writer.flush(&self.pen).await;
        // The gate is never closed, so this only ends with an acknowledgement.
        if let Ok(permit) = gate.acquire().await {
            permit.forget();
        }
    }
}

/// Sleeps; a pause of nothing does not even yield.
pub(super) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
