//! Google's JSON: names in camel case however they stand in the document, and one element where a list of one is meant.

use std::borrow::Cow;

use crate::draft::camel_case;
use crate::hub::request::Other;
use crate::hub::source::{Result, Source};
use crate::json::Kind;

/// Walks through the object that is next; `each` gets a member's name in camel case, and reads or skips its value.
pub(super) fn members<'a>(
    source: &mut Source<'a>,
    mut each: impl FnMut(&mut Source<'a>, &str) -> Result<()>,
) -> Result<()> {
    source.members(|source, name| match name.contains('_') {
        true => each(source, &camel_case(name)),
        false => each(source, name),
    })
}

/// The same of an object that may be null.
pub(super) fn members_if_any<'a>(
    source: &mut Source<'a>,
    each: impl FnMut(&mut Source<'a>, &str) -> Result<()>,
) -> Result<()> {
    if source.is_null()? { Ok(()) } else { members(source, each) }
}

/// A list, its one element by itself, or null.
pub(super) fn one_or_many<'a>(
    source: &mut Source<'a>,
    mut each: impl FnMut(&mut Source<'a>) -> Result<()>,
) -> Result<()> {
    match source.kind()? {
        Kind::Null => source.skip(),
        Kind::Array => source.elements(each),
        _ => each(source),
    }
}

/// A word of one of Google's enums, which are in capitals; the SDK takes them in any case. Null is no word.
pub(super) fn word(source: &mut Source<'_>) -> Result<Option<String>> {
    Ok(source.text_or_null()?.map(|word| word.plain().to_ascii_uppercase()))
}

/// Keeps a field that has no place in the neutral form; what is null, false or empty asks nothing.
pub(super) fn other<'a>(others: &mut Vec<Other<'a>>, source: &mut Source<'a>, place: &str, name: &str) -> Result<()> {
    let value = source.json()?;
    if !matches!(value.raw(), "null" | "false" | "[]" | "{}" | "\"\"") {
        others.push(Other { name: Cow::Owned(format!("{place}{name}")), value });
    }
    Ok(())
}
