//! What an answer says, as a whole.

use policy::usage::Usage;

use super::part::Part;
use super::text::{Json, Str};

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer<'a> {
    pub(crate) head: Head<'a>,
    pub(crate) candidates: Vec<Candidate<'a>>,
    /// What it used; `None`: the vendor does not say.
    pub(crate) usage: Option<Usage>,
}

/// What an answer is known by.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Head<'a> {
    pub(crate) id: Option<Str<'a>>,
    /// The model, as the vendor calls it.
    pub(crate) model: Option<Str<'a>>,
    /// When it was made, in seconds since 1970.
    pub(crate) created: Option<u64>,
}

/// One of the answers that were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Candidate<'a> {
    pub(crate) index: u32,
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) stop: Option<Stop<'a>>,
    pub(crate) logprobs: Vec<Logprob<'a>>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stop<'a> {
    /// It was at its end.
    End,
    /// It was as long as allowed.
    Length,
    /// It was longer than the model can be.
    Context,
    /// It calls tools and waits for them.
    Tools,
    /// It came to one of the texts before which it was to end, where the vendor says to which.
    Sequence(Option<Str<'a>>),
    /// The vendor does not let it be said.
    Filter,
    /// The model does not want to say it.
    Refusal,
    /// The vendor's own tools take long; it goes on when it is asked to.
    Pause,
    /// The model wrote something that could not be taken for a tool's call.
    BadToolCall,
}

/// How likely a token was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logprob<'a> {
    pub(crate) token: Str<'a>,
    /// The logarithm, a number as it stands.
    pub(crate) logprob: Json<'a>,
    /// Its bytes, an array as it stands.
    pub(crate) bytes: Option<Json<'a>>,
    /// Others in its place.
    pub(crate) top: Vec<Logprob<'a>>,
}

impl Logprob<'_> {
    /// The same, owing nothing to the text that it was read from.
    pub(crate) fn into_owned(self) -> Logprob<'static> {
        Logprob {
            token: self.token.into_owned(),
            logprob: self.logprob.into_owned(),
            bytes: self.bytes.map(Json::into_owned),
            top: self.top.into_iter().map(Logprob::into_owned).collect(),
        }
    }
}
