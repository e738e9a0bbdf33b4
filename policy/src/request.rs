//! What is asked: the dialect a client speaks, the operation, and the request as the gate sees it.

use std::fmt;

use crate::demand::Demand;

/// A wire format: whose API the client speaks, or the provider does. How it looks in bytes is the providers' business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// OpenAI's API and all that copy it.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
}

impl Dialect {
    /// The name in configuration (`base_provider_type`), logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What is asked for, in whatever dialect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[$doc])* $name,)* }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in configuration (`allowed_request_types`), rules, logs and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

operations! {
    /// A conversation: chat completions, Messages, generateContent.
    ChatCompletion = "chat_completion",
    /// A plain prompt to continue.
    TextCompletion = "text_completion",
    /// OpenAI's Responses API.
    Responses = "responses",
    /// Vectors of texts.
    Embedding = "embedding",
    /// How many tokens an input has; costs nothing.
    CountTokens = "count_tokens",
    /// Which models there are; costs nothing.
    ListModels = "list_models",
}

impl Operation {
    /// The operation of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.as_str() == name)
    }

    /// Whether the vendor takes money for it. Budgets and rate limits apply to those only.
    #[must_use]
    pub const fn costs(self) -> bool {
        !matches!(self, Self::CountTokens | Self::ListModels)
    }

    /// Whether it is a conversation's next turn, whatever that is called.
    #[must_use]
    pub const fn is_conversation(self) -> bool {
        matches!(self, Self::ChatCompletion | Self::TextCompletion | Self::Responses)
    }

    /// Whether a request of it can carry a limit on its output.
    #[must_use]
    pub const fn has_output_limit(self) -> bool {
        self.is_conversation()
    }

    const fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationSet(u32);

impl OperationSet {
    /// Every operation, also those of later versions.
    pub const ALL: Self = Self(u32::MAX);

    /// Whether the operation is in the set.
    #[must_use]
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & operation.bit() != 0
    }

    /// Whether it has any operation that costs.
    #[must_use]
    pub fn has_any_that_costs(self) -> bool {
        Operation::ALL.iter().any(|operation| operation.costs() && self.contains(*operation))
    }

    /// These operations.
    #[must_use]
    pub const fn of(operations: &[Operation]) -> Self {
        let (mut set, mut rest) = (0, operations);
        while let [first, others @ ..] = rest {
            set |= first.bit();
            rest = others;
        }
        Self(set)
    }

    /// What both sets have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl FromIterator<Operation> for OperationSet {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        Self(operations.into_iter().fold(0, |set, operation| set | operation.bit()))
    }
}

/// The header fields of a request, for those who look at them; names in lower case.
pub trait Fields: fmt::Debug {
    /// The first value of a field. `None` where it is not there, or is no text.
    fn field(&self, name: &str) -> Option<&str>;

    /// Shows each field, name and value, those that are no text left out.
    fn each(&self, show: &mut dyn FnMut(&str, &str));
}

/// No header fields.
impl Fields for () {
    fn field(&self, _name: &str) -> Option<&str> {
        None
    }

    fn each(&self, _show: &mut dyn FnMut(&str, &str)) {}
}

/// One request, as the gate sees it once its body is there.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Whose API the client speaks.
    pub dialect: Dialect,
    /// What is asked for.
    pub operation: Operation,
    /// The model as the client named it, perhaps `provider/model`.
    pub model: &'a str,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The most that it can use.
    pub demand: Demand,
    /// Its header fields.
    pub headers: &'a dyn Fields,
    /// Its query string, without the question mark; may be empty.
    pub query: &'a str,
    /// Its body: a JSON object, checked.
    pub body: &'a [u8],
    /// Where else it may go, as its own `fallbacks` field says; `None` where it says nothing.
    pub fallbacks: Option<&'a [String]>,
}

impl<'a> Request<'a> {
    /// One without headers, query, body and fallbacks.
    #[must_use]
    pub fn new(dialect: Dialect, operation: Operation, model: &'a str) -> Self {
        let demand = Demand::default();
        Self { dialect, operation, model, stream: false, demand, headers: &(), query: "", body: b"", fallbacks: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_by_their_name() {
        for operation in Operation::ALL {
            assert_eq!(Operation::from_name(operation.as_str()), Some(*operation));
        }
        assert_eq!(Operation::from_name("chat"), None);
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        let set: OperationSet = [Operation::Embedding].into_iter().collect();
        assert!(set.contains(Operation::Embedding));
        assert!(!set.contains(Operation::ChatCompletion));
        assert!(OperationSet::ALL.contains(Operation::Responses));
    }
}
