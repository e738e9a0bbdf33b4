//! What is taken out of a request, each failure told in the shape of all others.

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::auth::Who;
use crate::error::ApiError;
use crate::state::State;

/// A body that is JSON, as text: whoever reads it tells what is wrong with it.
#[derive(Debug)]
pub(crate) struct JsonText(pub(crate) String);

/// A body of a known form. Fields that it does not have are refused.
#[derive(Debug)]
pub(crate) struct Form<T>(pub(crate) T);

/// A body of a known form, or none at all.
#[derive(Debug)]
pub(crate) struct FormOrNone<T>(pub(crate) T);

/// The parameters of a query.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

/// What the path names.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) T);

impl FromRequest<State> for JsonText {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        // A page of another site can send other types unasked.
        if !kind.eq_ignore_ascii_case("application/json") {
            let message = "a body must be sent as application/json";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(ApiError::new(status, "unsupported_media_type", message).about("content-type"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let message = format!("the body is larger than {} bytes", crate::router::MOST_BODY_BYTES);
                ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
            }
            _ => ApiError::invalid("the body could not be read"),
        })?;
        let text = String::from_utf8(bytes.into()).map_err(|_| ApiError::invalid("Invalid JSON: it is not UTF-8"))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| ApiError::invalid(format!("Invalid JSON: {error}")))?;
        if !value.is_object() {
            return Err(ApiError::invalid("Invalid JSON: expected an object"));
        }
        if has_nul(&value) {
            return Err(ApiError::invalid("a text in the body holds the character U+0000, which cannot be kept"));
        }
        Ok(Self(text))
    }
}

impl<T: DeserializeOwned> FromRequest<State> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        let JsonText(text) = JsonText::from_request(request, state).await?;
        serde_json::from_str(&text).map(Self).map_err(|error| of_serde(&error.to_string()))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<State> for FormOrNone<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        // A type is announced where there is a body.
        if !request.headers().contains_key(header::CONTENT_TYPE) && request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Form::from_request(request, state).await.map(|Form(form)| Self(form))
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<State> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(params)| Self(params)).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            match text.split_once(": ").filter(|(name, _)| !name.contains(' ')) {
                Some((name, what)) => ApiError::invalid(format!("{name}: {}", in_words(what))).about(name),
                None => of_serde(text),
            }
        })
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<State> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(named)| Self(named)).map_err(|_| ApiError::not_found("there is nothing of that name"))
    }
}

impl FromRequestParts<State> for Who {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &State) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal(&"a request came past the gate"))
    }
}

/// What is wrong with a parameter, for who does not know how numbers are read.
fn in_words(what: &str) -> &str {
    match what {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "expected a whole number, 0 or more"
        }
        "number too large to fit in target type" => "the number is too large",
        "provided string was not `true` or `false`" => "expected `true` or `false`",
        other => other,
    }
}

/// An error of serde's, about the field that it names.
fn of_serde(text: &str) -> ApiError {
    let text = text.split(" at line ").next().unwrap_or(text);
    match text.split('`').nth(1) {
        Some(field) if text.contains("field") => ApiError::invalid(text).about(field),
        _ => ApiError::invalid(text),
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
