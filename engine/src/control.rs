//! The policy as it is kept. A change is checked against what is in force, kept together with what the audit log tells of it,
//! and put in force: all of it, or nothing. Writers go one after the other; they block, so they stay off the request path.

mod actor;
mod calls;
mod change;
mod charges;
mod claims;
mod entry;
mod error;
mod follow;
mod kept;
mod keys;
mod load;
mod owned;
mod password;
mod reconcile;
mod restart;
mod secrets;
mod turn;

use std::sync::Arc;
use std::sync::LazyLock;

use parking_lot::Mutex;
use policy::declare::Vocabulary;
use policy::declare::entity::Kind;
use policy::id::BudgetId;
use policy::limit::Budget;
use policy::snapshot::Snapshot;
use policy::window::Now;
use providers::vendor::{self, Vendor};
use store::registry::{Filter, Registry, Row};

use crate::clock::Clock;
use crate::health::RouteHealth;
use crate::ledger::Ledger;
use crate::live::Live;

pub use actor::{Actor, ActorKind};
use change::Draft;
pub use charges::Bookkeeping;
pub use entry::{Created, Entry};
pub use error::ControlError;
pub use kept::{Kept, Position};
pub use keys::{MadeToken, made_token, token_name};
pub use load::{LoadError, load};
use owned::Owned;
pub use reconcile::{Displaced, Drift, DriftKind, FilePolicy, Reconciled, StillNamed, reconcile};
pub use restart::{CLIENT_AT_START, client_at_start, section};
use turn::Queue;

/// Gives the value of an environment variable.
pub type Env = fn(&str) -> Option<String>;

/// The way to change the policy. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    /// What waits for a turn.
    queue: Queue,
    /// Taken by whoever changes something. What is in force of the registry.
    turn: Mutex<Position>,
    /// What was read at start of what is read then alone; `None`: it could not be asked for.
    started: Option<restart::Sections>,
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

/// What stands where a secret is. Written back, it means the secret that is there.
pub const REDACTED: &str = "********";

/// The vendors that a provider can be of.
#[must_use]
pub fn vocabulary() -> Vocabulary<'static> {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| names(|_| true));
    static WITHOUT_ADDRESS: LazyLock<Vec<&'static str>> = LazyLock::new(|| names(|vendor| vendor.base_url.is_none()));
    static SELF_HOSTED: LazyLock<Vec<&'static str>> = LazyLock::new(|| names(|vendor| vendor.is_self_hosted));
    Vocabulary {
        vendors: &NAMES,
        without_address: &WITHOUT_ADDRESS,
        self_hosted: &SELF_HOSTED,
        vendors_later: vendor::KNOWN_ELSEWHERE,
        check_base_url,
    }
}

fn names(is_wanted: impl Fn(&Vendor) -> bool) -> Vec<&'static str> {
    vendor::VENDORS.iter().filter(|vendor| is_wanted(vendor)).map(|vendor| vendor.name).collect()
}

fn check_base_url(vendor: &str, url: &str) -> Result<(), String> {
    match vendor::find(vendor) {
        Some(vendor) => vendor::endpoint(vendor, url).map(|_| ()).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

impl Control {
    /// The way to change a policy that is in force, as it is kept at a revision of the registry.
    #[must_use]
    pub fn new(parts: Parts, position: Position) -> Self {
        let started = restart::Sections::of(&parts.registry).ok();
        Self(Arc::new(Inner { parts, queue: Queue::default(), turn: Mutex::new(position), started }))
    }

    /// Makes an entity from the body of a request. A virtual key gets a token; whatever has no id gets one.
    ///
    /// # Errors
    /// When the body is wrong, there is such an entity, or it cannot be kept.
    pub fn create(&self, kind: Kind, body: &str, actor: &Actor<'_>) -> Result<Created, ControlError> {
        let id = change::id_of(kind, body)?;
        match Owned::read(kind, body)? {
            Some(owned) => {
                let of = id.clone();
                self.change(actor, "create", move |draft| draft.create_owned(&of, &owned))?.made(kind, &id)
            }
            None => self.create_as(kind, &id, body, actor),
        }
    }

    /// Makes an entity whose id is not in the body: a provider's is its name.
    ///
    /// # Errors
    /// When the body is wrong, there is such an entity, or it cannot be kept.
    pub fn create_as(&self, kind: Kind, id: &str, body: &str, actor: &Actor<'_>) -> Result<Created, ControlError> {
        let (id, body) = (id.to_owned(), body.to_owned());
        self.change(actor, "create", move |draft| draft.create(kind, &id, &body))?.created()
    }

    /// Changes an entity by the body of a request: what is absent stays, what is `null` goes.
    ///
    /// # Errors
    /// When there is no such entity, the body is wrong, or it cannot be kept.
    pub fn update(&self, kind: Kind, id: &str, body: &str, actor: &Actor<'_>) -> Result<Entry, ControlError> {
        let (id, body) = (id.to_owned(), body.to_owned());
        Ok(self.change(actor, "update", move |draft| draft.update(kind, &id, &body))?.created()?.entry)
    }

    /// Changes sections of which there is one each by the bodies of a request, or makes those that are not there: all, or none.
    ///
    /// # Errors
    /// When a body is wrong, with its number in `bodies`, or they cannot be kept.
    pub fn put_sections(
        &self,
        bodies: Vec<(Kind, String)>,
        actor: &Actor<'_>,
    ) -> Result<(), (Option<usize>, ControlError)> {
        let wrong = Arc::new(Mutex::new(None));
        let told = Arc::clone(&wrong);
        let done = self.change(actor, "update", move |draft| {
            *told.lock() = None;
            for (index, (kind, body)) in bodies.iter().enumerate() {
                draft.put_section(*kind, body).inspect_err(|_| *told.lock() = Some(index))?;
            }
            Ok(None)
        });
        done.map(drop).map_err(|error| (*wrong.lock(), error))
    }

    /// Removes an entity, and the limits that were made for it alone. One from the file stays removed until its entry there changes.
    ///
    /// # Errors
    /// When there is no such entity, or something refers to it.
    pub fn remove(&self, kind: Kind, id: &str, actor: &Actor<'_>) -> Result<(), ControlError> {
        if kind.is_single() {
            return Err(ControlError::ReadOnly(format!("the {} cannot be removed", kind.label())));
        }
        let id = id.to_owned();
        self.change(actor, "delete", move |draft| draft.remove_with_limits(kind, &id)).map(drop)
    }

    /// An entity.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, kind: Kind, id: &str) -> Result<Option<Entry>, ControlError> {
        Ok(self.row(kind, id)?.map(|row| Entry::of(kind, row)))
    }

    /// A part of the entities that a filter lets through, and how many it lets through in all.
    ///
    /// # Errors
    /// When they cannot be read, or there is no such kind.
    pub fn page(&self, filter: &Filter) -> Result<(Vec<Entry>, u64), ControlError> {
        let kind: Kind = filter.kind.parse().map_err(|()| ControlError::internal("there is no such kind of entity"))?;
        let (rows, total) = self.0.parts.registry.page(filter)?;
        Ok((rows.into_iter().map(|row| Entry::of(kind, row)).collect(), total))
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

    fn draft<'a>(&'a self, kept: Kept, actor: Actor<'a>, action: &'static str) -> Draft<'a> {
        let parts = &self.0.parts;
        Draft::begin((&parts.registry, parts.env), kept, actor, action, self.now().wall_ms)
    }

    /// What is kept is in force from here on, and those budgets begin that are new or whose windows are.
    fn put_in_force(&self, kept: Kept, revision: u64, budgets: Vec<BudgetId>, turn: &mut Position) {
        let (parts, now) = (&self.0.parts, self.now());
        *turn = Position { revision, ..kept.position };
        let before = parts.live.snapshot();
        let budgets: Vec<_> = budgets.iter().filter_map(|id| kept.snapshot.budget(id).cloned()).collect();
        parts.live.replace(kept.snapshot);
        let begins = |new: &&Arc<Budget>| before.budget(&new.id).is_none_or(|old| old.window != new.window);
        let began: Vec<_> =
            budgets.iter().filter(begins).filter_map(|budget| parts.ledger.begin(budget, now)).collect();
        // A beginning that could not be written down is found again at the first charge.
        let _ = parts.books.adopt(&began);
    }

    fn row(&self, kind: Kind, id: &str) -> Result<Option<Row>, ControlError> {
        Ok(self.0.parts.registry.get(kind.as_str(), id)?)
    }
}

#[cfg(test)]
mod tests;
