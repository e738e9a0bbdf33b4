//! Where a call goes: from the model asked for to a plan of ordered attempts.

pub mod balance;
mod candidates;
mod failure;
pub mod health;
pub mod rule;
mod select;

pub use failure::Failure;
pub use select::usable_credentials;

use std::sync::Arc;

use crate::catalog::Model;
use crate::decision::{Reason, Refusal};
use crate::id::ModelName;
use crate::key::VirtualKey;
use crate::money::{NanoUsd, scaled_decimal};
use crate::provider::{Credential, Provider, Secret};
use crate::request::Request;
use crate::snapshot::Snapshot;

/// A share of traffic, in millionths, so that it is exact. Only ratios of weights matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u64);

impl Weight {
    /// The weight where none is written.
    pub const ONE: Self = Self(1_000_000);
    /// Chosen only when all others failed.
    pub const ZERO: Self = Self(0);

    /// Reads a non-negative JSON number. `None` when it is none, or larger than a billion.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let millionths = u64::try_from(scaled_decimal(text, 6)?).ok()?;
        (millionths <= 1_000_000_000 * 1_000_000).then_some(Self(millionths))
    }
}

/// Random numbers, given by the caller so that a choice can be replayed.
pub trait Dice {
    /// A number from 0 up to and without `bound`; 0 for a bound of 0.
    fn below(&mut self, bound: u64) -> u64;
}

/// Who calls.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The virtual key, or none for an anonymous call.
    pub key: Option<Arc<VirtualKey>>,
    /// The caller's own vendor key, where the configuration lets callers bring one.
    pub own_credential: Option<Secret>,
}

/// One try of a call: a provider, a credential, and the provider's name for the model.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The credential.
    pub credential: Arc<Credential>,
    /// The model as the provider calls it.
    pub model: ModelName,
    /// What is known of the model; `None` for one in no price list.
    pub known: Option<Arc<Model>>,
    /// The most that it can cost; `None` where the model has no price.
    pub worst_case: Option<NanoUsd>,
}

/// The attempts of a call, in the order in which they are tried; never empty.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who calls.
    pub caller: Caller,
    /// The model as the client named it.
    pub asked: ModelName,
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// What could not be used, and why.
    pub dropped: Vec<Dropped>,
}

/// A target that was not used.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// The provider.
    pub provider: Arc<Provider>,
    /// Why. The later in [`DropReason`], the nearer it came.
    pub reason: DropReason,
}

/// Why a target was not used, from what comes first to what comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// It does not serve the model.
    NotServed,
    /// The key may not use the provider.
    ProviderBlocked,
    /// The key may use the provider only when the client names it.
    OnlyByName,
    /// The key may not use the model.
    ModelBlocked,
    /// The provider speaks another dialect, or lacks the operation.
    CannotSpeak,
    /// No credential that the key may use is for this model.
    NoCredential,
}

/// The plan for a request of a caller, or the refusal with the reason of the candidate that came nearest.
///
/// # Errors
/// When no target is left.
pub fn plan(snapshot: &Snapshot, caller: Caller, request: &Request<'_>, dice: &mut dyn Dice) -> Result<Plan, Refusal> {
    let wanted = candidates::resolve(snapshot, request.model);
    let key = caller.key.as_deref();
    let (usable, mut dropped) = candidates::permitted(&wanted, key, request);
    let mut attempts = Vec::with_capacity(usable.len());
    for provider in select::in_order(snapshot, &wanted, usable, key, request.dialect, dice) {
        let credentials = select::credentials(&provider, &wanted.model, &caller, dice);
        if credentials.is_empty() {
            dropped.push(Dropped { provider, reason: DropReason::NoCredential });
            continue;
        }
        attempts.extend(credentials.into_iter().map(|one| attempt(snapshot, &provider, one, &wanted.model, request)));
    }
    if attempts.is_empty() {
        return Err(refusal(&wanted, key, request, &dropped));
    }
    if caller.own_credential.is_some() {
        // It is one vendor's: another provider must not see it, and it is the same beside each of our credentials.
        attempts.truncate(1);
    }
    Ok(Plan { caller, asked: wanted.model, attempts, dropped })
}

fn attempt(
    snapshot: &Snapshot,
    provider: &Arc<Provider>,
    credential: Arc<Credential>,
    asked: &ModelName,
    request: &Request<'_>,
) -> Attempt {
    let model = credential.resolve(asked).clone();
    let known = candidates::known(snapshot, provider, &model).or_else(|| candidates::known(snapshot, provider, asked));
    let worst_case = known.as_ref().and_then(|known| {
        let max_output = known.max_output.unwrap_or(snapshot.settings().default_max_output_tokens);
        Some(known.price.as_ref()?.worst_case(&request.demand, known.context_window, max_output))
    });
    Attempt { provider: Arc::clone(provider), credential, model, known, worst_case }
}

fn refusal(
    wanted: &candidates::Wanted,
    key: Option<&VirtualKey>,
    request: &Request<'_>,
    dropped: &[Dropped],
) -> Refusal {
    let nearest = dropped.iter().rev().max_by_key(|dropped| dropped.reason);
    let model = &wanted.model;
    let caller = key.map_or_else(|| "an anonymous call".to_owned(), |key| format!("virtual key `{}`", key.name));
    let Some(Dropped { provider, reason }) = nearest.filter(|dropped| dropped.reason != DropReason::NotServed) else {
        let message = format!("no configured provider serves model `{model}`");
        return Refusal::new(Reason::ModelNotFound, message).about("model");
    };
    let provider_name = &provider.name;
    let (reason, message) = match reason {
        DropReason::NotServed | DropReason::ProviderBlocked => {
            (Reason::ProviderBlocked, format!("{caller} may not use provider `{provider_name}`"))
        }
        DropReason::OnlyByName => (
            Reason::ProviderBlocked,
            format!("{caller} reaches provider `{provider_name}` only by name: ask for `{provider_name}/{model}`"),
        ),
        DropReason::ModelBlocked => {
            (Reason::ModelBlocked, format!("{caller} may not use model `{model}` of provider `{provider_name}`"))
        }
        DropReason::CannotSpeak => (
            Reason::InvalidRequest,
            format!(
                "provider `{provider_name}` speaks the {} dialect and cannot take {} in the {} dialect: call it as {} is called",
                provider.dialect, request.operation, request.dialect, provider.dialect
            ),
        ),
        DropReason::NoCredential => (
            Reason::CredentialsExhausted,
            format!("provider `{provider_name}` has no credential that {caller} may use for model `{model}`"),
        ),
    };
    Refusal::new(reason, message).about("model")
}

#[cfg(test)]
mod tests;
