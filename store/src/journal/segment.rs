//! One file of the journal, while it is appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::record;
use crate::{StoreError, folder};

/// A file that records are appended to, each batch with one `write(2)`.
#[derive(Debug)]
pub(crate) struct Segment {
    number: u64,
    file: Arc<File>,
    /// How long it is, up to the end of the last record.
    bytes: u64,
    end: Option<End>,
}

/// Why nothing more is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A part of a record was written, and could not be taken off again.
    Torn,
    /// The journal was closed.
    Closed,
}

impl Segment {
    /// Begins one.
    pub(crate) fn create(folder: &Path, number: u64) -> Result<Self, StoreError> {
        let path = folder::segment(folder, number);
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = file.map_err(StoreError::file("made", &path))?;
        Ok(Self::new(file, number))
    }

    fn new(file: File, number: u64) -> Self {
        Self { number, file: Arc::new(file), bytes: 0, end: None }
    }

    /// Appends whole records, all or none.
    pub(crate) fn append(&mut self, records: &mut [u8]) -> io::Result<()> {
        match self.end {
            None => record::stamp(records, self.number),
            Some(End::Torn) => {
                return Err(io::Error::other("a file of the journal is damaged, and the next is not begun yet"));
            }
            Some(End::Closed) => return Err(io::Error::other("the journal is closed")),
        }
        let error = match (&*self.file).write(records) {
            Ok(written) if written == records.len() => {
                self.bytes += written as u64;
                return Ok(());
            }
            Ok(_) => io::ErrorKind::WriteZero.into(),
            Err(error) => error,
        };
        // A part of it may be there, and whoever reads the file would take that for the end of it.
        if self.file.set_len(self.bytes).is_err() {
            self.end = Some(End::Torn);
        }
        Err(error)
    }

    /// Lets nothing more be appended.
    pub(crate) fn close(&mut self) {
        self.end = Some(End::Closed);
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Appends to something else from here on.
    #[cfg(test)]
    pub(crate) fn set_file(&mut self, file: File) {
        self.file = Arc::new(file);
    }

    /// Whether another one must be begun before anything can be appended.
    pub(crate) fn is_torn(&self) -> bool {
        self.end == Some(End::Torn)
    }
}

#[cfg(test)]
mod tests;
