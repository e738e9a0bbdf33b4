//! Who changes something.

/// Who changes something, for the audit log.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    /// The name of the user, of the API key, of the file.
    pub name: &'a str,
    /// What that is the name of.
    pub kind: ActorKind,
    /// From where; empty if it was no call.
    pub address: &'a str,
}

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// Somebody who logged in.
    User,
    /// The bearer of an admin API key.
    ApiKey,
    /// The configuration file.
    File,
    /// The gateway itself.
    System,
    /// Anybody, where administration needs no log-in.
    Anonymous,
}

/// An actor whom others may act for.
#[derive(Debug)]
pub(super) struct Author {
    name: String,
    kind: ActorKind,
    address: String,
}

impl ActorKind {
    /// The word in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::File => "file",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }
}

impl Author {
    pub(super) fn of(actor: &Actor<'_>) -> Self {
        Self { name: actor.name.to_owned(), kind: actor.kind, address: actor.address.to_owned() }
    }

    pub(super) fn actor(&self) -> Actor<'_> {
        Actor { name: &self.name, kind: self.kind, address: &self.address }
    }
}
