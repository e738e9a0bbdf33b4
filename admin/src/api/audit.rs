//! The audit log: who changed what, newest first, in parts or as JSON Lines.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use futures::stream::try_unfold;
use http::header;
use jiff::Timestamp;
use policy::window::utc_text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::registry::{AuditFilter, AuditRow};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::Params;
use crate::openapi::Failures;
use crate::state::State;

const DEFAULT: u32 = 25;
const MOST: u32 = 100;
/// How many rows of an export are read at once.
const AT_ONCE: u32 = 1_000;

/// Which lines of the audit log.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// By whom.
    actor: Option<String>,
    /// Of which kind of entity: `virtual_key`, `team`, ….
    kind: Option<String>,
    /// Of which entity.
    entity_id: Option<String>,
    /// What was done: `create`, `update`, `delete`, `rotate`, `reveal`, ….
    action: Option<String>,
    /// Not before this moment (RFC 3339).
    start_time: Option<String>,
    /// Not at or after this moment (RFC 3339).
    end_time: Option<String>,
    /// The `next_cursor` of the part before.
    cursor: Option<u64>,
    /// How many: 25 by default, 100 at most. An export gives all.
    limit: Option<u32>,
}

/// A part of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    audit_logs: Vec<AuditLine>,
    count: usize,
    /// The `cursor` of the next part; `null`: this is the last.
    next_cursor: Option<u64>,
}

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditLine {
    /// Its number: 1, 2, 3, ….
    seq: u64,
    /// When (RFC 3339).
    at: String,
    actor: String,
    /// `user`, `api_key`, `file`, `system` or `anonymous`.
    actor_kind: String,
    /// From where; empty if it was no call.
    address: String,
    action: String,
    /// Of the entity.
    kind: String,
    entity_id: String,
    /// What it was, without secrets; `null`: it was not there.
    before: Value,
    /// What it is, without secrets; `null`: it is not there any more.
    after: Value,
    /// Over this line and the one before it, in hexadecimal digits.
    mac: String,
}

impl AuditQuery {
    fn filter(&self, limit: u32) -> Result<AuditFilter, ApiError> {
        let Self { actor, kind, entity_id, action, start_time, end_time, cursor, limit: _ } = self.clone();
        if [&actor, &kind, &entity_id, &action].into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(ApiError::invalid("a filter holds the character U+0000, which no line does"));
        }
        let (from_ms, to_ms) = (moment("start_time", start_time)?, moment("end_time", end_time)?);
        Ok(AuditFilter { actor, kind, entity_id, action, from_ms, to_ms, before: cursor, limit })
    }
}

pub(super) fn moment(name: &str, text: Option<String>) -> Result<Option<u64>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let read: Option<Timestamp> = text.parse().ok();
    let moment = read.ok_or_else(|| {
        ApiError::invalid(format!("{name}: expected a moment as in 2026-12-01T00:00:00Z")).about(name)
    })?;
    Ok(Some(u64::try_from(moment.as_millisecond()).unwrap_or(0)))
}

impl From<AuditRow> for AuditLine {
    fn from(row: AuditRow) -> Self {
        let entry = row.entry;
        let document = |text: Option<String>| text.map_or(Value::Null, |text| json_of(&text));
        Self {
            seq: row.seq,
            at: utc_text(entry.at_ms),
            actor: entry.actor,
            actor_kind: entry.actor_kind,
            address: entry.address,
            action: entry.action,
            kind: entry.kind,
            entity_id: entry.entity_id,
            before: document(entry.before),
            after: document(entry.after),
            mac: row.mac.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A part of the audit log, newest first.
#[utoipa::path(get, path = "/api/governance/audit-logs", tag = "audit_logs", operation_id = "list_audit_logs",
    params(AuditQuery), responses((status = 200, description = "Newest first.", body = AuditPage), Failures))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT).clamp(1, MOST);
    let filter = query.filter(limit)?;
    let rows = state.blocking(move |state| Ok(state.control.registry().audit_page(&filter)?)).await?;
    let next_cursor = rows.last().filter(|row| rows.len() == limit as usize && row.seq > 1).map(|row| row.seq);
    let audit_logs: Vec<_> = rows.into_iter().map(AuditLine::from).collect();
    Ok(Json(AuditPage { count: audit_logs.len(), audit_logs, next_cursor }))
}

/// The audit log as JSON Lines, newest first. `limit` is not heeded.
#[utoipa::path(get, path = "/api/governance/audit-logs/export", tag = "audit_logs", operation_id = "export_audit_logs",
    params(AuditQuery),
    responses((status = 200, description = "A line of JSON for each.", body = String, content_type = "application/x-ndjson"),
        Failures))]
pub(crate) async fn export(
    Shared(state): Shared<State>,
    Params(query): Params<AuditQuery>,
) -> Result<Response, ApiError> {
    let first = query.filter(AT_ONCE)?;
    // What cannot be read at all is told by the status; what breaks off later, by an end that is none.
    let page = read(&state, first.clone()).await?;
    let next = next_of(&first, &page);
    let lines = try_unfold((state, Some(page), next), |(state, page, next)| async move {
        let rows = match (page, next.clone()) {
            (Some(rows), _) => rows,
            (None, None) => return Ok(None),
            (None, Some(filter)) => read(&state, filter).await.map_err(|_| Broken)?,
        };
        let next = next.as_ref().and_then(|filter| next_of(filter, &rows));
        Ok::<_, Broken>((!rows.is_empty()).then(|| (lines_of(rows), (state, None, next))))
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// That an export broke off.
#[derive(Debug, thiserror::Error)]
#[error("the audit log could not be read on")]
struct Broken;

async fn read(state: &State, filter: AuditFilter) -> Result<Vec<AuditRow>, ApiError> {
    state.blocking(move |state| Ok(state.control.registry().audit_page(&filter)?)).await
}

/// What to ask for after some rows; `None`: they were the last.
fn next_of(filter: &AuditFilter, rows: &[AuditRow]) -> Option<AuditFilter> {
    let last = rows.last().filter(|_| rows.len() >= AT_ONCE as usize)?;
    Some(AuditFilter { before: Some(last.seq), ..filter.clone() })
}

fn lines_of(rows: Vec<AuditRow>) -> Bytes {
    let mut text = String::new();
    for row in rows {
        if let Ok(line) = serde_json::to_string(&AuditLine::from(row)) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.into()
}
