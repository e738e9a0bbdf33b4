//! The vendors: where each is, which credential it wants, what it can do, and how it differs from others. One row each, in `table`.

use policy::request::{Dialect, Operation, OperationSet};

mod chat;
mod endpoint;
mod path;
mod table;

pub use chat::{Asked, ChatQuirks, Efforts, Thoughts};
pub use endpoint::{EndpointError, endpoint};
pub use path::path;
pub use table::VENDORS;

/// How a vendor wants its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialStyle {
    /// `Authorization: Bearer …`.
    Bearer,
    /// The bare secret in a header of this (lower-case) name.
    Header(&'static str),
}

/// One vendor.
#[derive(Clone, Copy, Debug)]
pub struct Vendor {
    /// The name in configuration and in the price list.
    pub name: &'static str,
    /// The wire format it speaks.
    pub dialect: Dialect,
    /// Where it is, unless the configuration says otherwise, without the version. `None`: the configuration must say it.
    pub base_url: Option<&'static str>,
    /// Whether operators run it themselves: then it may want no credential, and costs nothing unless it is given a price.
    pub is_self_hosted: bool,
    /// How it wants its credential.
    pub credential: CredentialStyle,
    /// What it can do itself.
    pub operations: OperationSet,
    /// What stands between the base URL and the paths of its operations: `/v1`, or nothing. Not used for Gemini's dialect, where
    /// clients choose among versions.
    pub version: &'static str,
    /// The paths that are not those of its dialect, without the version.
    pub paths: &'static [(Operation, &'static str)],
    /// Headers (lower-case name, value) that it wants in every request; sent where the client sent none of that name.
    pub required_headers: &'static [(&'static str, &'static str)],
    /// How it differs from others of its dialect.
    pub quirks: Quirks,
    /// Where that is written, and when it was read.
    pub source: &'static str,
}

/// How a vendor differs from others of its dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Its chat completions' name for the output limit: `max_completion_tokens`, or the older `max_tokens`.
    pub limit_field: &'static str,
    /// Whether its streams report usage only when asked with `stream_options.include_usage`. The others always do, and some of them
    /// refuse to be asked.
    pub usage_on_request: bool,
    /// How else its chat completions differ.
    pub chat: ChatQuirks,
}

impl Quirks {
    /// None.
    pub const NONE: Self =
        Self { limit_field: "max_completion_tokens", usage_on_request: true, chat: ChatQuirks::NONE };
    /// Those of a copy of OpenAI's API that keeps up with it.
    pub const COPY: Self = Self { chat: ChatQuirks::COPY, ..Self::NONE };
    /// Those of most who copy it: they know the older name of the limit, some of them no other.
    pub const OLDER_LIMIT: Self = Self { limit_field: "max_tokens", ..Self::COPY };
    /// The same of those who serve open models.
    pub const OPEN_MODELS: Self = Self { chat: ChatQuirks::OPEN_MODELS, ..Self::OLDER_LIMIT };
}

/// Vendors that configurations name and that cannot be used yet, so that the error can say so.
pub const KNOWN_ELSEWHERE: &[&str] = &["azure", "bedrock", "cohere", "elevenlabs", "replicate", "vertex"];

/// The vendor of that name. `None`: it is unknown, or [`KNOWN_ELSEWHERE`].
#[must_use]
pub fn find(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name)
}

#[cfg(test)]
mod tests;
