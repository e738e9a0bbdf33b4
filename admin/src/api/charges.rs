//! What was charged, taken back by hand: a budget's usage, and charges of attempts whose end nobody saw.

use axum::Json;
use axum::extract::State as Shared;
use policy::declare::entity::Kind;
use serde::Serialize;
use serde_json::Value;
use store::AttemptId;
use utoipa::ToSchema;

use super::crud::find;
use crate::auth::Who;
use crate::error::ApiError;
use crate::extract::Named;
use crate::openapi::Failures;
use crate::schema::Budget;
use crate::state::State;
use crate::view::Lens;

/// A budget whose usage was reset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reset {
    /// What was done.
    message: &'static str,
    /// What was used until then, in nano-dollars.
    was_used_nano_usd: u64,
    #[schema(value_type = Budget)]
    budget: Value,
}

/// A charge that was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Voided {
    /// What was done.
    message: &'static str,
    run: u64,
    number: u64,
    /// What was taken back on each account.
    entries: Vec<VoidedEntry>,
}

/// What was taken back on one account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VoidedEntry {
    /// `nano_usd`, `requests` or `tokens`.
    unit: &'static str,
    /// The budget's or the rate limit's id.
    id: String,
    amount: u64,
}

/// Sets a budget's usage to nothing.
#[utoipa::path(post, path = "/api/governance/budgets/{id}/reset", tag = "budgets", operation_id = "reset_budget",
    params(("id" = String, Path)),
    responses((status = 200, description = "Nothing of it is used now.", body = Reset), Failures))]
pub(crate) async fn reset(
    Shared(state): Shared<State>,
    Named(id): Named<String>,
    who: Who,
) -> Result<Json<Reset>, ApiError> {
    state
        .blocking(move |state| {
            find(&state.control, Kind::Budget, &id)?;
            let was_used_nano_usd = state.control.reset_budget(&id, &who.actor())?;
            let budget = Value::Object(Lens::of(&state.control).budget(&id));
            Ok(Json(Reset { message: "budget reset", was_used_nano_usd, budget }))
        })
        .await
}

/// Takes the charge of an abandoned attempt back, once.
#[utoipa::path(post, path = "/api/governance/abandoned/{run}/{number}/void", tag = "budgets",
    operation_id = "void_abandoned_charge", params(("run" = u64, Path), ("number" = u64, Path)),
    responses((status = 200, description = "It no longer counts.", body = Voided), Failures))]
pub(crate) async fn void(
    Shared(state): Shared<State>,
    Named((run, number)): Named<(u64, u64)>,
    who: Who,
) -> Result<Json<Voided>, ApiError> {
    let voided =
        state
            .blocking(move |state| Ok(state.control.void(AttemptId { run, number }, &who.actor())?))
            .await?
            .ok_or_else(|| ApiError::not_found("there is no such abandoned charge, or it was taken back before"))?;
    let entry = |entry: store::Amount| VoidedEntry { unit: unit(entry.kind), id: entry.id, amount: entry.amount };
    let entries = voided.entries.into_iter().map(entry).collect();
    Ok(Json(Voided { message: "charge voided", run, number, entries }))
}

const fn unit(kind: store::Kind) -> &'static str {
    match kind {
        store::Kind::Budget => "nano_usd",
        store::Kind::Requests => "requests",
        store::Kind::Tokens => "tokens",
    }
}
