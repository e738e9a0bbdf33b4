//! How a sealed value is written, and how sealed values are found in a JSON document.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What every sealed value begins with.
pub(crate) const PREFIX: &str = "sealed:v1:";

/// Which key a value was sealed with. It is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyName(pub(crate) [u8; 4]);

/// A sealed value, taken apart: `sealed:v1:<key>:<field>:<nonce and ciphertext>`, the parts in URL-safe base64.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) key: KeyName,
    pub(crate) field: String,
    pub(crate) bytes: Vec<u8>,
}

impl Sealed {
    pub(crate) fn write(key: KeyName, field: &str, bytes: &[u8]) -> String {
        let [key, field, bytes] = [&key.0, field.as_bytes(), bytes].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{PREFIX}{key}:{field}:{bytes}")
    }

    /// `None`: the text is no sealed value.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.split(':').map(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let (key, field, bytes) = (parts.next()??, parts.next()??, parts.next()??);
        let field = String::from_utf8(field).ok()?;
        parts.next().is_none().then_some(Self { key: KeyName(key.try_into().ok()?), field, bytes })
    }
}

/// Gives each sealed value of a document to `replace`, and puts what it gives in its place. `None`: nothing was replaced.
///
/// A value is found where a JSON string begins: written by a serializer, it is nothing but itself between two quotes.
pub(crate) fn replace_all<E>(
    document: &str,
    mut replace: impl FnMut(&Sealed) -> Result<Option<String>, E>,
) -> Result<Option<String>, E> {
    let mut written = String::new();
    let mut rest = document;
    while let Some((before, text, after)) = next(rest) {
        written.push_str(before);
        let replaced = match Sealed::read(text) {
            Some(sealed) => replace(&sealed)?,
            None => None,
        };
        written.push_str(replaced.as_deref().unwrap_or(text));
        rest = after;
    }
    written.push_str(rest);
    Ok((written != document).then_some(written))
}

/// The next string that begins like a sealed value, and what is before and after it.
fn next(document: &str) -> Option<(&str, &str, &str)> {
    const MARK: &str = "\"sealed:v1:";
    let finder = memchr::memmem::find_iter(document.as_bytes(), MARK.as_bytes());
    finder.into_iter().find_map(|quote| {
        let (before, text) = document.split_at_checked(quote + 1)?;
        // A quote with a backslash before it is inside a string.
        if before.strip_suffix('"').is_some_and(|before| before.ends_with('\\')) {
            return None;
        }
        let (text, after) = text.split_at_checked(text.find('"')?)?;
        Some((before, text, after))
    })
}
