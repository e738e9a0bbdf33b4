//! Which providers come into question for a model, and what keeps a caller from using one of them.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Caller, DropReason};
use crate::catalog::Model;
use crate::id::ModelName;
use crate::key::Access;
use crate::list::AllowList;
use crate::provider::Provider;
use crate::request::{Dialect, Request};
use crate::snapshot::Snapshot;

/// What is asked for: a model, perhaps of one provider.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The provider, where it is named.
    pub(super) provider: Option<Arc<Provider>>,
    /// The model without the provider's name in front.
    pub(super) model: ModelName,
    /// How sure it is that a named provider has the model.
    pub(super) naming: Naming,
}

/// Who said that a provider has a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Provider and model are named together: taken as named.
    Both,
    /// Only the provider is named: it must serve the model.
    ProviderAlone,
    /// Only the model is named, and somebody must be known to serve it.
    KnownModel,
    /// Only the model is named; where nobody is known to serve it, those that take any model come into question.
    AnyModel,
}

pub(super) type Providers = SmallVec<[Arc<Provider>; 4]>;

impl Wanted {
    /// Resolves a name as a client writes it. `provider/model` names a provider only if one of that name is configured;
    /// otherwise the slash belongs to the model.
    pub(super) fn named(snapshot: &Snapshot, asked: &str) -> Self {
        match named_provider(snapshot, asked) {
            Some((provider, model)) => Self::both(snapshot, provider, model),
            None => {
                let model = snapshot.catalog().name(asked);
                Self { provider: None, model, naming: Naming::AnyModel }
            }
        }
    }

    /// A provider and a model, taken as named.
    pub(super) fn both(snapshot: &Snapshot, provider: &Arc<Provider>, model: &str) -> Self {
        // Gemini takes `models/x` for `x`; what is decided on must be what is sent.
        let model = if provider.dialect == Dialect::Gemini { model.trim_start_matches("models/") } else { model };
        let model = snapshot.catalog().name(model);
        Self { provider: Some(Arc::clone(provider)), model, naming: Naming::Both }
    }

    /// The name of the provider; empty where none is named.
    pub(super) fn provider_name(&self) -> &str {
        self.provider.as_ref().map_or("", |provider| provider.name.as_str())
    }

    /// Whether it is the same provider, or none, and the same model.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.model == other.model && self.provider_name() == other.provider_name()
    }

    /// The providers that come into question, in the order of the configuration.
    pub(super) fn providers(&self, snapshot: &Snapshot) -> Providers {
        if let Some(provider) = &self.provider {
            return SmallVec::from_iter([Arc::clone(provider)]);
        }
        let is_serving = |provider: &&Arc<Provider>| serves(snapshot, provider, &self.model);
        let serving: Providers = snapshot.providers().filter(is_serving).cloned().collect();
        if !serving.is_empty() || self.naming == Naming::KnownModel {
            return serving;
        }
        snapshot.providers().filter(|provider| takes_any_model(provider)).cloned().collect()
    }
}

/// The provider that a name as a client writes it begins with, and what follows; `None` where it begins with none that is
/// configured.
pub fn named_provider<'a, 'b>(snapshot: &'a Snapshot, asked: &'b str) -> Option<(&'a Arc<Provider>, &'b str)> {
    let (name, model) = asked.split_once('/')?;
    Some((snapshot.provider(name)?, model))
}

/// What is known of a provider's model. A provider has the models of the vendor that it is named after; a custom one
/// is priced as its base vendor where its own name is no vendor.
pub(super) fn known(catalog: &crate::catalog::Catalog, provider: &Provider, model: &ModelName) -> Option<Arc<Model>> {
    catalog.find(provider.name.as_str(), model).or_else(|| catalog.find(provider.vendor, model)).cloned()
}

/// What keeps a caller from using a provider for what is wanted; `None`: nothing that the configuration says.
pub(super) fn obstacle(
    snapshot: &Snapshot,
    wanted: &Wanted,
    provider: &Provider,
    caller: &Caller,
    request: &Request<'_>,
) -> Option<DropReason> {
    let access = caller.access(provider);
    if !access.is_allowed() {
        return Some(DropReason::ProviderBlocked);
    }
    if access.is_only_by_name() && wanted.provider.is_none() {
        return Some(DropReason::OnlyByName);
    }
    if !may_have(snapshot, wanted, provider) {
        return Some(DropReason::NotServed);
    }
    if !allows(access, &wanted.model, provider) {
        return Some(DropReason::ModelBlocked);
    }
    let known = known(snapshot.catalog(), provider, &wanted.model);
    let compat = snapshot.settings().compat;
    let served = provider.served_as(request.dialect, request.operation, known.as_deref(), compat);
    served.is_none().then_some(DropReason::CannotSpeak { dialect: provider.dialect })
}

fn allows(access: Access<'_>, model: &ModelName, provider: &Provider) -> bool {
    let mut fitting = provider.enabled_credentials().filter(|credential| credential.is_for(model));
    fitting.any(|credential| access.allows_model(model, credential.resolve(model)))
}

fn may_have(snapshot: &Snapshot, wanted: &Wanted, provider: &Provider) -> bool {
    let is_for = || provider.enabled_credentials().any(|credential| credential.is_for(&wanted.model));
    match wanted.naming {
        Naming::ProviderAlone => serves_when_named(snapshot, provider, &wanted.model),
        Naming::Both | Naming::KnownModel | Naming::AnyModel => is_for(),
    }
}

/// A provider that is named alone must serve the model. A custom one that takes any model serves it; so does every such one
/// where nobody is known to serve the model.
fn serves_when_named(snapshot: &Snapshot, provider: &Provider, model: &ModelName) -> bool {
    serves(snapshot, provider, model)
        || (takes_any_model(provider)
            && (provider.is_custom || !snapshot.providers().any(|other| serves(snapshot, other, model))))
}

/// A provider serves what the price list, its credentials' model lists, or their aliases name for it.
pub(super) fn serves(snapshot: &Snapshot, provider: &Provider, model: &ModelName) -> bool {
    provider.enabled_credentials().any(|credential| {
        credential.names(model) || (credential.is_for(model) && is_in_catalog(snapshot, provider, model))
    })
}

fn is_in_catalog(snapshot: &Snapshot, provider: &Provider, model: &ModelName) -> bool {
    let vendor = if provider.is_custom { provider.name.as_str() } else { provider.vendor };
    snapshot.catalog().find(vendor, model).is_some()
}

fn takes_any_model(provider: &Provider) -> bool {
    provider.enabled_credentials().any(|credential| credential.models == AllowList::All)
}
