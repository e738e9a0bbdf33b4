//! The routes, and what is alike for all: the gate, the bounds, and the shape of whatever goes wrong.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{
    api_keys, audit, charges, config, crud, entities, explain, keys, logs, models, providers, session, virtual_keys,
};
use crate::auth::guard;
use crate::error::ApiError;
use crate::openapi;
use crate::state::State;

/// The largest body.
pub(crate) const MOST_BODY_BYTES: usize = 4 << 20;
/// How long a request may take, its body included. An export that has begun may take longer.
const TIME: Duration = Duration::from_secs(60);

/// All routes, ready to answer.
pub fn router(state: State) -> Router {
    let (guarded, document) = guarded().split_for_parts();
    let (open, of_open) = open().split_for_parts();
    let document = merged(document, of_open);
    let guarded = guarded
        .route("/api/openapi.json", get(|| async move { Json(document) }))
        .route_layer(from_fn_with_state(state.clone(), guard));
    open.merge(guarded)
        .fallback(nothing_there)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .layer(from_fn(bounded))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(state)
}

/// The document of the API.
#[must_use]
pub fn document() -> OpenApi {
    merged(guarded().into_openapi(), open().into_openapi())
}

fn merged(mut document: OpenApi, other: OpenApi) -> OpenApi {
    document.merge(other);
    openapi::require(&mut document);
    document
}

/// What needs a log-in, where there is one.
fn guarded() -> OpenApiRouter<State> {
    let mut router = OpenApiRouter::with_openapi(openapi::base());
    for (path, methods) in entities::RESOURCES.iter().flat_map(crud::routes) {
        router = router.route(&path, methods);
    }
    router
        .routes(routes!(virtual_keys::rotate))
        .routes(routes!(virtual_keys::reveal))
        .routes(routes!(charges::void))
        .routes(routes!(charges::reset))
        .routes(routes!(logs::list))
        .routes(routes!(logs::stats))
        .routes(routes!(logs::histogram))
        .routes(routes!(logs::filter_data))
        .routes(routes!(logs::read))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(providers::list, providers::create))
        .routes(routes!(providers::read, providers::update, providers::remove))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::read, keys::update, keys::remove))
        .routes(routes!(keys::all))
        .routes(routes!(models::list))
        .routes(routes!(config::read, config::update))
        .routes(routes!(config::drift))
        .routes(routes!(config::version))
        .routes(routes!(explain::of_model, explain::of_request))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::read, api_keys::update, api_keys::remove))
}

/// What is needed to log in, and what a virtual key opens.
fn open() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(session::login))
        .routes(routes!(session::logout))
        .routes(routes!(session::is_auth_enabled))
        .routes(routes!(virtual_keys::quota))
}

/// Ends what takes too long. Replies hold what is nobody else's business, so nobody keeps them.
async fn bounded(request: Request, next: Next) -> Response {
    let late = || {
        let message = format!("the request took longer than {} seconds", TIME.as_secs());
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message).into_response()
    };
    let mut response = tokio::time::timeout(TIME, next.run(request)).await.unwrap_or_else(|_| late());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn nothing_there(method: Method, uri: Uri) -> ApiError {
    ApiError::not_found(format!("there is nothing at {method} {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// What a panic says is for the log, which the panic hook has written.
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response {
    ApiError::internal(&"a request panicked").into_response()
}
