//! What a tool's failure looks like where there is no field for it.

use crate::hub::text::Str;

const MARK: &str = "Error: ";

/// What a tool gave back, with the word that it failed where it did.
pub(super) fn marked<'a>(text: &'a Str<'_>, is_error: bool) -> Str<'a> {
    let is_marked = text.raw().get(..6).is_some_and(|start| start.eq_ignore_ascii_case(MARK.trim_ascii_end()));
    if !is_error || is_marked {
        return text.by_ref();
    }
    if text.is_empty() { Str::raw_of(MARK.trim_ascii_end()) } else { Str::joined(&[MARK, text.raw()]) }
}
