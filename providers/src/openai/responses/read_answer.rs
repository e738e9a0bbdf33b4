//! A whole answer of the Responses API, read.
use crate::hub::answer::Answer;
use crate::hub::source::{ReadError, Result};
pub(crate) fn read_answer(_body: &[u8]) -> Result<Answer<'_>> {
    Err(ReadError::wrong("of a format that can be translated"))
}
