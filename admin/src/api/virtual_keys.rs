//! What virtual keys have besides what all entities have: new tokens, old tokens shown again, and what is left of their limits.

use std::time::Duration;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use http::{StatusCode, header};
use policy::declare::entity::Kind;
use policy::id::{CustomerId, TeamId};
use policy::key::{Blocked, TokenHash, VirtualKey as Key};
use policy::limit::Limits;
use policy::snapshot::Snapshot;
use policy::window::{ResetDuration, utc_text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::crud::find;
use crate::auth::Who;
use crate::edge::Client;
use crate::error::ApiError;
use crate::extract::{FormOrNone, Named};
use crate::openapi::Failures;
use crate::schema::{Budget, RateLimit, VirtualKey};
use crate::state::State;
use crate::view::Lens;

/// Where a virtual key may stand in a request, as on the way to a model.
const KEY_HEADERS: [&str; 5] = ["x-bf-vk", "authorization", "x-api-key", "x-goog-api-key", "api-key"];
const MOST_GRACE_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// How a token is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rotation {
    /// How long the old token still opens the key: `30m`, `1h`, `7d`, up to 30 days; absent: no longer.
    grace_period: Option<String>,
}

/// A virtual key with its new token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rotated {
    /// What was done.
    message: &'static str,
    #[schema(value_type = VirtualKey)]
    virtual_key: Value,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revealed {
    /// The token.
    value: String,
}

/// What is left of a virtual key's limits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quota {
    virtual_key_id: String,
    virtual_key_name: String,
    is_active: bool,
    /// From when on it opens nothing (RFC 3339).
    expires_at: Option<String>,
    #[serde(flatten)]
    own: Standing,
    /// Of its team.
    team: Option<Standing>,
    /// Of its customer.
    customer: Option<Standing>,
    /// Of its use of each provider.
    provider_configs: Vec<ProviderQuota>,
}

/// Of the use of a provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderQuota {
    provider: String,
    #[serde(flatten)]
    own: Standing,
}

/// Limits and what was used of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Standing {
    #[schema(value_type = Vec<Budget>)]
    budgets: Vec<Value>,
    #[schema(value_type = Option<RateLimit>)]
    rate_limit: Option<Value>,
}

/// Gives a virtual key a new token.
#[utoipa::path(post, path = "/api/governance/virtual-keys/{id}/rotate", tag = "virtual_keys",
    operation_id = "rotate_virtual_key", params(("id" = String, Path)), request_body = Option<Rotation>,
    responses((status = 200, description = "The new token is shown this once.", body = Rotated), Failures))]
pub(crate) async fn rotate(
    Shared(state): Shared<State>,
    Named(id): Named<String>,
    who: Who,
    FormOrNone(rotation): FormOrNone<Rotation>,
) -> Result<Json<Rotated>, ApiError> {
    let keep_old = grace(rotation.grace_period.as_deref())?;
    state
        .blocking(move |state| {
            find(&state.control, Kind::VirtualKey, &id)?;
            let created = state.control.rotate(&id, keep_old, &who.actor())?;
            let mut virtual_key = Lens::of(&state.control).show(&created.entry);
            if let (Some(token), Some(fields)) = (created.token, virtual_key.as_object_mut()) {
                fields.insert("value".to_owned(), json!(token.reveal()));
            }
            Ok(Json(Rotated { message: "virtual key rotated", virtual_key }))
        })
        .await
}

fn grace(text: Option<&str>) -> Result<Duration, ApiError> {
    let Some(text) = text else { return Ok(Duration::ZERO) };
    let about = |error: ApiError| error.about("grace_period");
    let period: ResetDuration = text.parse().map_err(|_| {
        about(ApiError::invalid("grace_period: expected a positive whole number and one of s m h d w, as in `1h`"))
    })?;
    let ms = period.nominal_ms();
    if ms > MOST_GRACE_MS {
        return Err(about(ApiError::invalid("grace_period: an old token lives for 30 days at most")));
    }
    Ok(Duration::from_millis(ms))
}

/// Shows the token of a virtual key. The audit log tells who asked.
#[utoipa::path(get, path = "/api/governance/virtual-keys/{id}/reveal", tag = "virtual_keys",
    operation_id = "reveal_virtual_key", params(("id" = String, Path)),
    responses((status = 200, description = "The token.", body = Revealed), Failures))]
pub(crate) async fn reveal(
    Shared(state): Shared<State>,
    Named(id): Named<String>,
    who: Who,
) -> Result<Json<Revealed>, ApiError> {
    state
        .blocking(move |state| {
            find(&state.control, Kind::VirtualKey, &id)?;
            let token = state.control.reveal(&id, &who.actor())?;
            Ok(Json(Revealed { value: token.reveal().to_owned() }))
        })
        .await
}

/// What is left of the limits of the virtual key that the request is made with.
#[utoipa::path(get, path = "/api/governance/virtual-keys/quota", tag = "virtual_keys", operation_id = "virtual_key_quota",
    security(("virtual_key" = []), ("virtual_key_bearer" = [])),
    responses((status = 200, description = "Its limits, and what was used of them.", body = Quota), Failures))]
pub(crate) async fn quota(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Json<Quota>, ApiError> {
    let snapshot = state.control.snapshot();
    let now_ms = state.control.now().wall_ms;
    let tokens = KEY_HEADERS.iter().filter_map(|name| token(&headers, name));
    let hashes: Vec<_> = tokens.map(TokenHash::of).collect();
    let found = hashes.iter().find_map(|hash| Some((snapshot.key_of_token(hash)?, hash)));
    let Some((key, _)) = found.filter(|(key, hash)| key.is_opened_by(hash, now_ms)) else {
        let error = if hashes.is_empty() {
            return Err(unauthorized("virtual_key_required", "send a virtual key, in `x-bf-vk` or as bearer token"));
        } else {
            unauthorized("virtual_key_not_found", "there is no such virtual key")
        };
        return Err(state.gate.failed(&state, &Client::of(&headers), error));
    };
    match key.blocked(now_ms) {
        None => Ok(Json(quota_of(&state, &snapshot, key))),
        Some(blocked) => {
            let what = if matches!(blocked, Blocked::Inactive) { "is inactive" } else { "has expired" };
            let message = format!("virtual key `{}` {what}", key.name);
            Err(ApiError::new(StatusCode::FORBIDDEN, "virtual_key_blocked", message))
        }
    }
}

fn token<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    if *name != *header::AUTHORIZATION.as_str() {
        return Some(value);
    }
    value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim())
}

fn unauthorized(kind: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, kind, message)
}

fn quota_of(state: &State, snapshot: &Snapshot, key: &Key) -> Quota {
    let lens = Lens::of(&state.control);
    let team = key.team.as_ref().and_then(|id: &TeamId| snapshot.team(id));
    let customer = snapshot.customer_of(key);
    let customer = customer.as_ref().and_then(|id: &CustomerId| snapshot.customer(id));
    let of_provider = |access: &policy::key::ProviderAccess| ProviderQuota {
        provider: access.provider.to_string(),
        own: standing(&lens, &access.limits),
    };
    Quota {
        virtual_key_id: key.id.to_string(),
        virtual_key_name: key.name.to_string(),
        is_active: key.is_active,
        expires_at: key.expires_at_ms.map(utc_text),
        own: standing(&lens, &key.limits),
        team: team.map(|team| standing(&lens, &team.limits)),
        customer: customer.map(|customer| standing(&lens, &customer.limits)),
        provider_configs: key.providers.iter().map(of_provider).collect(),
    }
}

fn standing(lens: &Lens, limits: &Limits) -> Standing {
    Standing {
        budgets: limits.budgets.iter().map(|id| Value::Object(lens.budget(id.as_str()))).collect(),
        rate_limit: limits.rate_limit.as_ref().map(|id| Value::Object(lens.rate_limit(id.as_str()))),
    }
}
