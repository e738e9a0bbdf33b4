//! A stream of the Responses API, read.
use crate::hub::delta::Delta;
use crate::hub::source::Result;
#[derive(Debug, Default)]
pub(crate) struct StreamReader {}
impl StreamReader {
    pub(crate) fn event(&mut self, _data: &str, _each: &mut dyn FnMut(Delta<'_>)) -> Result<()> {
        Ok(())
    }
    pub(crate) fn finish(&mut self, _each: &mut dyn FnMut(Delta<'_>)) {}
}
