//! The models that providers are known to have.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Shared;
use policy::provider::Provider;
use policy::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::Params;
use crate::openapi::Failures;
use crate::state::State;

const DEFAULT: usize = 100;
const MOST: usize = 1_000;

/// Which models.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ModelQuery {
    /// A part of the name, in upper or lower case.
    query: Option<String>,
    /// Of this provider.
    provider: Option<String>,
    /// How many: 100 by default, 1,000 at most.
    limit: Option<usize>,
    /// How many are left out before the first.
    offset: Option<usize>,
}

/// Models of configured providers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    models: Vec<ModelLine>,
    /// How many there are in all.
    total: usize,
}

/// A model of a provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelLine {
    name: String,
    provider: String,
    /// What it is for, as the price list says: `chat`, `embedding`, …; `null`: it is not in the list.
    mode: Option<String>,
    /// In tokens.
    context_window: Option<u64>,
    /// In tokens.
    max_output_tokens: Option<u64>,
    /// Whether it has a price.
    is_priced: bool,
}

/// Lists the models that configured providers are known to have.
#[utoipa::path(get, path = "/api/models", tag = "models", operation_id = "list_models", params(ModelQuery),
    responses((status = 200, description = "By provider and name.", body = ModelList), Failures))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Params(query): Params<ModelQuery>,
) -> Result<Json<ModelList>, ApiError> {
    state
        .blocking(move |state| {
            let all = found(&state.control.snapshot(), &query);
            let limit = query.limit.unwrap_or(DEFAULT).min(MOST);
            let total = all.len();
            Ok(Json(ModelList { models: all.into_iter().skip(query.offset.unwrap_or(0)).take(limit).collect(), total }))
        })
        .await
}

fn found(snapshot: &Snapshot, query: &ModelQuery) -> Vec<ModelLine> {
    let wanted = query.query.as_deref().unwrap_or_default().to_lowercase();
    let providers = snapshot.providers();
    let providers = providers.filter(|one| query.provider.as_deref().is_none_or(|name| name == one.name.as_str()));
    let models = providers.flat_map(|provider| models(snapshot, provider));
    models.filter(|model| model.name.to_lowercase().contains(&wanted)).collect()
}

/// What the price list and the provider's keys name, each once.
fn models(snapshot: &Snapshot, provider: &Provider) -> Vec<ModelLine> {
    let vendor = if provider.is_custom { provider.name.as_str() } else { provider.vendor };
    let listed = snapshot.catalog().of_vendor(vendor).map(|(name, _)| name.to_owned());
    let own = provider.enabled_credentials().flat_map(|credential| {
        let listed = credential.models.as_names().into_iter().flatten().map(ToString::to_string);
        listed.chain(credential.aliases.keys().map(ToString::to_string))
    });
    let names: BTreeMap<String, ()> = listed.chain(own).map(|name| (name, ())).collect();
    names.into_keys().map(|name| line(snapshot, provider, name)).collect()
}

fn line(snapshot: &Snapshot, provider: &Provider, name: String) -> ModelLine {
    let known = snapshot.catalog().find(provider.vendor, &name.as_str().into());
    ModelLine {
        provider: provider.name.to_string(),
        mode: known.map(|model| model.mode.to_string()),
        context_window: known.and_then(|model| model.context_window),
        max_output_tokens: known.and_then(|model| model.max_output),
        is_priced: known.is_some_and(|model| model.price.is_some()),
        name,
    }
}
