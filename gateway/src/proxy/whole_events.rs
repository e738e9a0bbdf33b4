//! Passes on whole events of a stream only, so that one that breaks off never leaves half an event in front of the error that ends
//! it: SDKs would choke on that half and not see the error.

use bytes::Bytes;
use memchr::memmem;

use super::resume::join;

/// An event that is longer than this is passed on as it comes.
const LONGEST_HELD: usize = 16 * 1024;

/// What came of an event that is not whole yet.
#[derive(Debug, Default)]
pub(crate) struct WholeEvents {
    begun: Bytes,
    /// The event is too long to be held.
    is_long: bool,
}

impl WholeEvents {
    /// Takes the stream's next piece and gives what is whole; not copied unless an event is cut up.
    pub(super) fn pass(&mut self, piece: Bytes) -> Bytes {
        let data = join(std::mem::take(&mut self.begun), piece);
        match border(&data) {
            Some(at) => {
                self.is_long = false;
                self.begun = data.slice(at..);
                data.slice(..at)
            }
            None if self.is_long || data.len() > LONGEST_HELD => {
                self.is_long = true;
                data
            }
            None => {
                self.begun = data;
                Bytes::new()
            }
        }
    }

    /// The rest of a stream that has ended.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.begun)
    }
}

/// Where the last whole event ends.
fn border(data: &[u8]) -> Option<usize> {
    if data.ends_with(b"\n\n") {
        return Some(data.len());
    }
    let of_lf = memmem::rfind(data, b"\n\n").map(|at| at + 2);
    let of_crlf = memmem::rfind(data, b"\n\r\n").map(|at| at + 3);
    of_lf.max(of_crlf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(stream: &'static str, size: usize) -> Vec<Bytes> {
        let mut events = WholeEvents::default();
        stream.as_bytes().chunks(size).map(|piece| events.pass(Bytes::from_static(piece))).collect()
    }

    #[test]
    fn events_pass_when_they_are_whole_however_they_are_cut() {
        for stream in ["data: one\n\ndata: two\n\n", "data: one\r\n\r\nevent: x\r\ndata: two\r\n\r\n"] {
            for size in 1..stream.len() + 1 {
                let passed = passed(stream, size);
                assert_eq!(passed.concat(), stream.as_bytes());
                let whole = |piece: &Bytes| piece.is_empty() || piece.ends_with(b"\n\n") || piece.ends_with(b"\n\r\n");
                assert!(passed.iter().all(whole), "{size}: {passed:?}");
            }
        }
    }

    #[test]
    fn what_never_became_whole_is_left() {
        let mut events = WholeEvents::default();
        assert_eq!(events.pass(Bytes::from_static(b"data: one\n\ndata: {\"tw")), "data: one\n\n");
        assert_eq!(events.rest(), "data: {\"tw");
        assert_eq!(events.rest(), "");
    }

    #[test]
    fn a_long_event_is_passed_on_as_it_comes() {
        let mut events = WholeEvents::default();
        let piece = Bytes::from(vec![b'x'; 10_000]);
        let lengths: Vec<_> = (0..4).map(|_| events.pass(piece.clone()).len()).collect();
        assert_eq!(lengths, [0, 20_000, 10_000, 10_000]);
        assert_eq!(events.pass(Bytes::from_static(b"\n\ndata: b")), "\n\n");
    }
}
