//! Who asks: nobody in particular where management needs no authentication, else a user or an API key. A virtual key never is.

mod api_keys;
mod authority;
pub(crate) mod password;
mod throttle;

pub(crate) use api_keys::{ApiKey, ApiKeys, Change as ApiKeyChange};
pub(crate) use authority::{AuthConfig, Authority};

use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::control::{Actor, ActorKind, Env};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use policy::provider::Secret;
use store::Registry;
use store::registry::AuditEntry;

use crate::edge::{self, Client};
use crate::error::ApiError;
use crate::session::{self, Sessions};
use crate::state::State;
use password::Verifier;
use throttle::Throttle;

/// Decides who may use management.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) authority: Authority,
    pub(crate) api_keys: ApiKeys,
    pub(crate) sessions: Sessions,
    verifier: Verifier,
    throttle: Throttle,
}

/// Who made a request, and from where.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    name: String,
    kind: ActorKind,
    address: String,
}

/// What a request says of itself.
enum Credential<'h> {
    Basic(String, Secret),
    Bearer(&'h str),
    Session(&'h str),
    None,
}

/// Lets a request through if its sender may use management.
pub(crate) async fn guard(Shared(state): Shared<State>, mut request: Request, next: Next) -> Response {
    let client = Client::of(request.headers());
    match identify(&state, &client, request.method(), request.headers()).await {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn identify(state: &State, client: &Client, method: &Method, headers: &HeaderMap) -> Result<Who, ApiError> {
    let auth = state.auth().await?;
    if !auth.is_enabled {
        return unguarded(client, headers);
    }
    let who = |name: String, kind| Who { name, kind, address: client.written() };
    match credential(headers) {
        Credential::Bearer(token) => {
            let (token, now_ms) = (token.to_owned(), state.control.now().wall_ms);
            let found = state.blocking(move |state| state.gate.api_keys.find(&token, now_ms)).await?;
            match found {
                Some(key) => Ok(who(key.name, ActorKind::ApiKey)),
                None => Err(state.gate.failed(state, client, wrong())),
            }
        }
        Credential::Basic(name, password) => {
            // A browser that knows a password sends it for whatever page asks, and no token of ours with it.
            if !method.is_safe() && edge::is_cross_origin(headers) {
                return Err(ApiError::foreign("a page of another origin cannot change anything"));
            }
            state.gate.log_in(state, client, &auth, &name, &password).await?;
            Ok(who(name, ActorKind::User))
        }
        Credential::Session(token) => {
            let found = state.gate.session(state, &auth, token).await?.ok_or_else(needed)?;
            if !method.is_safe() && !session::has_csrf_token(headers, token) {
                let message = format!("a change with a session's cookie needs its token in `{}`", session::CSRF);
                return Err(ApiError::new(StatusCode::FORBIDDEN, "csrf_token_required", message).about(session::CSRF));
            }
            Ok(who(found.user, ActorKind::User))
        }
        Credential::None => Err(needed()),
    }
}

/// Management without authentication is for this machine alone, and for no page of somebody else's that is shown on it.
fn unguarded(client: &Client, headers: &HeaderMap) -> Result<Who, ApiError> {
    if !client.is_local {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "authentication_not_configured",
            "this address can be reached from outside, and management has no authentication: set \
             governance.auth_config {\"is_enabled\": true, \"admin_username\", \"admin_password\"} in config.json, or listen on \
             127.0.0.1 only",
        ));
    }
    if edge::is_foreign(headers) {
        let message = "without authentication management answers only to names and pages of this machine";
        return Err(ApiError::foreign(message));
    }
    Ok(Who { name: "anonymous".to_owned(), kind: ActorKind::Anonymous, address: client.written() })
}

fn credential(headers: &HeaderMap) -> Credential<'_> {
    if let Some(sent) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        let (scheme, rest) = sent.split_once(' ').unwrap_or((sent, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Credential::Bearer(rest.trim());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let (name, password) = decoded.as_deref().and_then(|text| text.split_once(':')).unwrap_or_default();
            return Credential::Basic(name.to_owned(), Secret::new(password));
        }
    }
    session::token(headers).map_or(Credential::None, Credential::Session)
}

fn needed() -> ApiError {
    let message = "management needs a log-in: Basic, a session's cookie, or an admin API key as bearer token";
    ApiError::new(StatusCode::UNAUTHORIZED, "authentication_required", message)
        .with(header::WWW_AUTHENTICATE, CHALLENGE)
}

/// Not Basic, though that is taken too: browsers would ask for a password behind the console's back.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"tollgate\"");

impl Gate {
    pub(crate) fn new(registry: &Registry, env: Env) -> Result<Self, getrandom::Error> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt)?;
        Ok(Self {
            authority: Authority::new(registry.clone(), env, salt),
            api_keys: ApiKeys::new(registry.clone()),
            sessions: Sessions::new(registry.clone()),
            verifier: Verifier::new(salt),
            throttle: Throttle::default(),
        })
    }

    /// Whether it is the user's name and password. An unknown name takes as long as a wrong password.
    pub(crate) async fn log_in(
        &self,
        state: &State,
        client: &Client,
        auth: &AuthConfig,
        name: &str,
        password: &Secret,
    ) -> Result<(), ApiError> {
        if auth.is_user(name) && self.verifier.knows(&auth.password_hash, password) {
            return Ok(());
        }
        self.check_throttle(state, client)?;
        let turn = self.verifier.turn().await?;
        // Others of the same client may have failed meanwhile, or been right.
        if auth.is_user(name) && self.verifier.knows(&auth.password_hash, password) {
            return Ok(());
        }
        self.check_throttle(state, client)?;
        let is_right = self.verifier.verify(turn, &auth.password_hash, password).await?;
        if is_right && auth.is_user(name) { Ok(()) } else { Err(self.failed(state, client, wrong())) }
    }

    fn check_throttle(&self, state: &State, client: &Client) -> Result<(), ApiError> {
        self.throttle
            .wait(client.address, state.control.now().mono_ms)
            .map_or(Ok(()), |seconds| Err(throttled(seconds)))
    }

    /// The session of a token, if it is not over, and was opened by the user and the password of now.
    pub(crate) async fn session(
        &self,
        state: &State,
        auth: &AuthConfig,
        token: &str,
    ) -> Result<Option<session::Session>, ApiError> {
        let (token, now_ms) = (token.to_owned(), state.control.now().wall_ms);
        let found = state.blocking(move |state| state.gate.sessions.find(&token, now_ms)).await?;
        Ok(found.filter(|found| auth.is_user(&found.user) && found.opened_by == auth.mark))
    }

    /// Counts a failure, and gives what is told of it.
    pub(crate) fn failed(&self, state: &State, client: &Client, told: ApiError) -> ApiError {
        let now_ms = state.control.now().mono_ms;
        if let Some(seconds) = self.throttle.wait(client.address, now_ms) {
            return throttled(seconds);
        }
        self.throttle.failed(client.address, now_ms);
        tracing::warn!(client.address = client.written(), "a log-in to management failed");
        told
    }
}

fn wrong() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "authentication_failed", "these credentials do not open management")
        .with(header::WWW_AUTHENTICATE, CHALLENGE)
}

fn throttled(seconds: u64) -> ApiError {
    let message = "too many failed log-ins from this address";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "authentication_throttled", message).retry_after(seconds)
}

impl Who {
    /// For the audit log.
    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor { name: &self.name, kind: self.kind, address: &self.address }
    }

    /// A line of the audit log by this one.
    pub(crate) fn entry(&self, action: &str, at_ms: u64) -> AuditEntry {
        AuditEntry {
            at_ms,
            actor: self.name.clone(),
            actor_kind: self.kind.as_str().to_owned(),
            address: self.address.clone(),
            action: action.to_owned(),
            ..AuditEntry::default()
        }
    }
}
