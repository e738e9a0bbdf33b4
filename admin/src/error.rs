//! What is told of a failure: one shape for all, `{"error":{"message","type","param"}}`, and one table of statuses.

use axum::Json;
use axum::response::{IntoResponse, Response};
use engine::control::ControlError;
use http::{HeaderName, HeaderValue, StatusCode, header};
use policy::declare::Problem;
use serde::Serialize;
use store::RegistryError;
use utoipa::ToSchema;

/// What a client is told when a request fails.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    message: String,
    param: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The body of every answer that is no success.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    /// What went wrong.
    error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// In words. Tells nothing secret, and nothing of the inside.
    message: String,
    /// A stable code.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field or the parameter that it is about.
    param: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), param: None, headers: Vec::new() }
    }

    /// The request is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// A page of another origin asks.
    pub(crate) fn foreign(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", message)
    }

    /// There is nothing of that name.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// What is asked for contradicts what is there.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// It may go well in a moment.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retry_after(1)
    }

    /// Our own fault. The log has what the client is not told.
    pub(crate) fn internal(what: &dyn std::fmt::Display) -> Self {
        tracing::error!("management: {what}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "something went wrong; the log has more")
    }

    /// About this field or parameter.
    pub(crate) fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Of a part of the request.
    pub(crate) fn within(mut self, part: &str) -> Self {
        self.param = Some(self.param.map_or_else(|| part.to_owned(), |param| format!("{part}.{param}")));
        self
    }

    /// Not before so many seconds have passed.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        self.with(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// An entity cannot go, or cannot be so, because of what refers to it.
    pub(crate) fn of_removal(error: ControlError) -> Self {
        match error {
            ControlError::Contradiction(_) => Self::conflict(error.to_string()),
            ControlError::Invalid(problems) => Self { status: StatusCode::CONFLICT, kind: "conflict", ..of(&problems) },
            other => other.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, kind, message, param, headers } = self;
        let mut response = (status, Json(ErrorBody { error: ErrorDetail { message, kind, param } })).into_response();
        response.headers_mut().extend(headers);
        response
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Invalid(problems) => of(&problems),
            ControlError::Contradiction(_) => Self::invalid(error.to_string()),
            ControlError::NotFound { .. } => Self::not_found(error.to_string()),
            ControlError::Taken { .. } => Self::conflict(error.to_string()).about("name"),
            ControlError::Exists { .. } => Self::conflict(error.to_string()),
            ControlError::ReadOnly(_) => Self::new(StatusCode::CONFLICT, "read_only", error.to_string()),
            ControlError::Internal(_) => Self::internal(&error),
            ControlError::Unavailable(why) => {
                tracing::warn!("management: the store cannot be reached: {why}");
                Self::unavailable("the configuration store cannot be reached; nothing was changed")
            }
        }
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Taken { .. } => Self::conflict("the name is taken").about("name"),
            RegistryError::Exists { .. } | RegistryError::Stale { .. } => Self::conflict(error.to_string()),
            RegistryError::Unknown { .. } => Self::not_found(error.to_string()),
            RegistryError::Unfit { .. } => Self::invalid(error.to_string()),
            error if error.is_unavailable() => {
                tracing::warn!("management: the store cannot be reached: {error}");
                Self::unavailable("the configuration store cannot be reached; nothing was changed")
            }
            error => Self::internal(&error),
        }
    }
}

/// All that is wrong with a body, about the first place of it. Warnings are none of the client's mistakes.
fn of(problems: &[Problem]) -> ApiError {
    let wrong = || problems.iter().filter(|problem| !problem.is_warning());
    let texts: Vec<String> = wrong().map(ToString::to_string).collect();
    let error = ApiError::invalid(texts.join("; "));
    match wrong().map(|problem| &problem.path).find(|path| !path.is_empty()) {
        Some(path) => error.about(path.clone()),
        None => error,
    }
}
