//! A body that is small on the wire and large once it is unpacked.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

const MIB: usize = 1 << 20;

/// `answer` behind `mib` MiB of line ends, packed. Line ends mean nothing in JSON and in SSE.
pub(super) fn packed(mib: usize, answer: &[u8]) -> Bytes {
    // Writing to memory does not fail.
    pack(mib, answer).unwrap_or_default()
}

fn pack(mib: usize, answer: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let filling = vec![b'\n'; MIB];
    for _ in 0..mib {
        encoder.write_all(&filling)?;
    }
    encoder.write_all(answer)?;
    Ok(encoder.finish()?.into())
}
