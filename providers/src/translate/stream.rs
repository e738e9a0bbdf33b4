//! A vendor's stream as the client's, event by event; nothing waits but an event that has not come whole.

use bytes::Bytes;

use super::Context;
use super::wire::{StreamReader, StreamWriter};
use crate::hub::Wire;
use crate::hub::delta::Delta;
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result};
use crate::json::JsonError;
use crate::sse::{Decoder, Event, Item};

/// An event that is longer breaks the stream.
const MAX_EVENT_BYTES: usize = 32 * 1024 * 1024;

/// A streamed answer on its way from the vendor's wire format to the client's.
#[derive(Debug)]
pub struct Stream {
    decoder: Decoder,
    ends: Ends,
}

#[derive(Debug)]
struct Ends {
    /// `None`: nothing is streamed.
    ways: Option<(StreamReader, StreamWriter)>,
    sink: Sink,
    /// An event that comes in pieces.
    long: Vec<u8>,
    has_ended: bool,
    fault: Option<ReadError>,
}

impl Stream {
    pub(super) fn new(client: Wire, vendor: Wire, context: Context) -> Self {
        let reader = StreamReader::new(vendor);
        Self::of(reader.map(|reader| (reader, StreamWriter::new(client, context))))
    }

    /// One that gives nothing.
    pub(super) fn empty() -> Self {
        Self::of(None)
    }

    fn of(ways: Option<(StreamReader, StreamWriter)>) -> Self {
        let ends = Ends { ways, sink: Sink::default(), long: Vec::new(), has_ended: false, fault: None };
        Self { decoder: Decoder::default(), ends }
    }

    /// Takes the vendor's next bytes and gives those for the client. `end`: these are the last. Behind the stream's end, or an
    /// error in it, nothing comes any more.
    ///
    /// # Errors
    /// When an event is not what the vendor's wire format says.
    pub fn pass(&mut self, chunk: &[u8], end: bool) -> Result<Bytes> {
        let ends = &mut self.ends;
        self.decoder.push(chunk, |item| ends.item(&item));
        if end {
            self.decoder.finish(|item| ends.item(&item));
            ends.finish();
        }
        match ends.fault.clone() {
            Some(fault) => Err(fault),
            None => Ok(Bytes::from(ends.sink.take())),
        }
    }
}

impl Ends {
    fn item(&mut self, item: &Item<'_>) {
        let read = match item {
            Item::Event(Event { data: Some(data), .. }) => self.event(data),
            Item::Event(_) => Ok(()),
            Item::Piece(piece) => self.piece(piece.data, piece.is_last),
        };
        if let Err(error) = read {
            self.fault.get_or_insert(error);
        }
    }

    fn piece(&mut self, data: &[u8], is_last: bool) -> Result<()> {
        if self.long.len().saturating_add(data.len()) > MAX_EVENT_BYTES {
            return Err(ReadError::wrong("an event of 32 MiB at most"));
        }
        self.long.extend_from_slice(data);
        if !is_last {
            return Ok(());
        }
        let whole = std::mem::take(&mut self.long);
        self.event(&whole)
    }

    fn event(&mut self, data: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(data)
            .map_err(|error| JsonError { offset: error.valid_up_to(), message: "invalid UTF-8" })?;
        self.with_reader(|reader, each| reader.event(text, each))
    }

    fn finish(&mut self) {
        // Reading an end cannot fail.
        let _ = self.with_reader(|reader, each| {
            reader.finish(each);
            Ok(())
        });
    }

    fn with_reader(
        &mut self,
        read: impl FnOnce(&mut StreamReader, &mut dyn FnMut(Delta<'_>)) -> Result<()>,
    ) -> Result<()> {
        let Self { ways: Some((reader, writer)), sink, has_ended, fault, .. } = self else { return Ok(()) };
        if *has_ended || fault.is_some() {
            return Ok(());
        }
        let mut each = |delta: Delta<'_>| {
            if !*has_ended {
                writer.delta(&delta, sink);
                *has_ended = matches!(delta, Delta::End | Delta::Error(_));
            }
        };
        read(reader, &mut each)
    }
}
