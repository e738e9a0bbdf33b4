//! What a request carries, as expressions see it: made when the first rule asks for it, and once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use cel::common::types::{CelList, CelMap, CelMapKey, CelString};
use cel::common::value::Val;

use super::value::{Document, Entries, Unread};
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
    fields: OnceCell<Option<HashMap<Cow<'a, str>, Unread<'a>>>>,
    document: OnceCell<Option<Box<dyn Val + 'a>>>,
}

/// What cannot be read: too large, too deep, or no JSON object.
pub(super) struct Unreadable;

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
            fields: OnceCell::new(),
            document: OnceCell::new(),
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

    /// One field of the body; `None` where it is not there. An empty body has no fields.
    pub(super) fn field(&self, name: &str) -> Result<Option<&(dyn Val + 'a)>, Unreadable> {
        let fields = self.fields.get_or_init(|| match self.body {
            [] => Some(HashMap::new()),
            body if body.len() > MOST_BODY_BYTES => None,
            body => Unread::fields_of(body),
        });
        match fields.as_ref().ok_or(Unreadable)?.get(name) {
            Some(field) => field.value().map(Some).ok_or(Unreadable),
            None => Ok(None),
        }
    }

    /// The whole body.
    pub(super) fn body(&self) -> Result<&(dyn Val + 'a), Unreadable> {
        let document = self.document.get_or_init(|| match self.body {
            [] => Some(Box::new(CelMap::default())),
            body if body.len() > MOST_BODY_BYTES => None,
            body => Document::of(body),
        });
        document.as_deref().ok_or(Unreadable)
    }
}

/// Whether a value is short enough for loops: no list and no object in it has too many items.
pub(super) fn is_short(value: &dyn Val) -> bool {
    longest(value) <= MOST_ITEMS
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
