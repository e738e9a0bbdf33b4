//! What writes one entry of the books while its request is served.

use std::sync::Arc;

use super::books::Books;
use super::conn::Link;
use super::entry::Entry;

/// Writes one entry while its request is served. Dropped before the exchange is over, it notes that the caller has gone: hyper
/// drops a handler or a body only for that reason, unless the provider itself has left the connection.
#[derive(Debug)]
pub(super) struct Pen {
    books: Books,
    link: Arc<Link>,
    seq: u64,
    received_us: u64,
    is_over: bool,
}

impl Pen {
    pub(super) fn new(books: Books, link: Arc<Link>, seq: u64, received_us: u64) -> Self {
        Self { books, link, seq, received_us, is_over: false }
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    /// The request's last byte has arrived.
    pub(super) fn read_body(&self) {
        self.books.edit(self.seq, |entry, now| entry.body_us = Some(now));
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Entry)) {
        self.books.edit(self.seq, |entry, _| change(entry));
    }

    /// The request is understood: whose model it is for and how much was asked.
    pub(super) fn asked(&self, model: &str, input_tokens: u64) {
        self.books.count_asked(model, input_tokens);
    }

    pub(super) fn header_sent(&self, status: u16) {
        self.books.edit(self.seq, |entry, now| {
            entry.status = Some(status);
            entry.header_sent_us = Some(now);
        });
    }

    /// An event, or a whole body, has been written.
    pub(super) fn wrote(&self, tokens: u64) {
        self.books.count_wrote(tokens);
        self.books.edit(self.seq, |entry, now| {
            entry.events += 1;
            entry.output_tokens += tokens;
            entry.first_event_us.get_or_insert(now);
            entry.last_event_us = Some(now);
        });
    }

    /// The answer is over, with its end marker or (`finished == false`) broken off by us.
    pub(super) fn over(&mut self, finished: bool) {
        self.is_over = true;
        self.books.edit(self.seq, |entry, now| {
            entry.finished = finished;
            entry.ended_us = Some(now);
        });
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (received_us, is_ours) = (self.received_us, self.link.is_left());
        self.books.edit(self.seq, |entry, now| {
            entry.caller_gone = (!is_ours).then_some(now.saturating_sub(received_us) / 1_000);
            entry.ended_us = Some(now);
        });
    }
}
