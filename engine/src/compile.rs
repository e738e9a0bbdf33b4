//! From what an operator wrote to the snapshot: joins the shapes with the table of vendors. A file and a single entity take
//! the same way, so neither can mean something else than the other.

mod edit;

use std::sync::Arc;

use policy::catalog::Catalog;
use policy::declare::entity::{Kind, Placed, Shape};
use policy::declare::{
    CredentialShape, File, ModelConfigShape, PluginShape, ProviderShape, RuleShape, VirtualKeyShape,
};
use policy::id::{ModelName, ProviderName, VirtualKeyId};
use policy::limit::{Limits, ModelLimits};
use policy::provider::{Credential, Endpoint, Provider};
use policy::settings::Settings;
use policy::snapshot::{ApplyError, Change, Snapshot};
use providers::vendor::{self, Vendor};
use thiserror::Error;

pub use edit::{EditError, Edited, edit, release};

/// A configuration that reads well and still cannot be put in force.
#[derive(Clone, Debug, Error)]
pub enum CompileError {
    /// The provider's vendor is not in the table.
    #[error("providers.{0}: no vendor of that name")]
    NoSuchVendor(ProviderName),
    /// The provider's base URL is none.
    #[error("providers.{0}.network_config.base_url: {1}")]
    BadBaseUrl(ProviderName, vendor::EndpointError),
    /// The provider's vendor has no address of its own, and none is configured.
    #[error("providers.{0}.network_config.base_url: this vendor has no address of its own")]
    NoAddress(ProviderName),
    /// A virtual key has no token.
    #[error("virtual key `{0}` has no value")]
    NoToken(VirtualKeyId),
    /// An entity contradicts another one.
    #[error("{what}: {error}")]
    Contradiction {
        /// The entity.
        what: String,
        /// What is wrong with it.
        error: ApplyError,
    },
}

/// A model of a provider (`None`: of whichever serves it).
pub type Model = (Option<ProviderName>, ModelName);

/// Compiles a file. Every virtual key in it has its token.
///
/// # Errors
/// The first thing that keeps it from being put in force.
pub fn compile(file: &File, catalog: Arc<Catalog>) -> Result<Snapshot, CompileError> {
    let contradiction = |error| CompileError::Contradiction { what: "price list".into(), error };
    let mut draft = Snapshot::default().apply(Change::Catalog(catalog)).map_err(contradiction)?;
    for placed in file.entities() {
        let contradiction = |error| CompileError::Contradiction { what: name_of(&placed.shape), error };
        let changes = entity(&placed, None, &draft)?;
        draft = draft.apply_all(changes).map_err(contradiction)?;
    }
    Ok(draft)
}

/// The policy after an entity was put in force. `before` is the model that it was for, if it limited one.
///
/// # Errors
/// What keeps it from being put in force. Then nothing is changed.
pub fn put(snapshot: &Snapshot, entity: &Placed, before: Option<&Model>) -> Result<Snapshot, CompileError> {
    apply(snapshot, self::entity(entity, before, snapshot)?, &entity.shape)
}

/// The policy after an entity is gone. `model` is what it was for, if it limited a model.
///
/// # Errors
/// Something still refers to it. Then nothing is changed.
pub fn remove(snapshot: &Snapshot, kind: Kind, id: &str, model: Option<Model>) -> Result<Snapshot, CompileError> {
    let contradiction = |error| CompileError::Contradiction { what: format!("{} `{id}`", kind.label()), error };
    let changes = removal(kind, id, model);
    changes.into_iter().try_fold(snapshot.clone(), |next, change| next.apply(change)).map_err(contradiction)
}

fn apply(snapshot: &Snapshot, changes: Vec<Change>, shape: &Shape) -> Result<Snapshot, CompileError> {
    let contradiction = |error| CompileError::Contradiction { what: name_of(shape), error };
    changes.into_iter().try_fold(snapshot.clone(), |next, change| next.apply(change)).map_err(contradiction)
}

/// What is to change so that an entity is in force. `before` is the model that it was for, if it limited one; `snapshot` what it is put
/// into.
///
/// # Errors
/// A provider of an unknown vendor or without an address, a virtual key without a token.
pub fn entity(entity: &Placed, before: Option<&Model>, snapshot: &Snapshot) -> Result<Vec<Change>, CompileError> {
    let settings = |settings| Ok(vec![Change::Settings(Arc::new(settings))]);
    match &entity.shape {
        Shape::Client(client) => Ok(of_client(client.onto(snapshot.settings()), snapshot)),
        Shape::AuthConfig(auth) => settings(auth.onto(snapshot.settings())),
        Shape::Plugins(plugins) => settings(PluginShape::onto(plugins, snapshot.settings())),
        // Who keeps the price list looks at it; decisions do not.
        Shape::Framework(_) => Ok(Vec::new()),
        Shape::Provider(shape) => {
            let compiled = provider(shape, entity.order, snapshot.settings().allow_direct_keys)?;
            Ok(vec![Change::PutProvider(Arc::new(compiled))])
        }
        Shape::Budget(budget) => Ok(vec![Change::PutBudget(Arc::new(budget.to_policy()))]),
        Shape::RateLimit(limit) => Ok(vec![Change::PutRateLimit(Arc::new(limit.to_policy()))]),
        Shape::ProviderLimits(one) => Ok(vec![Change::LimitProvider(one.name.clone(), one.limits.to_policy())]),
        Shape::ModelConfig(config) => Ok(of_model(config, before)),
        Shape::Customer(customer) => Ok(vec![Change::PutCustomer(Arc::new(customer.to_policy()))]),
        Shape::Team(team) => Ok(vec![Change::PutTeam(Arc::new(team.to_policy()))]),
        Shape::VirtualKey(key) => virtual_key(key),
        Shape::RoutingRule(rule) => Ok(vec![of_rule(rule, entity.order)]),
        Shape::PricingOverride(one) => {
            let put = one.to_policy(entity.order).map(|one| Change::PutPriceOverride(Arc::new(one)));
            Ok(vec![put.unwrap_or_else(|| Change::RemovePriceOverride((*one.id).into()))])
        }
    }
}

/// What is to change so that an entity is no longer in force; `model` is what it was for, if it limited a model. A section cannot be
/// removed: put an empty one in its place.
#[must_use]
pub fn removal(kind: Kind, id: &str, model: Option<Model>) -> Vec<Change> {
    match kind {
        Kind::Client | Kind::AuthConfig | Kind::Plugins | Kind::Framework => Vec::new(),
        Kind::Provider => vec![Change::RemoveProvider(id.into())],
        Kind::Budget => vec![Change::RemoveBudget(id.into())],
        Kind::RateLimit => vec![Change::RemoveRateLimit(id.into())],
        Kind::ProviderLimits => vec![Change::LimitProvider(id.into(), Limits::default())],
        Kind::ModelConfig => model.map(unlimited).into_iter().collect(),
        Kind::Customer => vec![Change::RemoveCustomer(id.into())],
        Kind::Team => vec![Change::RemoveTeam(id.into())],
        Kind::VirtualKey => vec![Change::RemoveVirtualKey(id.into())],
        Kind::RoutingRule => vec![Change::RemoveRule(id.into())],
        Kind::PricingOverride => vec![Change::RemovePriceOverride(id.into())],
    }
}

/// An entity's name in messages.
pub(crate) fn name_of(shape: &Shape) -> String {
    let id = shape.id();
    match shape {
        Shape::Provider(_) => format!("providers.{id}"),
        Shape::ProviderLimits(_) => format!("limits of provider `{id}`"),
        Shape::ModelConfig(config) => format!("limits of model `{}`", config.model),
        _ if shape.kind().is_single() => id.to_owned(),
        _ => format!("{} `{id}`", shape.kind().label()),
    }
}

/// New settings, and the providers without credentials: they have a stand-in while callers may bring their own.
fn of_client(settings: Settings, snapshot: &Snapshot) -> Vec<Change> {
    let may_be_none = settings.allow_direct_keys;
    let has_stand_in = |provider: &Provider| provider.credentials.iter().any(|credential| credential.is_none());
    let is_bare = |provider: &Provider| provider.credentials.is_empty() || has_stand_in(provider);
    let concerned = snapshot.providers().filter(|provider| !provider.keyless && is_bare(provider));
    let stale = concerned.filter(|provider| has_stand_in(provider) != may_be_none);
    let renewed = stale.map(|provider| {
        let credentials = if may_be_none { stand_in() } else { Vec::new() };
        Change::PutProvider(Arc::new(Provider { credentials, ..(**provider).clone() }))
    });
    std::iter::once(Change::Settings(Arc::new(settings))).chain(renewed).collect()
}

fn of_model(config: &ModelConfigShape, before: Option<&Model>) -> Vec<Change> {
    let moved = before.filter(|(provider, model)| (provider, model) != (&config.provider, &config.model));
    let unlimited = moved.cloned().map(unlimited);
    unlimited.into_iter().chain([Change::LimitModel(config.to_policy())]).collect()
}

fn unlimited((provider, model): Model) -> Change {
    Change::LimitModel(ModelLimits { provider, model, limits: Limits::default() })
}

fn virtual_key(key: &VirtualKeyShape) -> Result<Vec<Change>, CompileError> {
    let compiled = key.to_policy();
    if compiled.tokens.is_empty() {
        return Err(CompileError::NoToken(key.id.clone()));
    }
    Ok(vec![Change::PutVirtualKey(Arc::new(compiled))])
}

/// A rule that is switched off is not in force.
fn of_rule(rule: &RuleShape, order: u32) -> Change {
    match rule.is_enabled {
        true => Change::PutRule(Arc::new(rule.to_policy(order))),
        false => Change::RemoveRule((*rule.id).into()),
    }
}

fn provider(shape: &ProviderShape, order: u32, direct_keys: bool) -> Result<Provider, CompileError> {
    let vendor = vendor::find(shape.vendor()).ok_or_else(|| CompileError::NoSuchVendor(shape.name.clone()))?;
    let allowed = shape.custom.as_ref().and_then(|custom| custom.allowed);
    let keyless = shape.is_keyless() || (vendor.is_self_hosted && shape.credentials.is_empty());
    Ok(Provider {
        name: shape.name.clone(),
        vendor: vendor.name,
        is_custom: shape.custom.is_some(),
        order,
        dialect: vendor.dialect,
        operations: allowed.map_or(vendor.operations, |allowed| vendor.operations.intersection(allowed)),
        endpoint: address(shape, vendor)?,
        credentials: credentials(shape, vendor, keyless || direct_keys)?,
        keyless,
        is_self_hosted: vendor.is_self_hosted,
        extra_headers: shape.headers_to_send(),
        deadlines: shape.deadlines,
        retries: shape.retries,
        tls: shape.tls.clone(),
    })
}

/// A provider that wants no credential still has one here, so that an attempt always has its credential; so does one that
/// has none, where callers may bring their own.
fn credentials(
    shape: &ProviderShape,
    vendor: &Vendor,
    may_be_none: bool,
) -> Result<Vec<Arc<Credential>>, CompileError> {
    if may_be_none && shape.credentials.is_empty() {
        return Ok(stand_in());
    }
    let compiled = |credential: &CredentialShape| {
        let server = url_of(credential).map(|url| endpoint(shape, vendor, url)).transpose()?;
        Ok(Arc::new(credential.to_policy(server)))
    };
    shape.credentials.iter().map(compiled).collect()
}

/// Where a provider is: where it is said, or where its vendor is, or where the server of its first key is.
fn address(shape: &ProviderShape, vendor: &Vendor) -> Result<Endpoint, CompileError> {
    let of_keys = || shape.credentials.iter().find_map(url_of);
    let url = shape.base_url.as_deref().or(vendor.base_url).or_else(of_keys);
    endpoint(shape, vendor, url.ok_or_else(|| CompileError::NoAddress(shape.name.clone()))?)
}

fn url_of(credential: &CredentialShape) -> Option<&str> {
    credential.server.as_ref()?.url.as_deref()
}

fn endpoint(shape: &ProviderShape, vendor: &Vendor, url: &str) -> Result<Endpoint, CompileError> {
    vendor::endpoint(vendor, url).map_err(|error| CompileError::BadBaseUrl(shape.name.clone(), error))
}

fn stand_in() -> Vec<Arc<Credential>> {
    vec![Arc::new(Credential::none())]
}

#[cfg(test)]
mod tests;
