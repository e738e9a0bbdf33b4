//! The policy as it is kept: put in force at start, and followed while the gateway runs: edits of the configuration file, and what
//! other processes change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use engine::control::{self, Control, ControlError, Displaced, FilePolicy, Kept, Reconciled, StillNamed};
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use policy::declare::Problem;
use policy::declare::entity::{AT_START, Kind, Shape, split};
use store::Registry;
use store::registry::Changes;

use crate::config::{self, ConfigError, Loaded, Stamp};
use crate::keyring;
use crate::life::Life;

/// How often it is looked whether something has changed.
const LOOK: Duration = Duration::from_millis(250);

/// The policy in force at start.
pub(crate) struct Opened {
    pub(crate) registry: Registry,
    pub(crate) kept: Kept,
}

/// Opens what is kept, and takes over what has changed in the file since. What calls have changed of the sections that are read at start
/// stands in the file from then on. The price list is one of them, so it comes later.
pub(crate) fn open(loaded: &mut Loaded, data: &Path, at_ms: u64) -> Result<Opened> {
    let opened = take_over(loaded, data, at_ms)?;
    for kind in [Kind::Client, Kind::Framework] {
        match control::section(&opened.registry, environment, &opened.kept, kind)? {
            Some(Shape::Client(client)) => loaded.file.client = *client,
            Some(Shape::Framework(framework)) => loaded.file.framework = framework,
            _ => {}
        }
    }
    Ok(opened)
}

fn take_over(loaded: &Loaded, data: &Path, at_ms: u64) -> Result<Opened> {
    let registry = keyring::open(&loaded.file, data)?;
    let kept = control::load(&registry, Arc::default(), environment)?;
    let file = file_policy(loaded, &registry)?;
    let before = kept.clone();
    match control::reconcile(&registry, environment, kept, &file, at_ms) {
        Ok((kept, done)) => {
            if done != Reconciled::default() {
                tracing::info!(config = %loaded.name, put = done.put, removed = done.removed, "the configuration file was taken over");
            }
            warn_of_named(loaded, &done);
            Ok(Opened { registry, kept })
        }
        // A file that is right by itself contradicts what calls have made. As it is while the gateway runs, nothing of it counts.
        Err(error) if before.position.revision() > 0 && is_contradiction(&error) => {
            let why = in_file(loaded, error);
            tracing::error!("the configuration file cannot be taken over; the policy is what it was before: {why:#}");
            Ok(Opened { registry, kept: before })
        }
        Err(error) => Err(in_file(loaded, error)),
    }
}

fn is_contradiction(error: &ControlError) -> bool {
    matches!(error, ControlError::Invalid(_) | ControlError::Contradiction(_) | ControlError::Taken(_))
}

fn warn_of_named(loaded: &Loaded, done: &Reconciled) {
    for StillNamed { kind, id, why } in &done.still_named {
        let what = kind.label();
        let effect = if *kind == Kind::VirtualKey { "it is kept and opens nothing" } else { "it is kept as it was" };
        tracing::warn!(config = %loaded.name, "{what} `{id}` is gone from the file and cannot be removed, so {effect}: {why}");
    }
    for Displaced { id, by, is_removed } in &done.displaced {
        let effect = if *is_removed { "was removed" } else { "is what the file says of it again" };
        tracing::warn!(config = %loaded.name, "the model config `{id}` was for the model that `{by}` of the file is for, so it {effect}");
    }
}

/// The value of an environment variable.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn file_policy(loaded: &Loaded, registry: &Registry) -> Result<FilePolicy> {
    let read = split(loaded.text.reveal(), environment, &control::vocabulary());
    let (entities, _) = read.map_err(|problems| ConfigError::new(&loaded.name, problems))?;
    let tokens = keyring::tokens(&loaded.file, registry)?;
    let is_only_source = loaded.file.is_only_source;
    Ok(FilePolicy { name: loaded.name.clone(), entities, tokens, is_only_source })
}

fn in_file(loaded: &Loaded, error: ControlError) -> anyhow::Error {
    match error {
        ControlError::Invalid(problems) => ConfigError::new(&loaded.name, problems).into(),
        other => ConfigError::other(&loaded.name, &other.to_string()).into(),
    }
}

/// Why an edit of the file is not in force.
enum NotTaken {
    /// It is wrong, and stays so until it is edited again.
    Wrong(anyhow::Error),
    /// The store could not take it just now.
    Later(anyhow::Error),
}

impl NotTaken {
    /// What is said of the file is wrong with it; what else fails may succeed later.
    fn of(error: anyhow::Error) -> Self {
        if error.is::<ConfigError>() { Self::Wrong(error) } else { Self::Later(error) }
    }
}

/// Follows the configuration file and the store.
pub(crate) struct Follower {
    control: Control,
    changes: Changes,
    life: Arc<Life>,
    /// What was told of a store that cannot be followed; `None`: it can.
    told: Option<String>,
    path: PathBuf,
    /// The file as it was last taken over or found wrong.
    seen: Option<Stamp>,
    /// The file as it was when it was last put off; `None`: it was not.
    put_off: Option<Stamp>,
    /// What it said at start of what is read then alone.
    at_start: serde_json::Value,
}

impl Follower {
    pub(crate) fn new(control: Control, path: &Path, loaded: &Loaded, life: Arc<Life>) -> Self {
        let at_start = serde_json::from_str(loaded.text.reveal()).unwrap_or_default();
        let changes = control.registry().changes();
        Self { control, changes, life, told: None, path: path.to_owned(), seen: loaded.stamp, put_off: None, at_start }
    }

    /// Takes over what others have changed; `false`: the store cannot be reached, or not be followed.
    fn follow(&mut self) -> bool {
        let trouble = self.control.follow().err();
        let is_cut_off = matches!(trouble, Some(ControlError::Unavailable(_)));
        self.life.set_cut_off(is_cut_off);
        self.life.set_stuck(trouble.is_some() && !is_cut_off);
        let is_followed = trouble.is_none();
        let text = trouble.map(|error| error.to_string());
        if text != self.told {
            match &text {
                Some(text) if is_cut_off => {
                    tracing::error!("calls go on with the policy as it is; it cannot be changed meanwhile: {text}");
                }
                Some(text) => {
                    tracing::error!(
                        "what others have changed cannot be put in force; only what closes keys is, else the policy stays as it is: {text}"
                    );
                }
                None => tracing::info!("the store is followed again"),
            }
        }
        self.told = text;
        is_followed
    }

    /// Waits for a while, or until others change something, and takes over what was changed since. What is wrong is kept out and
    /// told, once.
    fn look(&mut self, last: &mut Option<Stamp>) {
        self.changes.wait(LOOK);
        // An edit of the file is taken over once the store is followed again.
        if !self.follow() {
            return;
        }
        let now = Stamp::of(&self.path);
        // A file that is being written is left alone until it rests.
        let rests = std::mem::replace(last, now) == now;
        if now.is_none() || !rests || now == self.seen {
            return;
        }
        match self.take_over() {
            Ok(done) => {
                tracing::info!(
                    put = done.put,
                    removed = done.removed,
                    "the configuration file has changed and is in force"
                );
            }
            Err(NotTaken::Wrong(error)) => {
                tracing::error!(
                    "the configuration file has changed and cannot be used; the policy stays as it is: {error:#}"
                );
            }
            Err(NotTaken::Later(error)) => {
                // The edit may revoke a key: it is tried until it succeeds.
                if std::mem::replace(&mut self.put_off, now) != now {
                    tracing::error!("the configuration file has changed and could not be taken over yet: {error:#}");
                }
                return;
            }
        }
        self.seen = now;
    }

    fn take_over(&self) -> Result<Reconciled, NotTaken> {
        let (loaded, file) = self.read().map_err(NotTaken::of)?;
        let done = self.control.reconcile(&file).map_err(|error| {
            let is_wrong = is_contradiction(&error);
            let error = in_file(&loaded, error);
            if is_wrong { NotTaken::Wrong(error) } else { NotTaken::Later(error) }
        })?;
        warn_of_named(&loaded, &done);
        Ok(done)
    }

    fn read(&self) -> Result<(Loaded, FilePolicy)> {
        let loaded = config::load(&self.path)?;
        let warn = |warning: &Problem| tracing::warn!(config = %loaded.name, "{warning}");
        loaded.warnings.iter().for_each(warn);
        let now: serde_json::Value = serde_json::from_str(loaded.text.reveal()).context("not JSON")?;
        // Of `framework` the price list is all that there is, and its keeper is told of it at start.
        let at_start = AT_START.iter().chain(&["framework"]);
        for section in at_start.filter(|section| now.get(section) != self.at_start.get(section)) {
            tracing::warn!("`{section}` has changed: that is read when the gateway starts");
        }
        let [then, client] = [&self.at_start, &now].map(|file| file.get("client").unwrap_or(&serde_json::Value::Null));
        for field in control::client_at_start(then, client) {
            tracing::warn!("`client.{field}` has changed: that is read when the gateway starts");
        }
        let file = file_policy(&loaded, self.control.registry())?;
        Ok((loaded, file))
    }
}

/// The service that does it.
pub(crate) struct Following(pub(crate) parking_lot::Mutex<Option<Follower>>);

#[async_trait]
impl BackgroundService for Following {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let Some(mut follower) = self.0.lock().take() else { return };
        let mut last = follower.seen;
        loop {
            let looked = tokio::task::spawn_blocking(move || {
                follower.look(&mut last);
                (follower, last)
            });
            let looked = tokio::select! {
                looked = looked => looked,
                _ = shutdown.changed() => return,
            };
            match looked {
                Ok(back) => (follower, last) = back,
                Err(_) => {
                    tracing::error!("changes of the configuration are not followed any more: a look at it panicked");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
