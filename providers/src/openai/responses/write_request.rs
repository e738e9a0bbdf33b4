//! A request of the Responses API, written.
use crate::hub::field::Lost;
use crate::hub::request::Request;
use crate::hub::source::{ReadError, Result};
use crate::translate::Target;
pub(crate) fn write_request(_request: &Request<'_>, _target: &Target<'_>, _lost: &mut Lost) -> Result<Vec<u8>> {
    Err(ReadError::wrong("of a format that can be translated"))
}
