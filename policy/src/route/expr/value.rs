//! JSON as expressions see it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::Val;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The entries of a map.
pub(super) type Entries<'a> = HashMap<CelMapKey<'a>, Box<dyn Val + 'a>>;

/// A JSON value as expressions see it. Texts without escapes are not copied. The reader itself bounds its depth.
pub(super) struct Document<'a>(Box<dyn Val + 'a>);

impl<'a> Document<'a> {
    /// `None` where the text is no JSON, or too deep.
    pub(super) fn of(text: &'a [u8]) -> Option<Box<dyn Val + 'a>> {
        serde_json::from_slice::<Self>(text).ok().map(|document| document.0)
    }
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor).map(Self)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Box<dyn Val + 'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Box::new(CelBool::from(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Box::new(CelInt::from(value)))
    }

    /// A number is an `int` wherever it is one, so that it can be added to the whole numbers of an expression.
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        match i64::try_from(value) {
            Ok(value) => Ok(Box::new(CelInt::from(value))),
            Err(_) => Ok(Box::new(CelUInt::from(value))),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Box::new(CelDouble::from(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Box::new(CelString::from(value.to_owned())))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Box::new(CelString::from(value)))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Box::new(CelNull))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Document(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Box::new(CelList::from(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut map: Entries<'de> = HashMap::new();
        while let Some(Name(name)) = fields.next_key()? {
            let Document(value) = fields.next_value()?;
            map.insert(CelMapKey::String(CelString::from(name)), value);
        }
        Ok(Box::new(CelMap::from(map)))
    }
}

/// A value that is read when it is asked for: most rules look at small fields beside large ones.
pub(super) struct Unread<'a> {
    raw: &'a RawValue,
    value: OnceCell<Option<Box<dyn Val + 'a>>>,
}

impl<'a> Unread<'a> {
    /// The fields of an object; of several of one name the last stays. `None` where the text is no object.
    pub(super) fn fields_of(text: &'a [u8]) -> Option<HashMap<Cow<'a, str>, Self>> {
        serde_json::from_slice::<BodyFields<'a>>(text).ok().map(|fields| fields.0)
    }

    /// `None` where it is too deep.
    pub(super) fn value(&self) -> Option<&(dyn Val + 'a)> {
        self.value.get_or_init(|| Document::of(self.raw.get().as_bytes())).as_deref()
    }
}

struct BodyFields<'a>(HashMap<Cow<'a, str>, Unread<'a>>);

impl<'de> Deserialize<'de> for BodyFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BodyFieldsVisitor).map(Self)
    }
}

struct BodyFieldsVisitor;

impl<'de> Visitor<'de> for BodyFieldsVisitor {
    type Value = HashMap<Cow<'de, str>, Unread<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut map = HashMap::new();
        while let Some(Name(name)) = fields.next_key()? {
            map.insert(name, Unread { raw: fields.next_value()?, value: OnceCell::new() });
        }
        Ok(map)
    }
}

/// A field's name.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor).map(Self)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(value.to_owned().into())
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(value.into())
    }
}
