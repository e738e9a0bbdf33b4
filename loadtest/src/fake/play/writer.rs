//! Events into writes: whole, or cut without regard to their borders.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::pause;
use crate::fake::body::Outlet;
use crate::fake::controls::Controls;
use crate::fake::pen::Pen;

/// Cuts the byte stream as asked and notes each event once its last byte has been written.
pub(super) struct Writer {
    outlet: Outlet,
    piece_bytes: Option<usize>,
    trickle: Duration,
    burst: bool,
    unsent: BytesMut,
    /// Events not yet noted: at which byte of `unsent` each ends, and its tokens.
    marks: VecDeque<(usize, u64)>,
}

impl Writer {
    pub(super) fn new(outlet: Outlet, controls: &Controls) -> Self {
        Self {
            outlet,
            piece_bytes: piece_bytes(controls),
            trickle: controls.faults.trickle,
            burst: controls.burst,
            unsent: BytesMut::new(),
            marks: VecDeque::new(),
        }
    }

    pub(super) async fn write(&mut self, bytes: Bytes, tokens: u64, pen: &Pen) {
        if self.piece_bytes.is_none() {
            self.send(bytes).await;
            return pen.wrote(tokens);
        }
        self.marks.push_back((self.unsent.len() + bytes.len(), tokens));
        self.write_unmarked(bytes, pen).await;
    }

    /// Bytes that belong to no event.
    pub(super) async fn write_unmarked(&mut self, bytes: Bytes, pen: &Pen) {
        let Some(piece_bytes) = self.piece_bytes else {
            return self.send(bytes).await;
        };
        self.unsent.extend_from_slice(&bytes);
        while self.unsent.len() >= piece_bytes {
            self.send_piece(piece_bytes, pen).await;
        }
    }

    /// Sends what is left, however short.
    pub(super) async fn flush(&mut self, pen: &Pen) {
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
        pause(self.trickle).await;
    }
}

/// How many bytes go into one write; `None`: as they come.
pub(super) fn piece_bytes(controls: &Controls) -> Option<usize> {
    controls.chunk_bytes.or((!controls.faults.trickle.is_zero()).then_some(1))
}
