//! What a file of the journal tells, read back.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use super::record::{Record, Records};
use crate::{StoreError, folder};

/// What a file tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The records at its beginning.
    pub(crate) records: Vec<Record>,
    /// How long these are.
    pub(crate) bytes: u64,
    /// What follows them, and is none.
    pub(crate) rest: Vec<u8>,
}

impl Told {
    /// Reads a segment, and no more of it than so many bytes. `None`: it is not there.
    pub(crate) fn read(folder: &Path, number: u64, most: u64) -> Result<Option<Self>, StoreError> {
        let path = folder::segment(folder, number);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(most).read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(Self::of(&bytes, number))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("read", &path)(error)),
        }
    }

    fn of(bytes: &[u8], number: u64) -> Self {
        let mut reader = Records::of(bytes, number);
        let records = reader.by_ref().collect();
        let rest = reader.rest().to_vec();
        Self { records, bytes: (bytes.len() - rest.len()) as u64, rest }
    }

    /// Puts what is no record into a file of its own, and says so. `None`: there is no such thing.
    pub(crate) fn set_aside(&self, folder: &Path, number: u64) -> Result<Option<String>, StoreError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let path = folder::set_aside(folder, number);
        let written =
            File::create(&path).and_then(|mut file| file.write_all(&self.rest).and_then(|()| file.sync_all()));
        written.map_err(StoreError::file("written", &path))?;
        let (segment, length, records) = (folder::segment(folder, number), self.rest.len(), self.records.len());
        Ok(Some(format!(
            "{} is damaged at byte {}: the {records} records before it count, the {length} bytes from there on are set aside as {}",
            segment.display(),
            self.bytes,
            path.display()
        )))
    }
}
