//! Anthropic's Messages, read into the neutral form and written from it.

use crate::hub::answer::Answer;
use crate::hub::delta::Delta;
use crate::hub::field::{Field, Lost};
use crate::hub::request::Request;
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result};
use crate::translate::{Context, Target};

/// How it calls what a request may ask.
pub(crate) fn name(_field: Field) -> &'static str {
    ""
}

pub(crate) fn read_request(_body: &[u8]) -> Result<Request<'_>> {
    Err(ReadError::wrong("of a format that can be translated"))
}

pub(crate) fn write_request(_request: &Request<'_>, _target: &Target<'_>, _lost: &mut Lost) -> Result<Vec<u8>> {
    Err(ReadError::wrong("of a format that can be translated"))
}

pub(crate) fn read_answer(_body: &[u8]) -> Result<Answer<'_>> {
    Err(ReadError::wrong("of a format that can be translated"))
}

pub(crate) fn write_answer(_answer: &Answer<'_>, _context: &Context) -> Vec<u8> {
    Vec::new()
}

#[derive(Debug, Default)]
pub(crate) struct StreamReader {}

impl StreamReader {
    pub(crate) fn event(&mut self, _data: &str, _each: &mut dyn FnMut(Delta<'_>)) -> Result<()> {
        Ok(())
    }

    pub(crate) fn finish(&mut self, _each: &mut dyn FnMut(Delta<'_>)) {}
}

#[derive(Debug)]
pub(crate) struct StreamWriter {
    _context: Context,
}

impl StreamWriter {
    pub(crate) const fn new(context: Context) -> Self {
        Self { _context: context }
    }

    pub(crate) fn delta(&mut self, _delta: &Delta<'_>, _sink: &mut Sink) {}
}
