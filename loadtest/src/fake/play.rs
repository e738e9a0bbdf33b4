//! Sends an answer as the controls say: paced, in pieces, broken off, stalled, or reset.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;

use super::body::Outlet;
use super::books::Pen;
use super::conn::Link;
use super::controls::Controls;
use super::wire::{Event, Framing, SseStyle};

/// What every answer needs while it is sent.
pub(super) struct Stage {
    pub(super) controls: Controls,
    pub(super) link: Arc<Link>,
    pub(super) pen: Pen,
    pub(super) lockstep: Option<Arc<Semaphore>>,
}

impl Stage {
    /// Sends a body that is not streamed. `N` of the faults counts bytes here.
    pub(super) async fn whole(mut self, mut outlet: Outlet, mut body: Bytes, tokens: u64, has_length: bool) {
        pause(self.controls.body_delay).await;
        let controls = &self.controls;
        let stop = [controls.reset_after, controls.stall_after, controls.cut_after].into_iter().flatten().min();
        // A fault past the end never happens, as in a stream.
        let stop = stop.filter(|stop| *stop < body.len());
        if let Some(stop) = stop {
            body.truncate(stop);
        }
        let piece_bytes = controls.chunk_bytes.unwrap_or(usize::MAX);
        while body.len() > piece_bytes {
            outlet.send(body.split_to(piece_bytes)).await;
        }
        if let Some(stop) = stop {
            outlet.send(body).await;
            return self.break_off(stop).await;
        }
        if has_length {
            outlet.send_last(body);
        } else {
            outlet.send(body).await;
        }
        self.pen.wrote(tokens);
        self.pen.over(true);
    }

    /// Sends a stream. `error` is what `error_after` puts in place of the event that would follow.
    pub(super) async fn events(mut self, outlet: Outlet, events: Vec<Event>, framing: Framing, error: Event) {
        pause(self.controls.body_delay).await;
        let style = SseStyle { crlf: self.controls.crlf, comments: self.controls.comments };
        let mut writer = Writer::new(outlet, &self.controls);
        let mut is_whole = true;
        for (n, event) in events.iter().enumerate() {
            if self.is_broken_off_at(n) {
                writer.flush(&self.pen).await;
                return self.break_off(n).await;
            }
            if n > 0 {
                pause(self.controls.delay).await;
            }
            if self.controls.garbage_after == Some(n) {
                let garbage = framing.frame(&Event::raw("{\"not\": json"), n, style);
                writer.write_unmarked(garbage, &self.pen).await;
            }
            is_whole = self.controls.error_after != Some(n);
            let event = if is_whole { event } else { &error };
            writer.write(framing.frame(event, n, style), event.tokens, &self.pen).await;
            self.await_ack(&mut writer).await;
            if !is_whole {
                break;
            }
        }
        if let Some(closing) = framing.closing() {
            writer.write_unmarked(closing, &self.pen).await;
        }
        writer.flush(&self.pen).await;
        self.pen.over(is_whole);
    }

    fn is_broken_off_at(&self, n: usize) -> bool {
        let controls = &self.controls;
        [controls.reset_after, controls.stall_after, controls.cut_after].contains(&Some(n))
    }

    /// Ends, holds or resets an answer of which `n` events or bytes have been sent.
    async fn break_off(mut self, n: usize) {
        if self.controls.reset_after == Some(n) {
            self.pen.over(false);
            self.link.reset();
            pending::<()>().await;
        }
        if self.controls.stall_after == Some(n) {
            // The pen is not put down: the caller's patience is what gets noted.
            pending::<()>().await;
        }
        self.pen.over(false);
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

/// Cuts the byte stream as asked and notes each event once its last byte has been written.
struct Writer {
    outlet: Outlet,
    piece_bytes: Option<usize>,
    burst: bool,
    unsent: BytesMut,
    /// Events not yet noted: at which byte of `unsent` each ends, and its tokens.
    marks: VecDeque<(usize, u64)>,
}

impl Writer {
    fn new(outlet: Outlet, controls: &Controls) -> Self {
        Self {
            outlet,
            piece_bytes: controls.chunk_bytes,
            burst: controls.burst,
            unsent: BytesMut::new(),
            marks: VecDeque::new(),
        }
    }

    async fn write(&mut self, bytes: Bytes, tokens: u64, pen: &Pen) {
        if self.piece_bytes.is_none() {
            self.send(bytes).await;
            return pen.wrote(tokens);
        }
        self.marks.push_back((self.unsent.len() + bytes.len(), tokens));
        self.write_unmarked(bytes, pen).await;
    }

    /// Bytes that belong to no event.
    async fn write_unmarked(&mut self, bytes: Bytes, pen: &Pen) {
        let Some(piece_bytes) = self.piece_bytes else {
            return self.send(bytes).await;
        };
        self.unsent.extend_from_slice(&bytes);
        while self.unsent.len() >= piece_bytes {
            self.send_piece(piece_bytes, pen).await;
        }
    }

    /// Sends what is left, however short.
    async fn flush(&mut self, pen: &Pen) {
        if !self.unsent.is_empty() {
            self.send_piece(self.unsent.len(), pen).await;
        }
    }

    async fn send_piece(&mut self, bytes: usize, pen: &Pen) {
        let piece = self.unsent.split_to(bytes).freeze();
        self.send(piece).await;
        for (end, _) in &mut self.marks {
            *end = end.saturating_sub(bytes);
        }
        while let Some((0, tokens)) = self.marks.front() {
            pen.wrote(*tokens);
            self.marks.pop_front();
        }
    }

    async fn send(&mut self, piece: Bytes) {
        if self.burst {
            self.outlet.send_buffered(piece).await;
        } else {
            self.outlet.send(piece).await;
        }
    }
}

/// Sleeps; a pause of nothing does not even yield.
pub(super) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
