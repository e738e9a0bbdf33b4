//! What every handler works with, and how it is asked: away from the threads that answer, since the policy's keeper blocks.

use std::fmt;
use std::sync::Arc;

use engine::control::{Control, Env};
use parking_lot::Mutex;
use store::Logs;

use crate::auth::{AuthConfig, Gate};
use crate::error::ApiError;
use crate::explain::Explainer;

/// What management is made with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The way to read and change the policy.
    pub control: Control,
    /// The environment: the administrator's password may stand in it.
    pub env: Env,
    /// The request log; `None`: none is kept in this store.
    pub logs: Option<Arc<Logs>>,
    /// Says what would become of a request, the way the edge reads it.
    pub explainer: Arc<dyn Explainer>,
    /// The program's version.
    pub version: &'static str,
}

/// What every handler works with. Clones are the same.
#[derive(Clone)]
pub struct State(Arc<Inner>);

/// What is in it; for handlers only.
pub struct Inner {
    pub(crate) control: Control,
    pub(crate) gate: Gate,
    pub(crate) logs: Option<Arc<Logs>>,
    pub(crate) explainer: Arc<dyn Explainer>,
    pub(crate) version: &'static str,
    /// Taken by whoever changes one item of a list that is kept as a whole.
    pub(crate) list: Mutex<()>,
}

impl State {
    /// Nobody is logged in yet.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(parts: Parts) -> Result<Self, getrandom::Error> {
        let Parts { control, env, logs, explainer, version } = parts;
        let gate = Gate::new(control.registry(), env)?;
        Ok(Self(Arc::new(Inner { control, gate, logs, explainer, version, list: Mutex::default() })))
    }

    /// Does work that blocks.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let state = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&state)).await;
        done.map_err(|error| ApiError::internal(&error))?
    }

    /// Who may log in.
    pub(crate) async fn auth(&self) -> Result<AuthConfig, ApiError> {
        self.blocking(|state| state.gate.authority.config()).await
    }
}

impl std::ops::Deref for State {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("version", &self.version).finish_non_exhaustive()
    }
}
