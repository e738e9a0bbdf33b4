//! Logging in and out, and whether one must.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use http::header;
use policy::admit::needs_key;
use policy::provider::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::edge::{self, Client};
use crate::error::ApiError;
use crate::extract::Form;
use crate::openapi::Failures;
use crate::session;
use crate::state::State;

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    username: String,
    password: String,
}

/// That a session has begun. Its cookie is in the header.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoggedIn {
    /// What was done.
    message: &'static str,
    /// To be sent as `x-csrf-token` with each change.
    csrf_token: String,
}

/// That a session has ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoggedOut {
    /// What was done.
    message: &'static str,
}

/// Whether one must log in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuthStatus {
    /// Whether management needs a log-in.
    is_auth_enabled: bool,
    /// Whether calls to models need a virtual key.
    inference_auth_enforced: bool,
    /// Whether management is closed until a log-in is configured, since it can be reached from outside.
    setup_required: bool,
    /// Always false: there is no set-up by token.
    setup_token_configured: bool,
    /// `password` or `none`.
    auth_type: &'static str,
    /// Whether this request was made in a session.
    is_logged_in: bool,
    /// In a session: to be sent as `x-csrf-token` with each change.
    csrf_token: Option<String>,
}

/// Begins a session.
#[utoipa::path(post, path = "/api/session/login", tag = "session", operation_id = "log_in", security(()),
    request_body = LogIn,
    responses((status = 200, description = "The session's cookie is set.", body = LoggedIn), Failures))]
pub(crate) async fn login(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    Form(form): Form<LogIn>,
) -> Result<Response, ApiError> {
    let client = Client::of(&headers);
    let auth = state.auth().await?;
    if !auth.is_enabled {
        return Err(ApiError::conflict("management has no authentication: there is nothing to log in to"));
    }
    if edge::is_cross_origin(&headers) {
        return Err(ApiError::foreign("a page of another origin cannot log in"));
    }
    state.gate.log_in(&state, &client, &auth, &form.username, &Secret::new(&form.password)).await?;
    let begin = move |state: &State| state.gate.sessions.begin(&form.username, &auth.mark, state.control.now().wall_ms);
    let token = state.blocking(begin).await?;
    let body = LoggedIn { message: "logged in", csrf_token: session::csrf_token(token.reveal()) };
    Ok(([(header::SET_COOKIE, session::set_cookie(Some(&token), &client))], Json(body)).into_response())
}

/// Ends the session, if there is one.
#[utoipa::path(post, path = "/api/session/logout", tag = "session", operation_id = "log_out", security(()),
    responses((status = 200, description = "The cookie is taken away.", body = LoggedOut), Failures))]
pub(crate) async fn logout(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, ApiError> {
    if let Some(token) = session::token(&headers).map(str::to_owned) {
        state.blocking(move |state| state.gate.sessions.end(&token, state.control.now().wall_ms)).await?;
    }
    let cookie = session::set_cookie(None, &Client::of(&headers));
    Ok(([(header::SET_COOKIE, cookie)], Json(LoggedOut { message: "logged out" })).into_response())
}

/// Whether one must log in, and whether one is.
#[utoipa::path(get, path = "/api/session/is-auth-enabled", tag = "session", operation_id = "is_auth_enabled", security(()),
    responses((status = 200, description = "Whether one must log in.", body = AuthStatus), Failures))]
pub(crate) async fn is_auth_enabled(
    Shared(state): Shared<State>,
    headers: HeaderMap,
) -> Result<Json<AuthStatus>, ApiError> {
    let auth = state.auth().await?;
    let token = session::token(&headers).filter(|_| auth.is_enabled);
    let session = match token {
        Some(token) => state.gate.session(&state, &auth, token).await?,
        None => None,
    };
    let token = token.filter(|_| session.is_some());
    Ok(Json(AuthStatus {
        is_auth_enabled: auth.is_enabled,
        inference_auth_enforced: needs_key(&state.control.snapshot()),
        setup_required: !auth.is_enabled && !Client::of(&headers).is_local,
        setup_token_configured: false,
        auth_type: if auth.is_enabled { "password" } else { "none" },
        is_logged_in: token.is_some(),
        csrf_token: token.map(session::csrf_token),
    }))
}
