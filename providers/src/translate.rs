//! Calls that are asked for in one wire format and served in another: the request on its way out, the answer on its way back. All
//! go through the neutral form (`hub`). Calls whose wire format is the same on both sides do not come here: their bytes pass.

use std::borrow::Cow;

use bytes::Bytes;
use policy::decision::{Reason, Refusal};
use policy::request::{Dialect, Operation};
use thiserror::Error;

pub use crate::hub::Wire;
use crate::hub::answer::Answer;
use crate::hub::field::{Lost, MORE};
pub use crate::hub::source::ReadError;
use crate::vendor::Quirks;
use count::Counting;
use embedding::Embeddings;
use wire::Speaks as _;

mod count;
mod embedding;
mod stream;
mod wire;

pub use stream::Stream;

/// How a call in one wire format is served in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation(Ways);

/// What the call is for decides about its wire formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ways {
    Conversation { client: Wire, vendor: Wire },
    Embeddings(Embeddings),
    Counting(Counting),
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The model, by the vendor's name for it.
    pub model: &'a str,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The output limit, in tokens, in place of what the client said.
    pub limit: Option<u64>,
    /// The output limit, in tokens, where neither says one and the wire format wants one.
    pub limit_if_none: u64,
    /// How the vendor differs from others of its wire format.
    pub quirks: Quirks,
    /// Whether what it cannot be asked is left out rather than refused.
    pub drops: bool,
}

/// A request as it goes to the vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// Its body.
    pub body: Vec<u8>,
    /// The fields of the client's request that are not in it, by their names there.
    pub dropped: Vec<Cow<'static, str>>,
}

/// A request that cannot be served in the target's wire format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Untranslatable {
    /// It is not what its own wire format says.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// It asks what the target cannot be asked.
    #[error("{}", inexpressible(.fields))]
    Inexpressible {
        /// The fields, by their names in the request.
        fields: Vec<Cow<'static, str>>,
    },
}

fn inexpressible(fields: &[Cow<'static, str>]) -> String {
    let quote =
        |field: &Cow<'static, str>| if field.starts_with(MORE) { field.to_string() } else { format!("`{field}`") };
    let quoted: Vec<_> = fields.iter().map(quote).collect();
    let (verb, them) = if fields.len() == 1 { ("has", "it") } else { ("have", "them") };
    format!(
        "{} {verb} no equivalent in the API of the model's provider; leave {them} out, or let the gateway do so \
         (client.compat.should_drop_params)",
        quoted.join(", ")
    )
}

impl Untranslatable {
    /// The refusal that it leads to.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let refusal = Refusal::new(Reason::InvalidRequest, self.to_string());
        match self {
            Self::Unreadable(ReadError::NotJson { .. }) => refusal,
            Self::Unreadable(ReadError::Wrong { place, .. }) => refusal.about(place.to_string()),
            Self::Inexpressible { fields } => match fields.first() {
                Some(first) => refusal.about(first.clone().into_owned()),
                None => refusal,
            },
        }
    }
}

/// What is to be known of a call for its answer to be told.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The request's id, from which the answer gets its own where the vendor gave none.
    pub request_id: String,
    /// The model, by the vendor's name for it, where its answer has none.
    pub model: String,
    /// Seconds since 1970, where the vendor's answer has no time.
    pub now_s: u64,
    /// Whether the client asked for usage in its stream.
    pub wants_usage: bool,
    /// Whether the client wants its stream as a JSON array instead of events.
    pub as_array: bool,
    /// The client's request: some wire formats repeat in an answer what was asked.
    pub asked: Bytes,
}

impl Translation {
    /// From a client's call to a vendor's operation. `None`: the wire format is the same, or there is no way.
    #[must_use]
    pub fn new(client: (Dialect, Operation), vendor: (Dialect, Operation)) -> Option<Self> {
        if client == vendor {
            return None;
        }
        Some(Self(match (client.1, vendor.1) {
            (Operation::Embedding, Operation::Embedding) => Ways::Embeddings(Embeddings::between(client.0, vendor.0)?),
            (Operation::CountTokens, Operation::CountTokens) => Ways::Counting(Counting::between(client.0, vendor.0)),
            _ => Ways::Conversation { client: Wire::of(client.0, client.1)?, vendor: Wire::of(vendor.0, vendor.1)? },
        }))
    }

    /// Between these formats of conversations.
    #[must_use]
    pub const fn between(client: Wire, vendor: Wire) -> Self {
        Self(Ways::Conversation { client, vendor })
    }

    /// The request as it goes to the vendor.
    ///
    /// # Errors
    /// When it is not what its wire format says, or asks what the target cannot be asked.
    pub fn request(self, body: &[u8], target: &Target<'_>) -> Result<Translated, Untranslatable> {
        let (client, vendor) = match self.0 {
            Ways::Conversation { client, vendor } => (client, vendor),
            Ways::Embeddings(embeddings) => return embeddings.request(body, target),
            Ways::Counting(counting) => return counting.request(body, target),
        };
        let request = client.read_request(body)?;
        let mut lost = Lost::new(client.names());
        let body = vendor.write_request(&request, target, &mut lost)?;
        translated(body, lost, target)
    }

    /// A whole answer as it goes to the client.
    ///
    /// # Errors
    /// When it is not what the vendor's wire format says.
    pub fn answer(self, body: &[u8], context: &Context) -> Result<Vec<u8>, ReadError> {
        match self.0 {
            Ways::Conversation { client, vendor } => {
                let answer: Answer<'_> = vendor.read_answer(body)?;
                Ok(client.write_answer(&answer, context))
            }
            Ways::Embeddings(embeddings) => embeddings.answer(body, context),
            Ways::Counting(counting) => counting.answer(body),
        }
    }

    /// A streamed answer as it goes to the client, piece by piece. Only conversations are streamed: of others nothing comes.
    #[must_use]
    pub fn stream(self, context: Context) -> Stream {
        match self.0 {
            Ways::Conversation { client, vendor } => Stream::new(client, vendor, context),
            Ways::Embeddings(_) | Ways::Counting(_) => Stream::empty(),
        }
    }
}

/// What becomes of a request that was written.
fn translated(body: Vec<u8>, lost: Lost, target: &Target<'_>) -> Result<Translated, Untranslatable> {
    let (demands, hints) = lost.into_lists();
    if !demands.is_empty() && !target.drops {
        return Err(Untranslatable::Inexpressible { fields: demands });
    }
    let mut dropped = demands;
    dropped.extend(hints.into_iter().filter(|hint| !dropped.contains(hint)).collect::<Vec<_>>());
    Ok(Translated { body, dropped })
}

#[cfg(test)]
mod tests;
