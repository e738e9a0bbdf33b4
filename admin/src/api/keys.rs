//! Keys of providers, one at a time. They are kept as part of their provider, so a change of one is a change of the provider.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use engine::control::Control;
use http::StatusCode;
use policy::declare::entity::Kind;
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::registry::Filter;
use utoipa::ToSchema;

use super::crud::find;
use crate::auth::Who;
use crate::error::ApiError;
use crate::extract::{Form, Named};
use crate::openapi::Failures;
use crate::schema::{ProviderKey, ProviderKeyBody};
use crate::state::State;

/// A provider's keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    #[schema(value_type = Vec<ProviderKey>)]
    keys: Vec<Value>,
    total: usize,
}

/// That one is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyGone {
    /// What was done.
    message: &'static str,
}

/// A key in the flat list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyLine {
    /// Its name, which is what it is called by elsewhere.
    key_id: String,
    name: String,
    provider: String,
}

/// Lists the keys of all providers.
#[utoipa::path(get, path = "/api/keys", tag = "providers", operation_id = "list_keys",
    responses((status = 200, description = "By provider.", body = Vec<KeyLine>), Failures))]
pub(crate) async fn all(Shared(state): Shared<State>) -> Result<Json<Vec<KeyLine>>, ApiError> {
    state
        .blocking(|state| {
            let filter = Filter { kind: Kind::Provider.as_str().to_owned(), limit: u32::MAX, ..Filter::default() };
            let (providers, _) = state.control.page(&filter)?;
            let lines = providers.iter().flat_map(|provider| {
                let keys = keys_in(&provider.document);
                let names = keys.iter().filter_map(name_of).map(str::to_owned).collect::<Vec<_>>();
                names.into_iter().map(|name| KeyLine { key_id: name.clone(), name, provider: provider.id.to_string() })
            });
            Ok(Json(lines.collect()))
        })
        .await
}

/// Lists the keys of a provider.
#[utoipa::path(get, path = "/api/providers/{provider}/keys", tag = "providers", operation_id = "list_provider_keys",
    params(("provider" = String, Path)),
    responses((status = 200, description = "Its keys.", body = KeyList), Failures))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Named(provider): Named<String>,
) -> Result<Json<KeyList>, ApiError> {
    let keys = state.blocking(move |state| keys_of(&state.control, &provider)).await?;
    Ok(Json(KeyList { total: keys.len(), keys }))
}

/// Adds a key to a provider.
#[utoipa::path(post, path = "/api/providers/{provider}/keys", tag = "providers", operation_id = "create_provider_key",
    params(("provider" = String, Path)), request_body = ProviderKeyBody,
    responses((status = 201, description = "The key.", body = ProviderKey), Failures))]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    Named(provider): Named<String>,
    who: Who,
    Form(body): Form<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let key = Value::Object(body);
    let Some(name) = name_of(&key).map(str::to_owned) else {
        return Err(ApiError::invalid("name: required, but missing").about("name"));
    };
    let shown = state
        .blocking(move |state| {
            change(state, &provider, &who, &name, |keys| {
                if keys.iter().any(|known| name_of(known) == Some(&name)) {
                    return Err(ApiError::conflict(format!("the provider has a key `{name}` already")).about("name"));
                }
                keys.push(key);
                Ok(())
            })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// Gives a key of a provider.
#[utoipa::path(get, path = "/api/providers/{provider}/keys/{key}", tag = "providers", operation_id = "get_provider_key",
    params(("provider" = String, Path), ("key" = String, Path)),
    responses((status = 200, description = "The key.", body = ProviderKey), Failures))]
pub(crate) async fn read(
    Shared(state): Shared<State>,
    Named((provider, name)): Named<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    state
        .blocking(move |state| {
            let keys = keys_of(&state.control, &provider)?;
            keys.into_iter().find(|key| name_of(key) == Some(&name)).map(Json).ok_or_else(|| no_such(&name))
        })
        .await
}

/// Changes a key of a provider. What is absent stays, `null` removes.
#[utoipa::path(put, path = "/api/providers/{provider}/keys/{key}", tag = "providers", operation_id = "update_provider_key",
    params(("provider" = String, Path), ("key" = String, Path)), request_body = ProviderKeyBody,
    responses((status = 200, description = "The key as it is now.", body = ProviderKey), Failures))]
pub(crate) async fn update(
    Shared(state): Shared<State>,
    Named((provider, name)): Named<(String, String)>,
    who: Who,
    Form(body): Form<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    if body.get("name").is_some_and(|other| other.as_str() != Some(&name)) {
        return Err(ApiError::invalid("name: a provider's key cannot be renamed").about("name"));
    }
    let shown = state
        .blocking(move |state| {
            change(state, &provider, &who, &name, |keys| {
                let key = keys.iter_mut().find(|key| name_of(key) == Some(&name));
                merge(key.and_then(Value::as_object_mut).ok_or_else(|| no_such(&name))?, body);
                Ok(())
            })
        })
        .await?;
    Ok(Json(shown))
}

/// Removes a key of a provider.
#[utoipa::path(delete, path = "/api/providers/{provider}/keys/{key}", tag = "providers",
    operation_id = "delete_provider_key", params(("provider" = String, Path), ("key" = String, Path)),
    responses((status = 200, description = "It is gone.", body = KeyGone), Failures))]
pub(crate) async fn remove(
    Shared(state): Shared<State>,
    Named((provider, name)): Named<(String, String)>,
    who: Who,
) -> Result<Json<KeyGone>, ApiError> {
    let work = move |state: &State| {
        change(state, &provider, &who, &name, |keys| {
            let before = keys.len();
            keys.retain(|key| name_of(key) != Some(&name));
            if keys.len() < before { Ok(()) } else { Err(no_such(&name)) }
        })
    };
    state.blocking(work).await?;
    Ok(Json(KeyGone { message: "key deleted" }))
}

/// Changes the keys of a provider, and gives the one of that name. Their secrets are asterisks here, which stand for what is kept.
fn change(
    state: &State,
    provider: &str,
    who: &Who,
    name: &str,
    edit: impl FnOnce(&mut Vec<Value>) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    let _turn = state.list.lock();
    let mut keys = keys_of(&state.control, provider)?;
    edit(&mut keys)?;
    let body = json!({ "keys": keys }).to_string();
    let entry = state.control.update(Kind::Provider, provider, &body, &who.actor())?;
    Ok(keys_in(&entry.document).into_iter().find(|key| name_of(key) == Some(name)).unwrap_or_default())
}

/// `null` says something of a weight, and removes all else.
fn merge(key: &mut Map<String, Value>, body: Map<String, Value>) {
    for (name, value) in body {
        if value.is_null() && name != "weight" {
            key.remove(&name);
        } else {
            key.insert(name, value);
        }
    }
}

fn keys_of(control: &Control, provider: &str) -> Result<Vec<Value>, ApiError> {
    Ok(keys_in(&find(control, Kind::Provider, provider)?.document))
}

fn keys_in(document: &str) -> Vec<Value> {
    let mut document: Value = serde_json::from_str(document).unwrap_or_default();
    match document.get_mut("keys").map(Value::take) {
        Some(Value::Array(keys)) => keys,
        _ => Vec::new(),
    }
}

fn name_of(key: &Value) -> Option<&str> {
    key.get("name").and_then(Value::as_str)
}

fn no_such(name: &str) -> ApiError {
    ApiError::not_found(format!("the provider has no key `{}`", name.escape_debug()))
}
