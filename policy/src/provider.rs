//! Providers as configured: where they are, how they are spoken to, and with which credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::Model;
use crate::id::{CredentialName, ModelName, ProviderName};
use crate::list::AllowList;
use crate::request::{Dialect, Operation, OperationSet};
use crate::route::Weight;
use crate::settings::Compat;

/// A secret. It has no `Display` and its `Debug` hides it; [`Secret::reveal`] is the one way to it, easy to search for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The secret itself, for the one place that must send it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One configured provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name it is configured under.
    pub name: ProviderName,
    /// The vendor whose table row it uses; the price list knows models by it. A custom provider has its base vendor's.
    pub vendor: &'static str,
    /// Whether it is a custom provider: then the price list's models are not taken to be served by it.
    pub is_custom: bool,
    /// Its place in the configuration, from 0.
    pub order: u32,
    /// The wire format it speaks.
    pub dialect: Dialect,
    /// What it can do.
    pub operations: OperationSet,
    /// Where it is, unless the credential says otherwise.
    pub endpoint: Endpoint,
    /// What is said in its name; at least one unless `keyless`.
    pub credentials: Vec<Arc<Credential>>,
    /// Whether it wants no credential at all.
    pub keyless: bool,
    /// Whether operators run it themselves: then a credential may have no secret, and its models cost nothing unless they are
    /// given a price.
    pub is_self_hosted: bool,
    /// Headers added to every request to it.
    pub extra_headers: Vec<(Box<str>, Box<str>)>,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// How often, and when, a failed call is tried again.
    pub retries: Retries,
    /// How its certificate is checked.
    pub tls: TlsTrust,
}

/// An HTTP endpoint: `scheme://host:port/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Host name or IP address (IPv6 without brackets).
    pub host: Box<str>,
    /// Port.
    pub port: u16,
    /// Path prefix without a trailing slash; empty for none.
    pub prefix: Box<str>,
}

impl Endpoint {
    /// The value of the `Host` header: with the port where it is not the scheme's default.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// How long each part of a call to a provider may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// Until a streamed answer's header is there. Not applied to other answers: their header comes last.
    pub stream_header: Duration,
    /// Until a streamed answer's first content is there; `None`: however long that takes.
    pub first_token: Option<Duration>,
    /// Between two pieces of a streamed answer.
    pub stream_idle: Duration,
    /// For the whole call.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            stream_header: Duration::from_secs(30),
            first_token: None,
            stream_idle: Duration::from_secs(30),
            total: Duration::from_mins(10),
        }
    }
}

/// How often, and when, a call that failed is tried again with the same target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many more times.
    pub max: u8,
    /// The longest pause before the first of them; each later one may be twice as long.
    pub backoff_initial: Duration,
    /// The longest pause before any of them; at least `backoff_initial`.
    pub backoff_max: Duration,
    /// Whether a route that fails too often is left alone for a moment.
    pub circuit_breaker: bool,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            max: 2,
            backoff_initial: Duration::from_millis(500),
            backoff_max: Duration::from_secs(5),
            circuit_breaker: true,
        }
    }
}

/// How a provider's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsTrust {
    /// Accept any certificate. For tests and closed networks only.
    pub skip_verify: bool,
    /// PEM certificates trusted instead of the system's.
    pub ca_pem: Option<Arc<str>>,
}

/// One credential of a provider.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its name, unique within the provider.
    pub name: CredentialName,
    /// What is sent.
    pub secret: Secret,
    /// The models it is for.
    pub models: AllowList,
    /// Models it is not for, whatever `models` says.
    pub denied_models: AllowList,
    /// Its share among the provider's credentials; `None`: used only when pinned by name.
    pub weight: Option<Weight>,
    /// Names for models: what is asked for → what the provider calls it (a deployment, say).
    pub aliases: BTreeMap<ModelName, ModelName>,
    /// Whether it may be used.
    pub is_enabled: bool,
    /// Where the server is that it is for, if not where the provider is.
    pub endpoint: Option<Endpoint>,
}

impl Credential {
    /// The provider's own name for a model that is asked for.
    #[must_use]
    pub fn resolve<'a>(&'a self, asked: &'a ModelName) -> &'a ModelName {
        self.aliases.get(asked).unwrap_or(asked)
    }

    /// One for a provider that has none: `secret` is empty, so only a caller with a credential of its own can use it, unless
    /// the provider wants none at all.
    #[must_use]
    pub fn none() -> Self {
        Self {
            name: "none".into(),
            secret: Secret::new(""),
            models: AllowList::All,
            denied_models: AllowList::nothing(),
            weight: Some(Weight::ONE),
            aliases: BTreeMap::new(),
            is_enabled: true,
            endpoint: None,
        }
    }

    /// Whether it stands for having none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.name.as_str() == "none" && self.secret.reveal().is_empty()
    }

    /// Whether it is for this model, known by either of its two names.
    #[must_use]
    pub fn is_for(&self, asked: &ModelName) -> bool {
        let resolved = self.resolve(asked);
        let either = |list: &AllowList| list.allows(asked.as_str()) || list.allows(resolved.as_str());
        either(&self.models) && !either(&self.denied_models)
    }

    /// Whether the model is named here, by an alias or in the list of models.
    #[must_use]
    pub fn names(&self, asked: &ModelName) -> bool {
        self.aliases.contains_key(asked) || self.models.names(asked.as_str())
    }
}

impl Provider {
    /// By which of its operations it serves what is asked in a dialect: by the same where it speaks that dialect and has it, else by
    /// one that the request can be translated to. `known` is the model. `None`: by none.
    #[must_use]
    pub fn served_as(
        &self,
        dialect: Dialect,
        operation: Operation,
        known: Option<&Model>,
        compat: Compat,
    ) -> Option<Operation> {
        let is_direct = self.dialect == dialect && self.operations.contains(operation);
        let has = |operation| self.operations.contains(operation);
        if !operation.is_conversation() {
            // Operations that get a translation of their own have their place here.
            let is_translated = match operation {
                Operation::Embedding => ![self.dialect, dialect].contains(&Dialect::Anthropic),
                Operation::CountTokens => true,
                _ => false,
            };
            return (is_direct || (is_translated && has(operation))).then_some(operation);
        }
        // Only OpenAI's dialect has it; a custom provider's list of operations may say more than its dialect has.
        let has_responses = self.dialect == Dialect::OpenAi && has(Operation::Responses);
        let mode = known.map(|known| &*known.mode);
        let (only_chat, only_responses) = (mode == Some("chat"), mode == Some("responses") && has_responses);
        let is_converted = match operation {
            Operation::TextCompletion => compat.text_to_chat && only_chat && has(Operation::ChatCompletion),
            Operation::ChatCompletion => compat.chat_to_responses && only_responses,
            _ => false,
        };
        if is_direct && !is_converted {
            Some(operation)
        } else if has(Operation::ChatCompletion) && !only_responses {
            Some(Operation::ChatCompletion)
        } else {
            has_responses.then_some(Operation::Responses)
        }
    }

    /// The credentials that may be used at all.
    pub fn enabled_credentials(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.credentials.iter().filter(|credential| credential.is_enabled)
    }
}

#[cfg(test)]
mod tests;
