//! The gate: required headers, who calls, what they may do, and by which plan.
//!
//! It has two steps, because a stranger's body is never read: [`enter`] needs the header alone, [`admit`] the body too.
//! No refusal tells of a state that is looked at later than it.

use std::sync::Arc;

use crate::decision::{Decision, Reason, Refusal};
use crate::key::{Blocked, TokenHash, VirtualKey};
use crate::provider::Secret;
use crate::request::{Operation, Request};
use crate::route::{self, Caller, Circumstances};
use crate::settings::KeyRequirement;
use crate::snapshot::Snapshot;
use crate::window::Now;

/// The credentials of a request, as they were sent. Empty ones count as absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presented<'a> {
    /// `x-bf-vk`: always a virtual key.
    pub explicit: Option<&'a str>,
    /// Where SDKs put their API key, in order of precedence: `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`,
    /// `api-key`, and Gemini's `key` query parameter.
    pub general: [Option<&'a str>; 5],
}

/// Decides who calls, from the header alone. Required headers are checked before, by [`crate::headers::check_required`].
///
/// # Errors
/// The refusal: no key, an unknown, inactive or expired one, two different ones, or one that may not use the operation.
pub fn enter(
    snapshot: &Snapshot,
    presented: &Presented<'_>,
    operation: Operation,
    now: Now,
) -> Result<Caller, Refusal> {
    let caller = identify(snapshot, presented, now)?;
    let Some(key) = &caller.key else {
        return if needs_key(snapshot) { Err(key_required(presented)) } else { Ok(caller) };
    };
    check(key, operation, now)?;
    Ok(caller)
}

/// Decides whether a call may be made with a key, whatever it is shown by.
///
/// # Errors
/// The refusal: the key is inactive or expired, or may not use the operation.
pub fn enter_with(key: &Arc<VirtualKey>, operation: Operation, now: Now) -> Result<Caller, Refusal> {
    check(key, operation, now)?;
    Ok(Caller { key: Some(Arc::clone(key)), own_credential: None })
}

fn check(key: &VirtualKey, operation: Operation, now: Now) -> Result<(), Refusal> {
    if let Some(blocked) = key.blocked(now.wall_ms) {
        return Err(key_blocked(key, blocked));
    }
    if !key.operations.contains(operation) {
        let message = format!("virtual key `{}` may not use {operation} requests", key.name);
        return Err(Refusal::new(Reason::OperationBlocked, message));
    }
    Ok(())
}

/// Decides where a caller's request goes.
pub fn admit(snapshot: &Snapshot, caller: Caller, request: &Request<'_>, now: &mut Circumstances<'_>) -> Decision {
    match route::plan(snapshot, caller, request, now) {
        Ok(plan) => Decision::Admit(plan),
        Err(refusal) => Decision::Refuse(refusal),
    }
}

/// Whether a call without a virtual key is refused.
#[must_use]
pub fn needs_key(snapshot: &Snapshot) -> bool {
    match snapshot.settings().key_requirement {
        KeyRequirement::Never => false,
        KeyRequirement::Always => true,
        KeyRequirement::WhenKeysExist => snapshot.key_count() > 0,
    }
}

fn identify(snapshot: &Snapshot, presented: &Presented<'_>, now: Now) -> Result<Caller, Refusal> {
    let settings = snapshot.settings();
    let mut caller = Caller::default();
    let explicit = presented.explicit.map(|token| (token, true));
    let general = presented.general.into_iter().flatten().map(|token| (token, false));
    for (token, is_explicit) in explicit.into_iter().chain(general).filter(|(token, _)| !token.is_empty()) {
        let hash = TokenHash::of(token);
        let found = snapshot.key_of_token(&hash);
        match (found, &caller.key) {
            // What was a key's once is never passed on as the caller's own.
            (Some(key), _) if !key.is_opened_by(&hash, now.wall_ms) => return Err(key_not_found()),
            (Some(key), Some(other)) if key.id != other.id => return Err(two_keys()),
            (Some(key), _) => caller.key = Some(key.clone()),
            (None, _) if is_explicit || settings.looks_like_key(token) => return Err(key_not_found()),
            (None, _) if settings.allow_direct_keys && caller.own_credential.is_none() => {
                caller.own_credential = Some(Secret::new(token));
            }
            (None, _) => {}
        }
    }
    Ok(caller)
}

fn key_required(presented: &Presented<'_>) -> Refusal {
    let is_other = presented.general.into_iter().flatten().any(|token| !token.is_empty());
    let what = if is_other {
        "the credential sent is no virtual key, and one is required"
    } else {
        "a virtual key is required"
    };
    let how = "send it as `x-bf-vk`, or where your SDK puts its API key \
               (`Authorization: Bearer`, `x-api-key`, `x-goog-api-key`, `api-key`)";
    Refusal::new(Reason::VirtualKeyRequired, format!("{what}: {how}"))
}

fn key_not_found() -> Refusal {
    Refusal::new(Reason::VirtualKeyNotFound, "the virtual key does not exist or has been revoked")
}

fn two_keys() -> Refusal {
    Refusal::new(Reason::InvalidRequest, "the request carries two different virtual keys; send one")
}

fn key_blocked(key: &VirtualKey, blocked: Blocked) -> Refusal {
    let why = match blocked {
        Blocked::Inactive => "is inactive",
        Blocked::Expired => "has expired",
    };
    Refusal::new(Reason::VirtualKeyBlocked, format!("virtual key `{}` {why}", key.name))
}

#[cfg(test)]
mod tests;
