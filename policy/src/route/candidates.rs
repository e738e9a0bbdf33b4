//! Which providers come into question for a model, and which of them the caller may use.

use std::sync::Arc;

use super::{DropReason, Dropped};
use crate::catalog::Model;
use crate::id::ModelName;
use crate::key::{Access, VirtualKey};
use crate::provider::Provider;
use crate::request::{Dialect, Request};
use crate::snapshot::Snapshot;

/// What a client asked for, resolved.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The model without the provider's name in front.
    pub(super) model: ModelName,
    /// Whether the client named the provider.
    pub(super) is_named: bool,
    /// The providers that come into question, in the order of the configuration.
    pub(super) providers: Vec<Arc<Provider>>,
}

/// Resolves the model that a client asked for. `provider/model` names a provider only if one of that name is configured;
/// otherwise the slash belongs to the model, and whoever serves the model comes into question.
pub(super) fn resolve(snapshot: &Snapshot, asked: &str) -> Wanted {
    if let Some((name, model)) = asked.split_once('/')
        && let Some(provider) = snapshot.provider(name)
    {
        // Gemini takes `models/x` for `x`; what is decided on must be what is sent.
        let model = if provider.dialect == Dialect::Gemini { model.trim_start_matches("models/") } else { model };
        return Wanted { model: model.into(), is_named: true, providers: vec![Arc::clone(provider)] };
    }
    let model = ModelName::from(asked);
    let serving: Vec<_> = snapshot.providers().filter(|provider| serves(snapshot, provider, &model)).cloned().collect();
    if !serving.is_empty() {
        return Wanted { model, is_named: false, providers: serving };
    }
    let open = snapshot.providers().filter(|provider| takes_any_model(provider)).cloned().collect();
    Wanted { model, is_named: false, providers: open }
}

/// What is known of a provider's model. A provider has the models of the vendor that it is named after; a custom one
/// is priced as its base vendor where its own name is no vendor.
pub(super) fn known(snapshot: &Snapshot, provider: &Provider, model: &ModelName) -> Option<Arc<Model>> {
    let catalog = snapshot.catalog();
    catalog.find(provider.name.as_str(), model).or_else(|| catalog.find(provider.vendor, model)).cloned()
}

/// Splits the providers that come into question into those that the caller may use for this request, and the others.
pub(super) fn permitted(
    wanted: &Wanted,
    key: Option<&VirtualKey>,
    request: &Request<'_>,
) -> (Vec<Arc<Provider>>, Vec<Dropped>) {
    let mut usable = Vec::with_capacity(wanted.providers.len());
    let mut dropped = Vec::new();
    for provider in &wanted.providers {
        match obstacle(wanted, provider, key, request) {
            None => usable.push(Arc::clone(provider)),
            Some(reason) => dropped.push(Dropped { provider: Arc::clone(provider), reason }),
        }
    }
    (usable, dropped)
}

fn obstacle(
    wanted: &Wanted,
    provider: &Provider,
    key: Option<&VirtualKey>,
    request: &Request<'_>,
) -> Option<DropReason> {
    let access = key.map_or(Access::Unlisted, |key| key.access(provider.name.as_str()));
    if !access.is_allowed() {
        return Some(DropReason::ProviderBlocked);
    }
    if access.is_only_by_name() && !wanted.is_named {
        return Some(DropReason::OnlyByName);
    }
    if !provider.enabled_credentials().any(|credential| credential.is_for(&wanted.model)) {
        return Some(DropReason::NotServed);
    }
    let resolved_names = provider.enabled_credentials().map(|credential| credential.resolve(&wanted.model));
    let model_allowed = access.allows_model(&wanted.model, &wanted.model)
        || resolved_names.into_iter().any(|resolved| access.allows_model(&wanted.model, resolved));
    if !model_allowed {
        return Some(DropReason::ModelBlocked);
    }
    (!provider.takes(request.dialect, request.operation)).then_some(DropReason::CannotSpeak)
}

/// A provider serves what the price list, its credentials' model lists, or their aliases name for it.
fn serves(snapshot: &Snapshot, provider: &Provider, model: &ModelName) -> bool {
    provider.enabled_credentials().any(|credential| {
        credential.names(model) || (credential.is_for(model) && is_in_catalog(snapshot, provider, model))
    })
}

fn is_in_catalog(snapshot: &Snapshot, provider: &Provider, model: &ModelName) -> bool {
    let vendor = if provider.is_custom { provider.name.as_str() } else { provider.vendor };
    snapshot.catalog().find(vendor, model).is_some()
}

fn takes_any_model(provider: &Provider) -> bool {
    provider.enabled_credentials().any(|credential| credential.models == crate::list::AllowList::All)
}
