//! The sections of which there is one each, what of the configuration file differs from what is kept, and the program's version.

use axum::Json;
use axum::extract::State as Shared;
use engine::control::{Control, DriftKind};
use policy::declare::entity::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::auth::Who;
use crate::error::ApiError;
use crate::extract::Form;
use crate::openapi::Failures;
use crate::state::State;

/// The sections. Secrets are shown as asterisks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Config {
    /// `client`
    #[schema(value_type = Object)]
    client_config: Value,
    /// `framework`
    #[schema(value_type = Object)]
    framework_config: Value,
    /// `governance.auth_config`
    #[schema(value_type = Object)]
    auth_config: Value,
    /// Always true: this was read from it.
    is_db_connected: bool,
}

/// What is to change of them. Of each section what is absent stays, and `null` removes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigBody {
    /// `client`
    #[schema(value_type = Option<Object>)]
    client_config: Option<Map<String, Value>>,
    /// `framework`
    #[schema(value_type = Option<Object>)]
    framework_config: Option<Map<String, Value>>,
    /// `governance.auth_config`
    #[schema(value_type = Option<Object>)]
    auth_config: Option<Map<String, Value>>,
    /// Passed over: only replies say it.
    #[serde(rename = "is_db_connected")]
    _is_db_connected: Option<bool>,
}

/// That they were changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigChanged {
    /// What was done.
    message: &'static str,
    config: Config,
    /// What was changed since the gateway started and is in force only after a restart, as `client.drain_ms` or `framework`.
    needs_restart: Vec<String>,
}

/// Where what is kept is not what the configuration file declares.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriftList {
    drift: Vec<DriftLine>,
    count: usize,
    /// What was changed since the gateway started and is in force only after a restart, as `client.drain_ms` or `framework`.
    needs_restart: Vec<String>,
}

/// One such place.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriftLine {
    /// The kind of entity.
    kind: &'static str,
    id: String,
    /// `edited_by_api`, `deleted_by_api`, `only_in_store`, or `still_named`: it is gone from the file, and something names it.
    drift: &'static str,
    /// `file` or `api`: whose word counts now.
    owner: &'static str,
}

/// The version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    version: &'static str,
}

const SECTIONS: [(&str, Kind); 3] =
    [("client_config", Kind::Client), ("framework_config", Kind::Framework), ("auth_config", Kind::AuthConfig)];

/// Gives the sections of which there is one each.
#[utoipa::path(get, path = "/api/config", tag = "config", operation_id = "get_config",
    responses((status = 200, description = "The sections.", body = Config), Failures))]
pub(crate) async fn read(Shared(state): Shared<State>) -> Result<Json<Config>, ApiError> {
    state.blocking(|state| Ok(Json(config(&state.control)?))).await
}

/// Changes sections: all that are given, or none.
#[utoipa::path(put, path = "/api/config", tag = "config", operation_id = "update_config", request_body = ConfigBody,
    responses((status = 200, description = "The sections as they are now.", body = ConfigChanged), Failures))]
pub(crate) async fn update(
    Shared(state): Shared<State>,
    who: Who,
    Form(body): Form<ConfigBody>,
) -> Result<Json<ConfigChanged>, ApiError> {
    state
        .blocking(move |state| {
            let given = sections(body);
            let bodies = given.iter().map(|(_, kind, section)| (*kind, section.to_string())).collect();
            state.control.put_sections(bodies, &who.actor()).map_err(|(at, error)| {
                match at.and_then(|at| given.get(at)) {
                    Some((name, ..)) => ApiError::from(error).within(name),
                    None => error.into(),
                }
            })?;
            let needs_restart = state.control.waits_for_restart()?;
            if !needs_restart.is_empty() {
                tracing::warn!(fields = ?needs_restart, "management: what was changed is read when the gateway starts");
            }
            Ok(Json(ConfigChanged { message: "configuration updated", config: config(&state.control)?, needs_restart }))
        })
        .await
}

/// The sections that are given, with their names in the body.
fn sections(body: ConfigBody) -> Vec<(&'static str, Kind, Value)> {
    let ConfigBody { client_config, framework_config, auth_config, .. } = body;
    let given = SECTIONS.into_iter().zip([client_config, framework_config, auth_config]);
    given.filter_map(|((name, kind), section)| Some((name, kind, Value::Object(section?)))).collect()
}

fn config(control: &Control) -> Result<Config, ApiError> {
    let section = |kind: Kind| -> Result<Value, ApiError> {
        let entry = control.get(kind, kind.as_str())?;
        let document = entry.and_then(|entry| serde_json::from_str(&entry.document).ok());
        Ok(document.unwrap_or_else(|| Value::Object(Map::new())))
    };
    Ok(Config {
        client_config: section(Kind::Client)?,
        framework_config: section(Kind::Framework)?,
        auth_config: section(Kind::AuthConfig)?,
        is_db_connected: true,
    })
}

/// Lists what is kept and differs from the configuration file.
#[utoipa::path(get, path = "/api/config/drift", tag = "config", operation_id = "list_drift",
    responses((status = 200, description = "Each place.", body = DriftList), Failures))]
pub(crate) async fn drift(Shared(state): Shared<State>) -> Result<Json<DriftList>, ApiError> {
    let (found, needs_restart) =
        state.blocking(|state| Ok((state.control.drift()?, state.control.waits_for_restart()?))).await?;
    let line = |one: engine::control::Drift| {
        let drift = match one.what {
            DriftKind::EditedByApi => "edited_by_api",
            DriftKind::DeletedByApi => "deleted_by_api",
            DriftKind::OnlyInStore => "only_in_store",
            DriftKind::StillNamed => "still_named",
        };
        DriftLine { kind: one.kind.as_str(), id: one.id, drift, owner: "api" }
    };
    let drift: Vec<_> = found.into_iter().map(line).collect();
    Ok(Json(DriftList { count: drift.len(), drift, needs_restart }))
}

/// Gives the program's version.
#[utoipa::path(get, path = "/api/version", tag = "config", operation_id = "get_version",
    responses((status = 200, description = "The version.", body = Version), Failures))]
pub(crate) async fn version(Shared(state): Shared<State>) -> Json<Version> {
    Json(Version { version: state.version })
}
