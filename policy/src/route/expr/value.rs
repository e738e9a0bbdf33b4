//! What a request carries, as expressions see it: made when the first rule asks for it, and once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::Val;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::request::{Fields, Request};

/// The largest body that rules are shown.
const MOST_BODY_BYTES: usize = 1024 * 1024;

/// The longest list or object that rules with loops are shown.
const MOST_ITEMS: usize = 1_000;

/// The part of a request that only some rules look at. Kept for all that is asked about one request.
pub struct Content<'a> {
    headers: &'a dyn Fields,
    query: &'a str,
    body: &'a [u8],
    header_map: OnceCell<CelMap<'a>>,
    params: OnceCell<CelMap<'a>>,
    document: OnceCell<Option<Box<dyn Val + 'a>>>,
    longest: OnceCell<usize>,
}

impl<'a> Content<'a> {
    /// That of a request. Nothing is read yet.
    #[must_use]
    pub fn of(request: &Request<'a>) -> Self {
        Self {
            headers: request.headers,
            query: request.query,
            body: request.body,
            header_map: OnceCell::new(),
            params: OnceCell::new(),
            document: OnceCell::new(),
            longest: OnceCell::new(),
        }
    }

    pub(super) fn headers(&self) -> &CelMap<'a> {
        self.header_map.get_or_init(|| {
            let mut map = HashMap::new();
            self.headers.each(&mut |name, value| put(&mut map, name.into(), value.to_owned().into()));
            map.into()
        })
    }

    pub(super) fn params(&self) -> &CelMap<'a> {
        self.params.get_or_init(|| {
            let mut map = HashMap::new();
            for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                put(&mut map, decoded(name), decoded(value));
            }
            map.into()
        })
    }

    /// `None` where it is too large, too deep, or no JSON. An empty body has no fields.
    pub(super) fn body(&self) -> Option<&(dyn Val + 'a)> {
        let document = self.document.get_or_init(|| match self.body {
            [] => Some(Box::new(CelMap::default())),
            body if body.len() > MOST_BODY_BYTES => None,
            body => serde_json::from_slice::<Document<'a>>(body).ok().map(|document| document.0),
        });
        document.as_deref()
    }

    /// Whether the body is short enough for loops: no list and no object in it has too many items.
    pub(super) fn is_short(&self) -> bool {
        let longest = self.longest.get_or_init(|| self.body().map_or(0, longest));
        *longest <= MOST_ITEMS
    }
}

/// How many items the longest list or object in a value has.
fn longest(value: &dyn Val) -> usize {
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        let inner = list.inner().iter().map(|item| longest(&**item)).max();
        list.inner().len().max(inner.unwrap_or(0))
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        map.len().max(map.values().map(|value| longest(&**value)).max().unwrap_or(0))
    } else {
        0
    }
}

/// Headers and bodies may hold secrets.
impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

type Entries<'a> = HashMap<CelMapKey<'a>, Box<dyn Val + 'a>>;

/// Puts a name, in lower case, into a map; of several values the first stays.
fn put<'a>(map: &mut Entries<'a>, name: Cow<'_, str>, value: Cow<'a, str>) {
    let key = CelMapKey::from(name.to_lowercase());
    map.entry(key).or_insert_with(|| Box::new(CelString::from(value)));
}

/// A part of a query string without its escapes. What is no escape stays as it is.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return text.into();
    }
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let value = || u8::try_from(hex(after.first())? * 16 + hex(after.get(1))?).ok();
        match (first, (*first == b'%').then(value).flatten()) {
            (_, Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', None) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// A JSON value as expressions see it. Texts without escapes are not copied. The reader itself bounds its depth.
struct Document<'a>(Box<dyn Val + 'a>);

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
