//! What a caller is told when no target is left: the reason of the candidate that came nearest.

use std::time::Duration;

use super::planner::SameModel;
use super::{Caller, DropReason, Dropped};
use crate::decision::{Reason, Refusal};
use crate::id::{CredentialName, RuleId};
use crate::request::{Dialect, Request};

/// The refusal.
pub(super) fn of(
    model: &SameModel<'_>,
    rule: Option<&RuleId>,
    caller: &Caller,
    request: &Request<'_>,
    dropped: &[Dropped],
    pinned: Option<&CredentialName>,
) -> Refusal {
    let nearest = dropped.iter().rev().max_by_key(|dropped| dropped.reason);
    let who =
        caller.key.as_ref().map_or_else(|| "an anonymous call".to_owned(), |key| format!("virtual key `{}`", key.name));
    let Some(Dropped { provider, model, reason }) = nearest.filter(|dropped| dropped.reason > DropReason::NotServed)
    else {
        let SameModel { routed, asked } = model;
        let message = match rule.filter(|_| routed != asked) {
            Some(rule) => format!(
                "no configured provider serves model `{routed}`, by which routing rule `{rule}` replaced `{asked}`"
            ),
            None => format!("no configured provider serves model `{asked}`"),
        };
        return Refusal::new(Reason::ModelNotFound, message).about("model");
    };
    let (reason, message) = match reason {
        DropReason::NotConfigured | DropReason::NotServed | DropReason::ProviderBlocked => {
            (Reason::ProviderBlocked, format!("{who} may not use provider `{provider}`"))
        }
        DropReason::OnlyByName => (
            Reason::ProviderBlocked,
            format!("{who} reaches provider `{provider}` only by name: ask for `{provider}/{model}`"),
        ),
        DropReason::ModelBlocked => {
            (Reason::ModelBlocked, format!("{who} may not use model `{model}` of provider `{provider}`"))
        }
        DropReason::CannotSpeak { dialect } => {
            (Reason::InvalidRequest, format!("provider `{provider}` {}", cannot_serve(*dialect, request)))
        }
        DropReason::NoCredential => {
            let which = pinned.map_or_else(String::new, |name| format!(" named `{name}`"));
            let message =
                format!("provider `{provider}` has no credential{which} that {who} may use for model `{model}`");
            (Reason::CredentialsExhausted, message)
        }
        // What is exhausted has a refusal of its own, which says of what.
        DropReason::Down { .. } | DropReason::Exhausted => (
            Reason::UpstreamUnreachable,
            format!("provider `{provider}` failed too often with model `{model}` and is not asked for a moment"),
        ),
    };
    let refusal = Refusal::new(reason, message).about("model");
    match reason {
        // A circuit is tried again after two seconds at the latest.
        Reason::UpstreamUnreachable => refusal.retry_after(Duration::from_secs(2)),
        _ => refusal,
    }
}

/// Why a provider that speaks a dialect cannot serve a request, in words that follow its name.
#[must_use]
pub fn cannot_serve(dialect: Dialect, request: &Request<'_>) -> String {
    let Request { operation, dialect: asked, .. } = request;
    if dialect == *asked {
        format!("does not take {operation} requests, nor any that they could be translated to")
    } else {
        format!(
            "speaks the {dialect} dialect, and {operation} requests of the {asked} dialect cannot be translated to it"
        )
    }
}
