//! Providers: where calls can go. Replies hold the provider itself, without an envelope.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use policy::declare::entity::Kind;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::crud::find;
use crate::auth::Who;
use crate::body::strip;
use crate::error::ApiError;
use crate::extract::{Form, Named, Params};
use crate::openapi::Failures;
use crate::page::ListQuery;
use crate::schema::{Provider, ProviderBody};
use crate::state::State;
use crate::view::Lens;

/// Several providers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderList {
    #[schema(value_type = Vec<Provider>)]
    providers: Vec<Value>,
    /// How many there are in all.
    total: u64,
}

/// That one is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderGone {
    /// What was done.
    message: &'static str,
}

/// Lists the providers.
#[utoipa::path(get, path = "/api/providers", tag = "providers", operation_id = "list_providers",
    params(("search" = Option<String>, Query), ("limit" = Option<u32>, Query, format = Int64),
        ("offset" = Option<u32>, Query, format = Int64)),
    responses((status = 200, description = "The providers.", body = ProviderList), Failures))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Params(query): Params<ListQuery>,
) -> Result<Json<ProviderList>, ApiError> {
    let filter = query.filter(Kind::Provider, &[])?;
    state
        .blocking(move |state| {
            let (entries, total) = state.control.page(&filter)?;
            let lens = Lens::of(&state.control);
            Ok(Json(ProviderList { providers: entries.iter().map(|entry| lens.show(entry)).collect(), total }))
        })
        .await
}

/// Makes a provider.
#[utoipa::path(post, path = "/api/providers", tag = "providers", operation_id = "create_provider",
    request_body = ProviderBody,
    responses((status = 201, description = "The provider.", body = Provider), Failures))]
pub(crate) async fn create(
    Shared(state): Shared<State>,
    who: Who,
    Form(mut body): Form<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let name = taken_name(&mut body)?;
    let name = name.ok_or_else(|| ApiError::invalid("provider: required, but missing").about("provider"))?;
    strip(Kind::Provider, &mut body);
    state
        .blocking(move |state| {
            let body = Value::Object(body).to_string();
            let created = state.control.create_as(Kind::Provider, &name, &body, &who.actor())?;
            let shown = Lens::of(&state.control).show(&created.entry);
            Ok((StatusCode::CREATED, Json(shown)).into_response())
        })
        .await
}

/// Gives a provider.
#[utoipa::path(get, path = "/api/providers/{provider}", tag = "providers", operation_id = "get_provider",
    params(("provider" = String, Path)),
    responses((status = 200, description = "The provider.", body = Provider), Failures))]
pub(crate) async fn read(Shared(state): Shared<State>, Named(name): Named<String>) -> Result<Json<Value>, ApiError> {
    state
        .blocking(move |state| {
            let entry = find(&state.control, Kind::Provider, &name)?;
            Ok(Json(Lens::of(&state.control).show(&entry)))
        })
        .await
}

/// Changes a provider. What is absent stays, `null` removes; `keys` are all that there are from now on.
#[utoipa::path(put, path = "/api/providers/{provider}", tag = "providers", operation_id = "update_provider",
    params(("provider" = String, Path)), request_body = ProviderBody,
    responses((status = 200, description = "The provider as it is now.", body = Provider), Failures))]
pub(crate) async fn update(
    Shared(state): Shared<State>,
    Named(name): Named<String>,
    who: Who,
    Form(mut body): Form<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    if taken_name(&mut body)?.is_some_and(|other| other != name) {
        return Err(ApiError::invalid("provider: a provider cannot be renamed").about("provider"));
    }
    strip(Kind::Provider, &mut body);
    state
        .blocking(move |state| {
            let _turn = state.list.lock();
            find(&state.control, Kind::Provider, &name)?;
            let body = Value::Object(body).to_string();
            let entry = state.control.update(Kind::Provider, &name, &body, &who.actor())?;
            Ok(Json(Lens::of(&state.control).show(&entry)))
        })
        .await
}

/// Removes a provider.
#[utoipa::path(delete, path = "/api/providers/{provider}", tag = "providers", operation_id = "delete_provider",
    params(("provider" = String, Path)),
    responses((status = 200, description = "It is gone.", body = ProviderGone), Failures))]
pub(crate) async fn remove(
    Shared(state): Shared<State>,
    Named(name): Named<String>,
    who: Who,
) -> Result<Json<ProviderGone>, ApiError> {
    state
        .blocking(move |state| {
            find(&state.control, Kind::Provider, &name)?;
            state.control.remove(Kind::Provider, &name, &who.actor()).map_err(ApiError::of_removal)?;
            Ok(Json(ProviderGone { message: "provider deleted" }))
        })
        .await
}

/// The name that a body gives, under either of its names. It is not part of what is kept of a provider.
fn taken_name(body: &mut Map<String, Value>) -> Result<Option<String>, ApiError> {
    let mut name = None;
    for field in ["provider", "name"] {
        match body.remove(field) {
            None => {}
            Some(Value::String(text)) if !text.is_empty() && name.as_ref().is_none_or(|known| *known == text) => {
                name = Some(text);
            }
            Some(other) => {
                let message = format!("{field} = {other}: expected the provider's name");
                return Err(ApiError::invalid(message).about(field));
            }
        }
    }
    Ok(name)
}
