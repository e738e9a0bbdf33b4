//! What an answer says, piece by piece.

use policy::usage::Usage;

use super::answer::{Head, Logprob, Stop};
use super::part::{Citation, Part};
use super::text::Str;
use crate::error::VendorError;

/// A piece of a streamed answer. They come in this order: `Head` once and first; of each part `Open`, its pieces, `Close`; of each
/// candidate one `Stop` behind its parts; `Usage`, as often as it is told, the last one counting; `End` once and last. Parts of one
/// candidate are numbered from 0 in the order in which they begin; one is closed before the next begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Delta<'a> {
    /// What the answer is known by.
    Head(Head<'a>),
    /// A part begins. What it has already is in it: of a tool's call its id and name, the arguments follow.
    Open { at: At, part: Opened<'a> },
    /// More of a part: of a text or refusal its text, of a tool's call the text of its arguments, of a reasoning its words.
    Text { at: At, text: Str<'a> },
    /// The vendor's proof of a reasoning or a tool's call.
    Signature { at: At, signature: Str<'a> },
    /// What a text rests on.
    Citation { at: At, citation: Citation<'a> },
    /// How likely tokens of a text were.
    Logprobs { at: At, logprobs: Vec<Logprob<'a>> },
    /// A part is whole.
    Close { at: At },
    /// A candidate is whole.
    Stop { candidate: u32, stop: Stop<'a> },
    /// What was used so far.
    Usage(Usage),
    /// The answer is whole.
    End,
    /// It failed.
    Error(VendorError),
}

/// Which part of which candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) candidate: u32,
    pub(crate) part: u32,
}

/// What begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Opened<'a> {
    Text,
    Refusal,
    ToolCall {
        id: Option<Str<'a>>,
        name: Str<'a>,
    },
    Reasoning {
        id: Option<Str<'a>>,
        is_summary: bool,
    },
    /// A part that comes in one piece: a medium, a sealed reasoning, or what only its own wire format knows. `Close` follows.
    Whole(Part<'a>),
}
