//! What a file of the journal tells, read back.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use super::record::Records;
use crate::{StoreError, folder};

/// The contents of a segment.
#[derive(Debug)]
pub(crate) struct Told {
    number: u64,
    bytes: Vec<u8>,
}

impl Told {
    /// Reads a segment, and no more of it than so many bytes. `None`: it is not there.
    pub(crate) fn read(folder: &Path, number: u64, most: u64) -> Result<Option<Self>, StoreError> {
        let path = folder::segment(folder, number);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(most).read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(Self { number, bytes })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("read", &path)(error)),
        }
    }

    #[cfg(test)]
    pub(crate) fn of(number: u64, bytes: Vec<u8>) -> Self {
        Self { number, bytes }
    }

    /// The records at its beginning.
    pub(crate) fn records(&self) -> Records<'_> {
        Records::of(&self.bytes, self.number)
    }

    /// All that is in it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Puts what follows the records into a file of its own, and says so. `None`: there is nothing.
    pub(crate) fn set_aside(&self, rest: &[u8], folder: &Path) -> Result<Option<String>, StoreError> {
        if rest.is_empty() {
            return Ok(None);
        }
        let path = folder::set_aside(folder, self.number);
        let written = File::create(&path).and_then(|mut file| file.write_all(rest).and_then(|()| file.sync_all()));
        written.map_err(StoreError::file("written", &path))?;
        let segment = folder::segment(folder, self.number);
        Ok(Some(format!(
            "{} is damaged at byte {}: what is before counts, and the {} bytes from there on are set aside as {}",
            segment.display(),
            self.bytes.len() - rest.len(),
            rest.len(),
            path.display()
        )))
    }
}
