//! Which module reads and writes the embeddings of each dialect.

use policy::request::Dialect;

use super::{Context, Target, Translated, Untranslatable, translated};
use crate::hub::embedding::{EmbedRequest, Embedded};
use crate::hub::field::{Field, Lost};
use crate::hub::source::Result;
use crate::{gemini, openai};

/// Embeddings that are asked for in one dialect and made in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Embeddings {
    client: Format,
    vendor: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    OpenAi,
    Gemini,
}

impl Embeddings {
    /// `None`: one of the dialects has none.
    pub(super) fn between(client: Dialect, vendor: Dialect) -> Option<Self> {
        Some(Self { client: Format::of(client)?, vendor: Format::of(vendor)? })
    }

    pub(super) fn request(self, body: &[u8], target: &Target<'_>) -> std::result::Result<Translated, Untranslatable> {
        let request = self.client.read_request(body)?;
        let mut lost = Lost::new(self.client.names());
        let body = self.vendor.write_request(&request, target, &mut lost)?;
        translated(body, lost, target)
    }

    pub(super) fn answer(self, body: &[u8], context: &Context) -> Result<Vec<u8>> {
        let answer = self.vendor.read_answer(body)?;
        self.client.write_answer(&answer, context)
    }
}

impl Format {
    const fn of(dialect: Dialect) -> Option<Self> {
        match dialect {
            Dialect::OpenAi => Some(Self::OpenAi),
            Dialect::Gemini => Some(Self::Gemini),
            Dialect::Anthropic => None,
        }
    }

    fn names(self) -> fn(Field) -> &'static str {
        match self {
            Self::OpenAi => openai::embeddings::name,
            Self::Gemini => gemini::embed::name,
        }
    }

    fn read_request(self, body: &[u8]) -> Result<EmbedRequest<'_>> {
        match self {
            Self::OpenAi => openai::embeddings::read_request(body),
            Self::Gemini => gemini::embed::read_request(body),
        }
    }

    fn write_request(self, request: &EmbedRequest<'_>, target: &Target<'_>, lost: &mut Lost) -> Result<Vec<u8>> {
        match self {
            Self::OpenAi => openai::embeddings::write_request(request, target, lost),
            Self::Gemini => gemini::embed::write_request(request, target, lost),
        }
    }

    fn read_answer(self, body: &[u8]) -> Result<Embedded<'_>> {
        match self {
            Self::OpenAi => openai::embeddings::read_answer(body),
            Self::Gemini => gemini::embed::read_answer(body),
        }
    }

    fn write_answer(self, answer: &Embedded<'_>, context: &Context) -> Result<Vec<u8>> {
        match self {
            Self::OpenAi => openai::embeddings::write_answer(answer, context),
            Self::Gemini => gemini::embed::write_answer(answer, context),
        }
    }
}
