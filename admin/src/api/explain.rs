//! What would become of a request.

use std::collections::BTreeMap;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::explain::{Asks, Question};
use crate::extract::{Form, Params};
use crate::openapi::Failures;
use crate::state::State;

const CHAT: &str = "/v1/chat/completions";

/// A request of the least size.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainQuery {
    /// The model that is asked for; absent: the path says which.
    model: Option<String>,
    /// The id of the virtual key; absent: nobody's.
    key: Option<String>,
    /// The path that is called; absent: `/v1/chat/completions`.
    path: Option<String>,
}

/// A request in full.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainBody {
    /// The id of the virtual key; absent: that of the headers, or nobody's.
    key: Option<String>,
    /// The path that is called; absent: `/v1/chat/completions`.
    path: Option<String>,
    /// The headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body.
    #[schema(value_type = Object)]
    request: Map<String, Value>,
}

/// Says what would become of a request for a model: which rules matched, what was dropped and why, the plan, and what stands on
/// each account. Nothing is sent.
#[utoipa::path(get, path = "/api/explain", tag = "explain", operation_id = "explain_model", params(ExplainQuery),
    responses((status = 200, description = "What would become of it.", body = Object), Failures))]
pub(crate) async fn of_model(
    Shared(state): Shared<State>,
    Params(query): Params<ExplainQuery>,
) -> Result<Response, ApiError> {
    let ExplainQuery { model, key, path } = query;
    let path = path.unwrap_or_else(|| CHAT.to_owned());
    answer(&state, Question { path, key, headers: HeaderMap::new(), asks: Asks::Model(model) }).await
}

/// The same of a request in full.
#[utoipa::path(post, path = "/api/explain", tag = "explain", operation_id = "explain_request", request_body = ExplainBody,
    responses((status = 200, description = "What would become of it.", body = Object), Failures))]
pub(crate) async fn of_request(
    Shared(state): Shared<State>,
    Form(body): Form<ExplainBody>,
) -> Result<Response, ApiError> {
    let ExplainBody { key, path, headers, request } = body;
    let path = path.unwrap_or_else(|| CHAT.to_owned());
    let headers = headers.iter().map(header_of).collect::<Result<_, _>>()?;
    let asks = Asks::Body(Value::Object(request).to_string().into_bytes());
    answer(&state, Question { path, key, headers, asks }).await
}

fn header_of((name, value): (&String, &String)) -> Result<(HeaderName, HeaderValue), ApiError> {
    // Its value is not repeated: it may be a secret.
    let wrong = || ApiError::invalid("headers: a name or a value that no header has").about("headers");
    Ok((HeaderName::try_from(name).map_err(|_| wrong())?, HeaderValue::try_from(value).map_err(|_| wrong())?))
}

async fn answer(state: &State, question: Question) -> Result<Response, ApiError> {
    let answer = state.blocking(move |state| state.explainer.explain(&question).map_err(ApiError::invalid)).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], answer).into_response())
}
