//! From what an operator wrote to the snapshot: joins the shapes with the table of vendors.

use std::sync::Arc;

use policy::catalog::Catalog;
use policy::declare::{File, FileLimits, Owner, ProviderLimitsShape, ProviderShape};
use policy::id::{ProviderName, VirtualKeyId};
use policy::provider::{Credential, Provider};
use policy::snapshot::{ApplyError, Change, Snapshot};
use providers::vendor;
use thiserror::Error;

/// A configuration that reads well and still cannot be put in force.
#[derive(Debug, Error)]
pub enum CompileError {
    /// The provider's vendor is not in the table.
    #[error("providers.{0}: no vendor of that name")]
    NoSuchVendor(ProviderName),
    /// The provider's base URL is none.
    #[error("providers.{0}.network_config.base_url: {1}")]
    BadBaseUrl(ProviderName, vendor::EndpointError),
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

/// Compiles a file. Every virtual key in it has its token.
///
/// # Errors
/// The first thing that keeps it from being put in force.
pub fn compile(file: &File, catalog: Arc<Catalog>) -> Result<Snapshot, CompileError> {
    let mut draft = Draft(Snapshot::default());
    draft.apply(Change::Settings(Arc::new(file.settings())), || "client".into())?;
    draft.apply(Change::Catalog(catalog), || "price list".into())?;
    for (shape, order) in file.providers.iter().zip(0..) {
        let compiled = Arc::new(provider(shape, order, file.client.allow_direct_keys)?);
        draft.apply(Change::PutProvider(compiled), || format!("providers.{}", shape.name))?;
    }
    // Limits first: whatever names one is refused while it is not there.
    let limits = file.limits();
    draft.put_limits(file, &limits)?;
    draft.put_callers(file, &limits)?;
    draft.put_rules(file)?;
    Ok(draft.0)
}

/// A snapshot in the making.
struct Draft(Snapshot);

impl Draft {
    fn apply(&mut self, change: Change, what: impl FnOnce() -> String) -> Result<(), CompileError> {
        self.0 = self.0.apply(change).map_err(|error| CompileError::Contradiction { what: what(), error })?;
        Ok(())
    }

    /// Budgets and rate limits, and what hangs on providers and models.
    fn put_limits(&mut self, file: &File, limits: &FileLimits<'_>) -> Result<(), CompileError> {
        for budget in &limits.budgets {
            self.apply(Change::PutBudget(Arc::new(budget.clone())), || format!("budget `{}`", budget.id))?;
        }
        for limit in &limits.rate_limits {
            self.apply(Change::PutRateLimit(Arc::new(limit.clone())), || format!("rate limit `{}`", limit.id))?;
        }
        for ProviderLimitsShape { name, .. } in &file.governance.provider_limits {
            let of_provider = limits.of(Owner::Provider(name.as_str()));
            self.apply(Change::LimitProvider(name.clone(), of_provider), || format!("limits of provider `{name}`"))?;
        }
        for config in &file.governance.model_configs {
            self.apply(Change::LimitModel(limits.of_model(config)), || format!("limits of model `{}`", config.model))?;
        }
        Ok(())
    }

    fn put_callers(&mut self, file: &File, limits: &FileLimits<'_>) -> Result<(), CompileError> {
        for customer in &file.governance.customers {
            let compiled = Arc::new(customer.to_policy(limits));
            self.apply(Change::PutCustomer(compiled), || format!("customer `{}`", customer.id))?;
        }
        for team in &file.governance.teams {
            self.apply(Change::PutTeam(Arc::new(team.to_policy(limits))), || format!("team `{}`", team.id))?;
        }
        for key in &file.governance.virtual_keys {
            let token = key.value.as_ref().ok_or_else(|| CompileError::NoToken(key.id.clone()))?;
            let compiled = Arc::new(key.to_policy(file.version, token, limits));
            self.apply(Change::PutVirtualKey(compiled), || format!("virtual key `{}`", key.id))?;
        }
        Ok(())
    }

    /// Routing rules, and prices of the operator's own.
    fn put_rules(&mut self, file: &File) -> Result<(), CompileError> {
        for (rule, order) in file.governance.rules.iter().zip(0..).filter(|(rule, _)| rule.is_enabled) {
            self.apply(Change::PutRule(Arc::new(rule.to_policy(order))), || format!("routing rule `{}`", rule.id))?;
        }
        for one in file.price_overrides() {
            let id = one.id.clone();
            self.apply(Change::PutPriceOverride(Arc::new(one)), || format!("price override `{id}`"))?;
        }
        Ok(())
    }
}

fn provider(shape: &ProviderShape, order: u32, direct_keys: bool) -> Result<Provider, CompileError> {
    let vendor = vendor::find(shape.vendor()).ok_or_else(|| CompileError::NoSuchVendor(shape.name.clone()))?;
    let allowed = shape.custom.as_ref().and_then(|custom| custom.allowed);
    let bad_url = |error| CompileError::BadBaseUrl(shape.name.clone(), error);
    let base_url = shape.base_url.as_deref().unwrap_or(vendor.base_url);
    let endpoint = vendor::endpoint(vendor, base_url).map_err(bad_url)?;
    let keyless = shape.is_keyless();
    Ok(Provider {
        name: shape.name.clone(),
        vendor: vendor.name,
        is_custom: shape.custom.is_some(),
        order,
        dialect: vendor.dialect,
        operations: allowed.map_or(vendor.operations, |allowed| vendor.operations.intersection(allowed)),
        endpoint,
        credentials: credentials(shape, keyless || direct_keys),
        keyless,
        extra_headers: shape.headers_to_send(),
        deadlines: shape.deadlines,
        retries: shape.retries,
        tls: shape.tls.clone(),
    })
}

/// A provider that wants no credential still has one here, so that an attempt always has its credential; so does one that
/// has none, where callers may bring their own.
fn credentials(shape: &ProviderShape, may_be_none: bool) -> Vec<Arc<Credential>> {
    if may_be_none && shape.credentials.is_empty() {
        return vec![Arc::new(Credential::none())];
    }
    shape.credentials.iter().map(|credential| Arc::new(credential.to_policy())).collect()
}

#[cfg(test)]
mod tests;
