//! Admin API keys: bearer tokens that open management, shown once.

use axum::Json;
use axum::extract::State as Shared;
use http::StatusCode;
use jiff::Timestamp;
use policy::window::utc_text;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::auth::{ApiKey, ApiKeyChange, Who};
use crate::error::ApiError;
use crate::extract::{Form, Named};
use crate::openapi::Failures;
use crate::state::State;

/// An admin API key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct Shown {
    id: String,
    name: String,
    /// Whether it opens anything.
    is_active: bool,
    /// When it was made (RFC 3339).
    created_at: String,
    /// From when on it opens nothing (RFC 3339).
    expires_at: Option<String>,
    /// The token: in the reply to its creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// An admin API key as it is to be. In a `PUT` absent fields stay, and `expires_at: null` removes the end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyBody)]
pub(crate) struct Wanted {
    /// Its name, which the audit log tells. No other key has it.
    name: Option<String>,
    /// Whether it opens anything.
    is_active: Option<bool>,
    /// From when on it opens nothing (RFC 3339).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    expires_at: Option<Option<String>>,
}

/// Several of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyList {
    api_keys: Vec<Shown>,
    count: usize,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyReply {
    api_key: Shown,
}

/// That one is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyGone {
    /// What was done.
    message: &'static str,
}

/// `null` is not the same as absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Wanted {
    fn change(self) -> Result<ApiKeyChange, ApiError> {
        let Self { name, is_active, expires_at } = self;
        let expires_at_ms = expires_at.map(|end| end.as_deref().map(moment).transpose()).transpose()?;
        Ok(ApiKeyChange { name, is_active, expires_at_ms })
    }
}

fn moment(text: &str) -> Result<u64, ApiError> {
    let read: Option<u64> = text.parse::<Timestamp>().ok().and_then(|moment| moment.as_millisecond().try_into().ok());
    read.ok_or_else(|| {
        ApiError::invalid("expires_at: expected a moment as in 2026-12-01T00:00:00Z").about("expires_at")
    })
}

fn shown(key: ApiKey, token: Option<String>) -> Shown {
    let ApiKey { id, name, is_active, created_ms, expires_at_ms, .. } = key;
    Shown { id, name, is_active, created_at: utc_text(created_ms), expires_at: expires_at_ms.map(utc_text), token }
}

/// Lists the admin API keys.
#[utoipa::path(get, path = "/api/api-keys", tag = "api_keys", operation_id = "list_api_keys",
    responses((status = 200, description = "All of them.", body = ApiKeyList), Failures))]
pub(crate) async fn list(Shared(state): Shared<State>) -> Result<Json<ApiKeyList>, ApiError> {
    let all = state.blocking(|state| state.gate.api_keys.all()).await?;
    let api_keys: Vec<_> = all.into_iter().map(|key| shown(key, None)).collect();
    Ok(Json(ApiKeyList { count: api_keys.len(), api_keys }))
}

/// Makes an admin API key. Its token is shown this once.
#[utoipa::path(post, path = "/api/api-keys", tag = "api_keys", operation_id = "create_api_key", request_body = Wanted,
    responses((status = 201, description = "The key with its token.", body = ApiKeyReply), Failures))]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    who: Who,
    Form(wanted): Form<Wanted>,
) -> Result<(StatusCode, Json<ApiKeyReply>), ApiError> {
    let change = wanted.change()?;
    let (key, token) = state
        .blocking(move |state| state.gate.api_keys.create(change, &who.entry("create", state.control.now().wall_ms)))
        .await?;
    Ok((StatusCode::CREATED, Json(ApiKeyReply { api_key: shown(key, Some(token.reveal().to_owned())) })))
}

/// Gives an admin API key.
#[utoipa::path(get, path = "/api/api-keys/{id}", tag = "api_keys", operation_id = "get_api_key", params(("id" = String, Path)),
    responses((status = 200, description = "The key, without its token.", body = ApiKeyReply), Failures))]
pub(crate) async fn read(
    Shared(state): Shared<State>,
    Named(id): Named<String>,
) -> Result<Json<ApiKeyReply>, ApiError> {
    let all = state.blocking(|state| state.gate.api_keys.all()).await?;
    let key = all.into_iter().find(|key| key.id == id);
    let key = key.ok_or_else(|| ApiError::not_found(format!("there is no API key `{}`", id.escape_debug())))?;
    Ok(Json(ApiKeyReply { api_key: shown(key, None) }))
}

/// Changes an admin API key.
#[utoipa::path(put, path = "/api/api-keys/{id}", tag = "api_keys", operation_id = "update_api_key",
    params(("id" = String, Path)), request_body = Wanted,
    responses((status = 200, description = "The key as it is now.", body = ApiKeyReply), Failures))]
pub(crate) async fn update(
    Shared(state): Shared<State>,
    Named(id): Named<String>,
    who: Who,
    Form(wanted): Form<Wanted>,
) -> Result<Json<ApiKeyReply>, ApiError> {
    let change = wanted.change()?;
    let work =
        move |state: &State| state.gate.api_keys.update(&id, change, &who.entry("update", state.control.now().wall_ms));
    Ok(Json(ApiKeyReply { api_key: shown(state.blocking(work).await?, None) }))
}

/// Removes an admin API key: it opens nothing from now on.
#[utoipa::path(delete, path = "/api/api-keys/{id}", tag = "api_keys", operation_id = "delete_api_key",
    params(("id" = String, Path)),
    responses((status = 200, description = "It is gone.", body = ApiKeyGone), Failures))]
pub(crate) async fn remove(
    Shared(state): Shared<State>,
    Named(id): Named<String>,
    who: Who,
) -> Result<Json<ApiKeyGone>, ApiError> {
    state
        .blocking(move |state| state.gate.api_keys.remove(&id, &who.entry("delete", state.control.now().wall_ms)))
        .await?;
    Ok(Json(ApiKeyGone { message: "API key deleted" }))
}
