//! Reading a document of some wire format into the neutral form: one pass, each value taken for what it must be, and an error that
//! names the place of what is something else.

use std::fmt;

use thiserror::Error;

use super::members::Members;
use super::text::{Json, Str};
use crate::count;
use crate::json::{JsonError, Kind, Reader};

/// A document that is not what its wire format says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It is no JSON text in UTF-8.
    #[error("not valid JSON: {message} at byte {offset}")]
    NotJson {
        /// Where, in bytes from the start.
        offset: usize,
        /// What is wrong there.
        message: &'static str,
    },
    /// A value is none that is expected in its place.
    #[error("`{place}` must be {expected}")]
    Wrong {
        /// Where, as `messages[2].content`.
        place: Place,
        /// What it must be.
        expected: &'static str,
    },
}

impl From<JsonError> for ReadError {
    fn from(error: JsonError) -> Self {
        Self::NotJson { offset: error.offset, message: error.message }
    }
}

/// The way to a value in a document, put together from its end while an error goes up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) type Result<T> = std::result::Result<T, ReadError>;

impl ReadError {
    /// The value that is read is none that is expected.
    pub(crate) fn wrong(expected: &'static str) -> Self {
        Self::Wrong { place: Place::default(), expected }
    }

    /// The same, of a member of this name.
    pub(crate) fn under(self, name: &str) -> Self {
        self.within(|rest| match rest.chars().next() {
            None | Some('[') => format!("{name}{rest}"),
            Some(_) => format!("{name}.{rest}"),
        })
    }

    fn at(self, index: usize) -> Self {
        self.within(|rest| match rest.chars().next() {
            None | Some('[') => format!("[{index}]{rest}"),
            Some(_) => format!("[{index}].{rest}"),
        })
    }

    fn within(self, place: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Wrong { place: Place(rest), expected } => Self::Wrong { place: Place(place(&rest)), expected },
            other @ Self::NotJson { .. } => other,
        }
    }
}

/// A document that is read.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    text: &'a str,
    reader: Reader<'a>,
}

impl<'a> Source<'a> {
    /// A document that came as bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| JsonError { offset: error.valid_up_to(), message: "invalid UTF-8" })?;
        Ok(Self::of(text))
    }

    /// A document, or a value that was kept as it stands.
    pub(crate) const fn of(text: &'a str) -> Self {
        Self { text, reader: Reader::new(text.as_bytes()) }
    }

    /// Reads a whole document by this; nothing may follow.
    pub(crate) fn whole<T>(mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let value = read(&mut self)?;
        self.reader.finish()?;
        Ok(value)
    }

    /// The kind of the next value.
    pub(crate) fn kind(&mut self) -> Result<Kind> {
        Ok(self.reader.kind()?)
    }

    /// Skips the value that is next where it is null.
    pub(crate) fn is_null(&mut self) -> Result<bool> {
        let is_null = self.kind()? == Kind::Null;
        if is_null {
            self.reader.skip()?;
        }
        Ok(is_null)
    }

    /// Walks through the object that is next; `each` gets a member's name and reads or skips its value.
    pub(crate) fn members(&mut self, mut each: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        if self.kind()? != Kind::Object {
            return self.wrong("an object");
        }
        let mut walk = self.reader.object()?;
        while let Some(key) = self.reader.next_key(&mut walk)? {
            let name = key.name();
            each(self, &name).map_err(|error| error.under(&name))?;
        }
        Ok(())
    }

    /// The members of the object that is next, none of them read yet.
    pub(crate) fn unread_members(&mut self) -> Result<Members<'a>> {
        if self.kind()? != Kind::Object {
            return self.wrong("an object");
        }
        let start = self.reader.at();
        let mut list = Vec::with_capacity(8);
        let mut walk = self.reader.object()?;
        while let Some(key) = self.reader.next_key(&mut walk)? {
            list.push((key.name(), self.raw()?));
        }
        Ok(Members::new(self.text.get(start..self.reader.at()).unwrap_or_default(), list))
    }

    /// Walks through the array that is next; `each` reads or skips an element.
    pub(crate) fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.kind()? != Kind::Array {
            return self.wrong("an array");
        }
        let mut walk = self.reader.array()?;
        while self.reader.next_element(&mut walk)? {
            each(self).map_err(|error| error.at(walk.count.saturating_sub(1)))?;
        }
        Ok(())
    }

    /// The string that a member of the object that is next has, without reading on: by it is known how the others are to be
    /// read. `None`: what is next is no object, or has no such string.
    pub(crate) fn ahead(&mut self, member: &str) -> Result<Option<Str<'a>>> {
        Ok(self.ahead_of(&[member])?.map(|(_, text)| text))
    }

    /// The same of whichever of several members comes first, and its name.
    pub(crate) fn ahead_of<'n>(&mut self, members: &[&'n str]) -> Result<Option<(&'n str, Str<'a>)>> {
        if self.kind()? != Kind::Object {
            return Ok(None);
        }
        let mut ahead = self.clone();
        let mut walk = ahead.reader.object()?;
        while let Some(key) = ahead.reader.next_key(&mut walk)? {
            let name = key.name();
            let found = members.iter().find(|member| ***member == *name);
            if let (Some(found), Kind::String) = (found, ahead.reader.kind()?) {
                return ahead.text().map(|text| Some((*found, text)));
            }
            ahead.reader.skip()?;
        }
        Ok(None)
    }

    /// Reads the value that is next by this, and gives it as it stands too.
    pub(crate) fn kept<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<(T, Json<'a>)> {
        self.kind()?;
        let start = self.reader.at();
        let value = read(self)?;
        Ok((value, Json::read(self.text.get(start..self.reader.at()).unwrap_or("null"))))
    }

    /// The elements of the array that is next, or none where it is null.
    pub(crate) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut list = Vec::new();
        if !self.is_null()? {
            self.elements(|source| {
                list.push(read(source)?);
                Ok(())
            })?;
        }
        Ok(list)
    }

    /// The string that is next.
    pub(crate) fn text(&mut self) -> Result<Str<'a>> {
        if self.kind()? != Kind::String {
            return self.wrong("a string");
        }
        let start = self.reader.at();
        self.reader.string()?;
        Ok(Str::raw_of(self.text.get(start + 1..self.reader.at().saturating_sub(1)).unwrap_or_default()))
    }

    /// The string that is next; `None` where it is null.
    pub(crate) fn text_or_null(&mut self) -> Result<Option<Str<'a>>> {
        if self.is_null()? { Ok(None) } else { self.text().map(Some) }
    }

    /// The value that is next, as it stands.
    pub(crate) fn json(&mut self) -> Result<Json<'a>> {
        self.raw().map(Json::read)
    }

    /// The text of the value that is next, to be read later.
    pub(crate) fn raw(&mut self) -> Result<&'a str> {
        let span = self.reader.skip()?;
        Ok(self.text.get(span.start..span.end).unwrap_or("null"))
    }

    /// The value that is next, as it stands; `None` where it is null.
    pub(crate) fn json_or_null(&mut self) -> Result<Option<Json<'a>>> {
        if self.is_null()? { Ok(None) } else { self.json().map(Some) }
    }

    /// The number that is next, as it stands; `None` where it is null.
    pub(crate) fn number(&mut self) -> Result<Option<Json<'a>>> {
        match self.kind()? {
            Kind::Null => self.skip().map(|()| None),
            Kind::Number => self.json().map(Some),
            _ => self.wrong("a number"),
        }
    }

    /// The whole number that is next, not negative; `None` where it is null.
    pub(crate) fn count(&mut self) -> Result<Option<u64>> {
        const EXPECTED: &str = "a whole number, not negative";
        match self.number() {
            Ok(None) => Ok(None),
            Ok(Some(number)) => match count::read(number.raw().as_bytes()) {
                Some(count) => Ok(Some(count)),
                None => Err(ReadError::wrong(EXPECTED)),
            },
            Err(ReadError::Wrong { .. }) => Err(ReadError::wrong(EXPECTED)),
            Err(error) => Err(error),
        }
    }

    /// `true` or `false`; `None` where it is null.
    pub(crate) fn flag(&mut self) -> Result<Option<bool>> {
        let kind = self.kind()?;
        let flag = match kind {
            Kind::Null => None,
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => return self.wrong("true or false"),
        };
        self.skip()?;
        Ok(flag)
    }

    /// Skips the value that is next.
    pub(crate) fn skip(&mut self) -> Result<()> {
        self.reader.skip()?;
        Ok(())
    }

    /// Refuses the value that is next. That it is no JSON at all would be said first.
    pub(crate) fn wrong<T>(&mut self, expected: &'static str) -> Result<T> {
        self.skip()?;
        Err(ReadError::wrong(expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let read = |source: &mut Source<'_>| {
            source.members(|source, name| match name {
                "list" => source.elements(|source| {
                    source.members(|source, name| match name {
                        "text" => source.text().map(|_| ()),
                        "rows" => source.elements(|source| source.elements(|source| source.flag().map(|_| ()))),
                        _ => source.count().map(|_| ()),
                    })
                }),
                _ => source.skip(),
            })
        };
        Source::new(text.as_bytes()).and_then(|source| source.whole(read)).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_place() {
        for (text, message) in [
            ("[]", "`` must be an object"),
            (r#"{"list":7}"#, "`list` must be an array"),
            (r#"{"list":[{},{"text":7}]}"#, "`list[1].text` must be a string"),
            (r#"{"list":[{"rows":[[true],[null,"x"]]}]}"#, "`list[0].rows[1][1]` must be true or false"),
            (r#"{"list":[{"n":-1}]}"#, "`list[0].n` must be a whole number, not negative"),
            (r#"{"list":[{"n":"1"}]}"#, "`list[0].n` must be a whole number, not negative"),
            (r#"{"list":["#, "not valid JSON: the text ends within an object or array at byte 9"),
            (r#"{} x"#, "not valid JSON: there is more after the end of the value at byte 3"),
        ] {
            assert_eq!(fault(text), message, "{text}");
        }
    }

    #[test]
    fn a_member_is_found_ahead_of_the_others() {
        for (text, found) in [
            (r#"{"text":"x","type":"a"}"#, Some("a")),
            (r#"{"type":7,"in":{"type":"b"},"type":"c"}"#, Some("c")),
            (r#"{"in":{"type":"b"}}"#, None),
            (r#"["type"]"#, None),
        ] {
            let mut source = Source::of(text);
            assert_eq!(source.ahead("type").unwrap().map(|kind| kind.raw().to_owned()).as_deref(), found, "{text}");
            assert_eq!(source.json().unwrap().raw(), text);
        }
    }

    #[test]
    fn a_value_is_read_and_kept() {
        let mut source = Source::of(r#"  {"n": 7} "#);
        let mut found = None;
        let read = |source: &mut Source<'_>| {
            source.members(|source, _| {
                found = source.count()?;
                Ok(())
            })
        };
        let ((), kept) = source.kept(read).unwrap();
        assert_eq!((found, kept.raw()), (Some(7), r#"{"n": 7}"#));
    }

    #[test]
    fn strings_and_values_are_borrowed_as_they_stand() {
        let mut source = Source::of(r#" [ "a\nb\u00e9" , {"x": [1]} , null ]"#);
        let mut found = Vec::new();
        source
            .elements(|source| {
                match source.kind()? {
                    Kind::String => found.push(source.text()?.raw().to_owned()),
                    Kind::Null => assert!(source.json_or_null()?.is_none()),
                    _ => found.push(source.json()?.raw().to_owned()),
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(found, [r"a\nb\u00e9", r#"{"x": [1]}"#]);
    }
}
