//! The name of whoever asks, as OpenAI's API takes it.

use crate::hub::field::{Field, Lost};
use crate::hub::request::Request;
use crate::hub::text::Str;

/// So many characters it may have at most.
const LONGEST: usize = 64;

/// The user's name. A longer one than the API takes is left out: it does nothing for the answer.
pub(super) fn user<'r, 'a>(request: &'r Request<'a>, lost: &mut Lost) -> Option<&'r Str<'a>> {
    let user = request.user.as_ref()?;
    let is_long = user.raw().len() > LONGEST && user.plain().chars().count() > LONGEST;
    lost.add_if(is_long, Field::User);
    (!is_long).then_some(user)
}
