//! Prices of the operator's own: for whose calls, for which models, and in place of which rates of the price list.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use imbl::HashMap;
use thiserror::Error;

use super::Rate;
use crate::id::{CredentialName, PriceOverrideId, ProviderName, VirtualKeyId};
use crate::request::{Operation, OperationSet};

/// How many overrides one scope may have.
pub const MOST_OVERRIDES: usize = 1_000;

/// One override.
#[derive(Clone, Debug)]
pub struct PriceOverride {
    /// Its id.
    pub id: PriceOverrideId,
    /// Its name for people.
    pub name: Box<str>,
    /// Whose calls it is for.
    pub scope: PriceScope,
    /// The models it is for.
    pub pattern: ModelPattern,
    /// The operations it is for.
    pub operations: OperationSet,
    /// Its place in the configuration: of two that are for the same, the lower one counts.
    pub order: u32,
    /// The rates that it sets; the others stay as they are in the price list.
    pub rates: Vec<Rate>,
}

/// Whose calls an override is for, from what is most specific to what is least.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PriceScope {
    /// A virtual key's with one credential of a provider.
    KeyAndCredential(VirtualKeyId, ProviderName, CredentialName),
    /// A virtual key's to one provider.
    KeyAndProvider(VirtualKeyId, ProviderName),
    /// A virtual key's.
    Key(VirtualKeyId),
    /// Everybody's with one credential of a provider.
    Credential(ProviderName, CredentialName),
    /// Everybody's to one provider.
    Provider(ProviderName),
    /// Everybody's.
    Global,
}

impl PriceScope {
    /// The virtual key that it is about.
    #[must_use]
    pub fn key(&self) -> Option<&VirtualKeyId> {
        match self {
            Self::KeyAndCredential(key, ..) | Self::KeyAndProvider(key, _) | Self::Key(key) => Some(key),
            Self::Credential(..) | Self::Provider(_) | Self::Global => None,
        }
    }
}

impl fmt::Display for PriceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyAndCredential(key, provider, name) => {
                write!(f, "virtual key `{key}` with key `{name}` of provider `{provider}`")
            }
            Self::KeyAndProvider(key, provider) => write!(f, "virtual key `{key}` at provider `{provider}`"),
            Self::Key(key) => write!(f, "virtual key `{key}`"),
            Self::Credential(provider, name) => write!(f, "key `{name}` of provider `{provider}`"),
            Self::Provider(provider) => write!(f, "provider `{provider}`"),
            Self::Global => f.write_str("the global scope"),
        }
    }
}

/// Which models an override is for. Exact ones come before patterns, long patterns before short ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelPattern {
    /// The model of this name.
    Exact(Box<str>),
    /// All models whose names begin so.
    Prefix(Reverse<usize>, Box<str>),
}

impl ModelPattern {
    /// All models whose names begin with `start`.
    #[must_use]
    pub fn prefix(start: &str) -> Self {
        Self::Prefix(Reverse(start.len()), start.into())
    }

    fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(_, text) => text,
        }
    }
}

/// The attempt that is to be priced.
#[derive(Clone, Copy, Debug)]
pub struct Priced<'a> {
    /// Whose call it is.
    pub key: Option<&'a VirtualKeyId>,
    /// The provider.
    pub provider: &'a ProviderName,
    /// The provider's credential.
    pub credential: &'a CredentialName,
    /// The names of the model: the provider's own, the one asked for, and the price list's where it is there.
    pub models: [Option<&'a str>; 3],
    /// What is asked for.
    pub operation: Operation,
}

impl Priced<'_> {
    fn scopes(&self) -> [Option<PriceScope>; 6] {
        let (provider, credential) = (|| self.provider.clone(), || self.credential.clone());
        [
            self.key.map(|key| PriceScope::KeyAndCredential(key.clone(), provider(), credential())),
            self.key.map(|key| PriceScope::KeyAndProvider(key.clone(), provider())),
            self.key.map(|key| PriceScope::Key(key.clone())),
            Some(PriceScope::Credential(provider(), credential())),
            Some(PriceScope::Provider(provider())),
            Some(PriceScope::Global),
        ]
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.models.iter().copied().flatten()
    }

    /// The best of one scope's overrides.
    fn best<'o>(&self, list: &'o [Arc<PriceOverride>]) -> Option<&'o Arc<PriceOverride>> {
        let (exact, prefixes) = list.split_at(list.partition_point(|one| one.pattern.is_exact()));
        let is_for = |one: &&Arc<PriceOverride>| one.operations.contains(self.operation);
        let of_name = |name: &str| {
            let first = exact.partition_point(|one| one.pattern.text() < name);
            exact.iter().skip(first).take_while(|one| one.pattern.text() == name).find(is_for)
        };
        let begins = |one: &&Arc<PriceOverride>| self.names().any(|name| name.starts_with(one.pattern.text()));
        self.names().find_map(of_name).or_else(|| prefixes.iter().filter(is_for).find(begins))
    }
}

/// A scope has as many overrides as it may have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0} has {MOST_OVERRIDES} overrides of prices already, and may not have more")]
pub struct TooManyOverrides(pub PriceScope);

/// All overrides. Cheap to clone; a change costs as much as its scope has overrides.
#[derive(Clone, Debug, Default)]
pub struct PriceOverrides {
    by_id: HashMap<PriceOverrideId, Arc<PriceOverride>>,
    /// Each in the order in which they count; never empty.
    lists: HashMap<PriceScope, Arc<[Arc<PriceOverride>]>>,
}

impl PriceOverrides {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All overrides, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<PriceOverride>> {
        self.by_id.values()
    }

    /// Adds an override, or replaces the one of the same id.
    ///
    /// # Errors
    /// When its scope is full. Nothing is changed then.
    pub fn put(&mut self, new: Arc<PriceOverride>) -> Result<(), TooManyOverrides> {
        let others = self.of_scope(&new.scope).iter().filter(|other| other.id != new.id).count();
        if others >= MOST_OVERRIDES {
            return Err(TooManyOverrides(new.scope.clone()));
        }
        self.remove(&new.id);
        let mut list = self.of_scope(&new.scope).to_vec();
        let place = |one: &Arc<PriceOverride>| (one.pattern.clone(), one.order, one.id.clone());
        let at = place(&new);
        list.insert(list.partition_point(|one| place(one) < at), Arc::clone(&new));
        self.lists.insert(new.scope.clone(), list.into());
        self.by_id.insert(new.id.clone(), new);
        Ok(())
    }

    /// Removes an override, if it is there.
    pub fn remove(&mut self, id: &PriceOverrideId) {
        let Some(old) = self.by_id.remove(id) else { return };
        let rest: Arc<[_]> = self.of_scope(&old.scope).iter().filter(|one| one.id != *id).cloned().collect();
        match rest.is_empty() {
            true => self.lists.remove(&old.scope),
            false => self.lists.insert(old.scope.clone(), rest),
        };
    }

    /// The override that counts for an attempt: that of the most specific scope, there of the exact name, else of the longest
    /// pattern.
    #[must_use]
    pub fn find(&self, attempt: &Priced<'_>) -> Option<&Arc<PriceOverride>> {
        if self.is_empty() {
            return None;
        }
        attempt.scopes().iter().flatten().find_map(|scope| attempt.best(self.of_scope(scope)))
    }

    fn of_scope(&self, scope: &PriceScope) -> &[Arc<PriceOverride>] {
        self.lists.get(scope).map_or(&[], |list| list)
    }
}

#[cfg(test)]
mod tests;
