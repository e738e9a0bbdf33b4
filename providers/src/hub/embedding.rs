//! Texts as vectors: what is asked, and what comes back.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use policy::usage::Usage;

use super::request::Other;
use super::source::{ReadError, Result};
use super::text::{Json, Str};

/// A request for vectors, one for each input.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EmbedRequest<'a> {
    pub(crate) inputs: Vec<Input<'a>>,
    /// How many numbers a vector is to have; `None`: as many as the model gives by itself.
    pub(crate) dimensions: Option<u64>,
    /// Who the application's own user is.
    pub(crate) user: Option<Str<'a>>,
    /// Fields that have no place above, null ones left out.
    pub(crate) others: Vec<Other<'a>>,
}

/// What becomes a vector.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input<'a> {
    Text(Str<'a>),
    /// The numbers of a model's own tokens, an array.
    Tokens(Json<'a>),
}

/// The vectors, in the order of the inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Embedded<'a> {
    /// The model, as the vendor calls it.
    pub(crate) model: Option<Str<'a>>,
    pub(crate) vectors: Vec<Vector<'a>>,
    /// What it used; `None`: the vendor does not say.
    pub(crate) usage: Option<Usage>,
}

/// A vector, as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Vector<'a> {
    /// An array of numbers.
    Numbers(Json<'a>),
    /// Floats of 32 bits, the lowest byte first, in base64.
    Base64(Str<'a>),
}

impl Vector<'_> {
    /// The array of its numbers.
    pub(crate) fn numbers(&self) -> Result<Json<'_>> {
        match self {
            Self::Numbers(numbers) => Ok(Json::read(numbers.raw())),
            Self::Base64(text) => unpacked(&text.plain()).ok_or_else(|| ReadError::wrong("base64 of 32-bit floats")),
        }
    }

    /// Its base64.
    pub(crate) fn base64(&self) -> Result<Str<'_>> {
        match self {
            Self::Numbers(numbers) => packed(numbers.raw()).ok_or_else(|| ReadError::wrong("an array of numbers")),
            Self::Base64(text) => Ok(text.by_ref()),
        }
    }
}

fn unpacked(base64: &str) -> Option<Json<'static>> {
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    let (floats, rest) = bytes.as_chunks::<4>();
    let floats: Vec<f32> = floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if !rest.is_empty() || !floats.iter().all(|float| float.is_finite()) {
        return None;
    }
    Json::checked(serde_json::to_string(&floats).ok()?)
}

fn packed(numbers: &str) -> Option<Str<'static>> {
    let floats: Vec<f32> = serde_json::from_str(numbers).ok()?;
    let bytes: Vec<u8> = floats.into_iter().flat_map(f32::to_le_bytes).collect();
    Some(Str::of(&BASE64_STANDARD.encode(bytes)).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_packed_as_the_sdk_unpacks_them() {
        // Python: base64.b64encode(array.array("f", [0.5, -1.0, 1e-20]))
        let vector = Vector::Numbers(Json::read("[0.5, -1, 1e-20]"));
        let packed = vector.base64().unwrap().into_owned();
        assert_eq!(packed.raw(), "AAAAPwAAgL8I5Twe");
        assert_eq!(Vector::Base64(packed).numbers().unwrap().raw(), "[0.5,-1.0,1e-20]");
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        for text in ["AAAA", "!", "AADAfw=="] {
            assert!(Vector::Base64(Str::raw_of(text)).numbers().is_err(), "{text}");
        }
        assert!(Vector::Numbers(Json::read(r#"["x"]"#)).base64().is_err());
    }

    proptest! {
        #[test]
        fn floats_come_back_from_base64(floats in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::ZERO, 0..20)) {
            let text = serde_json::to_string(&floats).unwrap();
            let packed = Vector::Numbers(Json::read(&text)).base64().unwrap().into_owned();
            let numbers = Vector::Base64(packed).numbers().unwrap().into_owned();
            prop_assert_eq!(serde_json::from_str::<Vec<f32>>(numbers.raw()).unwrap(), floats);
        }
    }
}
