//! The policy as it is kept. A change is checked against what is in force, kept together with what the audit log tells of it,
//! and put in force: all of it, or nothing. Writers go one after the other; they block, so they stay off the request path.

mod change;
mod error;
mod keys;
mod load;
mod owned;
mod password;
mod reconcile;
mod secrets;

use std::fmt;
use std::sync::Arc;
use std::sync::LazyLock;

use parking_lot::Mutex;
use policy::declare::Vocabulary;
use policy::declare::entity::{Kind, made_for, merge};
use policy::limit::Budget;
use policy::money::NanoUsd;
use policy::provider::Secret;
use policy::snapshot::Snapshot;
use policy::window::Now;
use providers::vendor;
use store::registry::{Filter, Registry, Row};
use store::{AttemptId, Began, StoreError, Voided};

use crate::clock::Clock;
use crate::health::RouteHealth;
use crate::ledger::Ledger;
use crate::live::Live;

use change::Draft;
pub use error::ControlError;
pub use load::{LoadError, load};
use owned::Owned;
pub use reconcile::{Drift, DriftKind, FilePolicy, Reconciled, reconcile};

/// Gives the value of an environment variable.
pub type Env = fn(&str) -> Option<String>;

/// The way to change the policy. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    /// Taken by whoever changes something. The revision of the registry that is in force.
    turn: Mutex<u64>,
}

/// What a change is made with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Where it is kept.
    pub registry: Registry,
    /// What is in force.
    pub live: Arc<Live>,
    /// What was used.
    pub ledger: Arc<Ledger>,
    /// How routes do.
    pub health: Arc<RouteHealth>,
    /// Who remembers when budgets began.
    pub books: Arc<dyn Bookkeeping>,
    /// The time.
    pub clock: Clock,
    /// The environment.
    pub env: Env,
}

/// Remembers when budgets began, and takes charges back.
pub trait Bookkeeping: fmt::Debug + Send + Sync {
    /// Remembers when budgets began.
    ///
    /// # Errors
    /// When it cannot be written.
    fn adopt(&self, budgets: &[Began]) -> Result<(), StoreError>;

    /// Takes the charge of an abandoned attempt back, once. `None`: it is not one, or was taken back before.
    ///
    /// # Errors
    /// When it cannot be written; then nothing was taken back.
    fn void(&self, attempt: AttemptId, at_ms: u64) -> Result<Option<Voided>, StoreError>;

    /// Counts as not spent what was spent of a budget in the window that began then.
    ///
    /// # Errors
    /// When it cannot be written; then it counts as it did.
    fn forgive(&self, budget: &str, start_ms: u64, nano: u64) -> Result<(), StoreError>;
}

/// Who changes something, for the audit log.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    /// The name of the user, of the API key, of the file.
    pub name: &'a str,
    /// What that is the name of.
    pub kind: ActorKind,
    /// From where; empty if it was no call.
    pub address: &'a str,
}

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// Somebody who logged in.
    User,
    /// The bearer of an admin API key.
    ApiKey,
    /// The configuration file.
    File,
    /// The gateway itself.
    System,
    /// Anybody, where administration needs no log-in.
    Anonymous,
}

impl ActorKind {
    /// The word in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::File => "file",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }
}

/// An entity as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Which.
    pub id: Box<str>,
    /// What it declares, as JSON in the normal form. Secrets are shown as [`REDACTED`].
    pub document: String,
    /// Whether the file declares it.
    pub is_from_file: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it was changed last, in milliseconds since 1970.
    pub updated_ms: u64,
    /// The revision that changed it last.
    pub revision: u64,
}

/// An entity that was just made.
#[derive(Debug)]
pub struct Created {
    /// The entity.
    pub entry: Entry,
    /// The token of a new virtual key: it is shown now, and later only to who may have it revealed.
    pub token: Option<Secret>,
}

/// What stands where a secret is. Written back, it means the secret that is there.
pub const REDACTED: &str = "********";

/// The vendors that a provider can be of.
#[must_use]
pub fn vocabulary() -> Vocabulary<'static> {
    static NAMES: LazyLock<Vec<&'static str>> =
        LazyLock::new(|| vendor::VENDORS.iter().map(|vendor| vendor.name).collect());
    Vocabulary { vendors: &NAMES, vendors_later: vendor::KNOWN_ELSEWHERE, check_base_url }
}

fn check_base_url(vendor: &str, url: &str) -> Result<(), String> {
    match vendor::find(vendor) {
        Some(vendor) => vendor::endpoint(vendor, url).map(|_| ()).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

impl Control {
    /// The way to change a policy that is in force at a revision of the registry.
    #[must_use]
    pub fn new(parts: Parts, revision: u64) -> Self {
        Self(Arc::new(Inner { parts, turn: Mutex::new(revision) }))
    }

    /// Makes an entity from the body of a request. A virtual key gets a token; whatever has no id gets one.
    ///
    /// # Errors
    /// When the body is wrong, there is such an entity, or it cannot be kept.
    pub fn create(&self, kind: Kind, body: &str, actor: &Actor<'_>) -> Result<Created, ControlError> {
        if let Some(owned) = Owned::read(kind, body)? {
            return self.create_owned(body, &owned, actor);
        }
        let id = change::id_of(kind, body)?;
        self.create_as(kind, &id, body, actor)
    }

    /// Makes an entity whose id is not in the body: a provider's is its name.
    ///
    /// # Errors
    /// When the body is wrong, there is such an entity, or it cannot be kept.
    pub fn create_as(&self, kind: Kind, id: &str, body: &str, actor: &Actor<'_>) -> Result<Created, ControlError> {
        let mut turn = self.0.turn.lock();
        self.catch_up(&mut turn)?;
        if self.row(kind, id)?.is_some() {
            return Err(ControlError::Exists { kind, id: id.to_owned() });
        }
        let body = secrets::restored(kind, body, "{}")?;
        let normalised = merge(kind, id, None, &body, &|kind, id| self.document(kind, id))?;
        let mut draft = self.draft(actor, "create");
        let token = draft.put_all(normalised, None)?;
        self.finish(draft, &mut turn)?;
        let entry = self.get(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        Ok(Created { entry, token })
    }

    /// Changes an entity by the body of a request: what is absent stays, what is `null` goes.
    ///
    /// # Errors
    /// When there is no such entity, the body is wrong, or it cannot be kept.
    pub fn update(&self, kind: Kind, id: &str, body: &str, actor: &Actor<'_>) -> Result<Entry, ControlError> {
        let mut turn = self.0.turn.lock();
        self.catch_up(&mut turn)?;
        let before = self.row(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        let stored = self.opened(&before)?;
        let body = match Owned::read(kind, body)? {
            Some(owned) => self.without_owner(id, owned)?,
            None => secrets::restored(kind, body, &stored)?,
        };
        let normalised = merge(kind, id, Some(&stored), &body, &|kind, id| self.document(kind, id))?;
        let mut draft = self.draft(actor, "update");
        draft.put_all(normalised, Some(&before))?;
        self.finish(draft, &mut turn)?;
        self.get(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))
    }

    /// Removes an entity, and the limits that were made for it alone. One from the file stays removed until its entry there changes.
    ///
    /// # Errors
    /// When there is no such entity, or something refers to it.
    pub fn remove(&self, kind: Kind, id: &str, actor: &Actor<'_>) -> Result<(), ControlError> {
        if kind.is_single() {
            return Err(ControlError::ReadOnly(format!("the {} cannot be removed", kind.label())));
        }
        let mut turn = self.0.turn.lock();
        self.catch_up(&mut turn)?;
        let row = self.row(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        let made = made_for(kind, id, &row.document);
        let mut draft = self.draft(actor, "delete");
        draft.remove(&row)?;
        draft.remove_unused(made)?;
        self.finish(draft, &mut turn)
    }

    /// An entity.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, kind: Kind, id: &str) -> Result<Option<Entry>, ControlError> {
        Ok(self.row(kind, id)?.map(|row| entry(kind, row)))
    }

    /// A part of the entities that a filter lets through, and how many it lets through in all.
    ///
    /// # Errors
    /// When they cannot be read, or there is no such kind.
    pub fn page(&self, filter: &Filter) -> Result<(Vec<Entry>, u64), ControlError> {
        let kind: Kind = filter.kind.parse().map_err(|()| ControlError::internal("there is no such kind of entity"))?;
        let (rows, total) = self.0.parts.registry.page(filter)?;
        Ok((rows.into_iter().map(|row| entry(kind, row)).collect(), total))
    }

    /// Takes the charge of an abandoned attempt back. `None`: it is not one, or was taken back before.
    ///
    /// # Errors
    /// When it cannot be written; then nothing was taken back.
    pub fn void(&self, attempt: AttemptId, actor: &Actor<'_>) -> Result<Option<Voided>, ControlError> {
        let mut turn = self.0.turn.lock();
        let parts = &self.0.parts;
        let voided = parts.books.void(attempt, self.now().wall_ms)?;
        if let Some(voided) = &voided {
            parts.ledger.void(&voided.entries);
            let id = format!("{}/{}", attempt.run, attempt.number);
            self.tell(actor, "void", ("abandoned_charge", &id), &mut turn)?;
        }
        Ok(voided)
    }

    /// Counts as not spent what was spent of a budget in its window, and gives how much that was, in nano-dollars. What calls in
    /// flight reserved stays reserved.
    ///
    /// # Errors
    /// When there is no such budget, or it cannot be written: then nothing is reset.
    pub fn reset_budget(&self, id: &str, actor: &Actor<'_>) -> Result<u64, ControlError> {
        let mut turn = self.0.turn.lock();
        let (parts, snapshot) = (&self.0.parts, self.snapshot());
        let budget = snapshot.budget(&id.into()).ok_or_else(|| ControlError::not_found(Kind::Budget, id))?;
        let forgive = |start_ms, nano: NanoUsd| parts.books.forgive(id, start_ms, nano.0);
        let spent = parts.ledger.reset(budget, self.now(), forgive)?;
        self.tell(actor, "reset", (Kind::Budget.as_str(), id), &mut turn)?;
        Ok(spent.0)
    }

    /// What is in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.parts.live.snapshot()
    }

    /// What was used.
    #[must_use]
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.0.parts.ledger
    }

    /// How routes do.
    #[must_use]
    pub fn health(&self) -> &Arc<RouteHealth> {
        &self.0.parts.health
    }

    /// Where it is kept.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.parts.registry
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        self.0.parts.clock.now()
    }

    fn draft<'a>(&'a self, actor: &'a Actor<'a>, action: &'static str) -> Draft<'a> {
        let parts = &self.0.parts;
        let snapshot = (*parts.live.snapshot()).clone();
        Draft::begin((&parts.registry, parts.env), snapshot, actor, action, self.now().wall_ms)
    }

    /// Keeps what was drafted, and puts it in force.
    fn finish(&self, draft: Draft<'_>, turn: &mut u64) -> Result<(), ControlError> {
        let kept = draft.keep()?;
        let Some(revision) = kept.revision else { return Ok(()) };
        *turn = revision;
        let budgets: Vec<_> = kept.budgets.iter().filter_map(|id| kept.snapshot.budget(id).cloned()).collect();
        self.put_in_force(kept.snapshot, &budgets);
        Ok(())
    }

    /// What is kept is in force from here on, and those budgets begin that are new or whose windows are.
    fn put_in_force(&self, next: Snapshot, budgets: &[Arc<Budget>]) {
        let (parts, now) = (&self.0.parts, self.now());
        let before = parts.live.snapshot();
        parts.live.replace(next);
        let begins = |new: &&Arc<Budget>| before.budget(&new.id).is_none_or(|old| old.window != new.window);
        let began: Vec<_> =
            budgets.iter().filter(begins).filter_map(|budget| parts.ledger.begin(budget, now)).collect();
        // A beginning that could not be written down is found again at the first charge.
        let _ = parts.books.adopt(&began);
    }

    fn tell(
        &self,
        actor: &Actor<'_>,
        action: &'static str,
        (kind, id): (&str, &str),
        turn: &mut u64,
    ) -> Result<(), ControlError> {
        *turn = self.draft(actor, action).tell_only(kind, id)?.max(*turn);
        Ok(())
    }

    fn row(&self, kind: Kind, id: &str) -> Result<Option<Row>, ControlError> {
        Ok(self.0.parts.registry.get(kind.as_str(), id)?)
    }

    /// The document of a limit, which holds no secrets.
    fn document(&self, kind: Kind, id: &str) -> Option<String> {
        self.row(kind, id).ok().flatten().map(|row| row.document)
    }

    /// A document with its secrets.
    fn opened(&self, row: &Row) -> Result<String, ControlError> {
        Ok(secrets::opened(&self.0.parts.registry.seal(), row)?)
    }
}

fn entry(kind: Kind, row: Row) -> Entry {
    Entry {
        kind,
        document: secrets::redacted(kind, &row.document),
        id: row.id.into(),
        is_from_file: row.file_mac.is_some(),
        created_ms: row.created_ms,
        updated_ms: row.updated_ms,
        revision: row.revision,
    }
}

#[cfg(test)]
mod tests;
