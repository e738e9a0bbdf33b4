//! Objects that cannot be read member by member, since what they are hangs on a member that may come last: a content part's `type`,
//! a turn's `role`.

use std::borrow::Cow;

use super::source::{ReadError, Result, Source};
use super::text::{Json, Str};

/// An object's members, in their order, none of them read yet. One that is null counts as absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members<'a> {
    whole: &'a str,
    list: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Members<'a> {
    pub(super) fn new(whole: &'a str, list: Vec<(Cow<'a, str>, &'a str)>) -> Self {
        Self { whole, list }
    }

    /// The object as it stands.
    pub(crate) const fn whole(&self) -> Json<'a> {
        Json::read(self.whole)
    }

    /// The text of the object.
    pub(crate) const fn text_of_whole(&self) -> &'a str {
        self.whole
    }

    /// A member as it stands. Of several of the same name the last one counts.
    pub(crate) fn json(&self, name: &str) -> Option<Json<'a>> {
        self.raw(name).map(Json::read)
    }

    /// Reads a member.
    pub(crate) fn read<T>(&self, name: &str, read: impl FnOnce(&mut Source<'a>) -> Result<T>) -> Result<Option<T>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        read(&mut Source::of(raw)).map(Some).map_err(|error| error.under(name))
    }

    /// A member that is a string.
    pub(crate) fn text(&self, name: &str) -> Result<Option<Str<'a>>> {
        self.read(name, Source::text)
    }

    /// A string that must be there.
    pub(crate) fn needed_text(&self, name: &str) -> Result<Str<'a>> {
        self.text(name)?.ok_or_else(|| ReadError::wrong("a string").under(name))
    }

    /// The members that are not null, with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Cow<'a, str>, Json<'a>)> {
        self.list.iter().filter(|(_, raw)| *raw != "null").map(|(name, raw)| (name, Json::read(raw)))
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        let member = self.list.iter().rev().find(|(own, _)| own == name);
        member.map(|(_, raw)| *raw).filter(|raw| *raw != "null")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_in_any_order_and_null_is_absent() {
        let text = r#"{"text":"a\n", "n":null,"type":7 ,"list":[1, 2]}"#;
        let members = Source::of(text).unread_members().unwrap();
        assert_eq!(members.whole().raw(), text);
        assert_eq!(members.text("text").unwrap().unwrap().raw(), r"a\n");
        assert_eq!((members.text("n").unwrap(), members.text("none").unwrap()), (None, None));
        assert_eq!(members.json("list").unwrap().raw(), "[1, 2]");
        assert_eq!(members.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["text", "type", "list"]);
        assert_eq!(members.text("type").unwrap_err().to_string(), "`type` must be a string");
        assert_eq!(members.needed_text("n").unwrap_err().to_string(), "`n` must be a string");
        assert_eq!(Source::of("[]").unread_members().unwrap_err().to_string(), "`` must be an object");
    }
}
