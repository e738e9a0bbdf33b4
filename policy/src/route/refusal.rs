//! What a caller is told when no target is left: the reason of the candidate that came nearest.

use super::{Caller, DropReason, Dropped};
use crate::decision::{Reason, Refusal};
use crate::id::{CredentialName, ModelName};
use crate::request::Request;

/// The refusal.
pub(super) fn of(
    model: &ModelName,
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
        let message = format!("no configured provider serves model `{model}`");
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
        DropReason::CannotSpeak { dialect } => (
            Reason::InvalidRequest,
            format!(
                "provider `{provider}` speaks the {dialect} dialect and cannot take {} in the {} dialect: call it as \
                 {dialect} is called",
                request.operation, request.dialect
            ),
        ),
        DropReason::NoCredential => {
            let which = pinned.map_or_else(String::new, |name| format!(" named `{name}`"));
            let message =
                format!("provider `{provider}` has no credential{which} that {who} may use for model `{model}`");
            (Reason::CredentialsExhausted, message)
        }
        DropReason::Down { .. } => (
            Reason::UpstreamUnreachable,
            format!("provider `{provider}` failed too often with model `{model}` and is not asked for a moment"),
        ),
    };
    Refusal::new(reason, message).about("model")
}
