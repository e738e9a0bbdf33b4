//! Where a call goes: from the model asked for to a plan of ordered attempts.

pub mod balance;
mod candidates;
mod credentials;
mod exhausted;
mod explain;
pub mod expr;
mod failure;
pub mod health;
mod planner;
mod refusal;
pub mod rule;
mod ruled;
mod walk;

pub use candidates::named_provider;
pub use credentials::usable_credentials;
pub use failure::Failure;
pub use refusal::cannot_serve;
pub use walk::Walk;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::catalog::Model;
use crate::decision::{Reason, Refusal};
use crate::id::{CredentialName, ModelName, PriceOverrideId, ProviderName, RuleId};
use crate::key::{Access, VirtualKey};
use crate::limit::Accounts;
use crate::money::scaled_decimal;
use crate::price::{ModelPrice, WorstCase};
use crate::provider::{Credential, Endpoint, Provider, Secret};
use crate::request::{Dialect, Operation, Request};
use crate::snapshot::Snapshot;

use balance::{Choice, Stick};
use candidates::Wanted;
use credentials::Pricing;
use exhausted::Books;
use health::Health;
use planner::{Planner, SameModel};
use rule::Observer;

/// A share of traffic, in millionths, so that it is exact. Only ratios of weights matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u64);

impl Weight {
    /// The weight where none is written.
    pub const ONE: Self = Self(1_000_000);
    /// Chosen only when all others failed.
    pub const ZERO: Self = Self(0);

    /// Reads a non-negative JSON number. `None` when it is none, or larger than a billion.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let millionths = u64::try_from(scaled_decimal(text, 6)?).ok()?;
        (millionths <= 1_000_000_000 * 1_000_000).then_some(Self(millionths))
    }
}

/// Random numbers, given by the caller so that a choice can be replayed.
pub trait Dice {
    /// A number from 0 up to and without `bound`; 0 for a bound of 0.
    fn below(&mut self, bound: u64) -> u64;
}

/// Who calls.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The virtual key, or none for an anonymous call.
    pub key: Option<Arc<VirtualKey>>,
    /// The caller's own vendor key, where the configuration lets callers bring one.
    pub own_credential: Option<Secret>,
}

impl Caller {
    /// What the caller may do with a provider.
    #[must_use]
    pub fn access(&self, provider: &Provider) -> Access<'_> {
        self.key.as_ref().map_or(Access::Unlisted, |key| key.access(provider.name.as_str()))
    }
}

/// Where a call may go: attempts are made from it one by one, with the provider's credentials.
#[derive(Clone, Debug)]
pub struct Target {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The model as it is asked for; a credential may have another name for it.
    pub model: ModelName,
    /// The credential to use, and no other.
    pub pinned: Option<CredentialName>,
    /// What is known of the model under that name; `None` for one in no price list.
    known: Option<Arc<Model>>,
}

impl Target {
    fn is_same(&self, other: &Self) -> bool {
        self.provider.name == other.provider.name && self.model == other.model && self.pinned == other.pinned
    }
}

/// Targets in the order in which they are tried.
pub type Targets = SmallVec<[Target; 4]>;

/// One try of a call: a provider, a credential, and the provider's name for the model.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The credential.
    pub credential: Arc<Credential>,
    /// The model as the provider calls it.
    pub model: ModelName,
    /// By which of its operations the provider serves the call.
    pub served_as: Operation,
    /// What is known of the model; `None` for one in no price list.
    pub known: Option<Arc<Model>>,
    /// Whether the price list or the configuration names the model; any other name is the caller's.
    pub is_known: bool,
    /// The operator's own price for it, where an override applies.
    pub own_price: Option<OwnPrice>,
    /// The most that it can cost; `None` where the model has no price.
    pub worst_case: Option<WorstCase>,
    /// The tokens that it is likely to use, input and output: rate limits hold so many until it is known.
    pub likely_tokens: u64,
}

/// A price that the operator has set.
#[derive(Clone, Debug)]
pub struct OwnPrice {
    /// The override that says so.
    pub set_by: PriceOverrideId,
    /// The price as a whole; what the override does not set is the price list's.
    pub price: ModelPrice,
}

impl Attempt {
    /// What it is charged at: the operator's own price, else the price list's, else nothing where the operator runs the models.
    /// `None` where there is no price.
    #[must_use]
    pub fn price(&self) -> Option<&ModelPrice> {
        let own = self.own_price.as_ref().map(|own| &own.price);
        let listed = || self.known.as_ref()?.price.as_ref();
        own.or_else(listed).or_else(|| self.provider.is_self_hosted.then(ModelPrice::free))
    }

    /// Where it goes.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.credential.endpoint.as_ref().unwrap_or(&self.provider.endpoint)
    }

    /// The route that it takes.
    #[must_use]
    pub fn route(&self) -> health::Route<'_> {
        health::Route {
            provider: &self.provider,
            credential: &self.credential,
            model: &self.model,
            is_known: self.is_known,
        }
    }
}

/// Where a call may go, in order; never empty.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who calls.
    pub caller: Caller,
    /// The model as the client named it, without the provider in front.
    pub asked: ModelName,
    /// The rules that decided, in the order in which they matched; the last one's word counts.
    pub rules: SmallVec<[RuleId; 2]>,
    /// The targets.
    pub targets: Targets,
    /// What could not be used, and why.
    pub dropped: Vec<Dropped>,
    /// How the call chooses among credentials.
    pub choice: Choice,
    pricing: Pricing,
}

/// A target that was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The provider.
    pub provider: ProviderName,
    /// The model; empty where none was named.
    pub model: ModelName,
    /// Why. The later in [`DropReason`], the nearer it came.
    pub reason: DropReason,
}

/// Why a target was not used, from what comes first to what comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// No provider of that name is configured, and nobody serves a model of that name.
    NotConfigured,
    /// It does not serve the model.
    NotServed,
    /// The key may not use the provider.
    ProviderBlocked,
    /// The key may use the provider only when the client names it.
    OnlyByName,
    /// The key may not use the model.
    ModelBlocked,
    /// The provider lacks the operation, and none of those that it has can stand for it.
    CannotSpeak {
        /// Its dialect.
        dialect: Dialect,
    },
    /// No credential that the key may use is for this model.
    NoCredential,
    /// It failed too often and is not asked at present.
    Down {
        /// Until when, in milliseconds on the process's monotonic clock.
        until_ms: u64,
    },
    /// A limit is used up that is its own: of its provider, its model, or of the key's entry for the provider.
    Exhausted,
}

/// What a decision rests on besides policy and request.
pub struct Circumstances<'a> {
    /// How routes do.
    pub health: &'a dyn Health,
    /// What was used of limits; `()` where no traffic came before.
    pub accounts: &'a dyn Accounts,
    /// Chance.
    pub dice: &'a mut dyn Dice,
    /// Who looks on; `()` where nobody does.
    pub seen: &'a mut dyn Observer,
}

/// The plan for a request of a caller, or the refusal with the reason of the candidate that came nearest.
///
/// # Errors
/// When no target is left.
pub fn plan(
    snapshot: &Snapshot,
    caller: Caller,
    request: &Request<'_>,
    now: &mut Circumstances<'_>,
) -> Result<Plan, Refusal> {
    if request.fallbacks.is_some_and(|fallbacks| fallbacks.len() > MAX_FALLBACKS) {
        let message = format!("a request may name at most {MAX_FALLBACKS} fallbacks");
        return Err(Refusal::new(Reason::InvalidRequest, message).about("fallbacks"));
    }
    let asked = Wanted::named(snapshot, request.model);
    let books = Books { snapshot, caller: &caller, accounts: now.accounts };
    let choice = Choice { stick_to: stick(snapshot, &caller, request), ..Choice::default() };
    let mut planner = Planner {
        snapshot,
        caller: &caller,
        request,
        health: now.health,
        books: request.operation.costs().then_some(books),
        choice,
        pinned: pinned_by_caller(request),
        targets: Targets::new(),
        marked: SmallVec::new(),
        dropped: Vec::new(),
        exhausted: None,
    };
    planner.choice.balance = planner.own_balance();
    let (rules, routed) =
        if caller.own_credential.is_some() { planner.add_own(&asked) } else { planner.add_all(&asked, now) };
    planner.put_marked_last();
    let Planner { targets, dropped, choice, pinned, exhausted, .. } = planner;
    if targets.is_empty() {
        now.seen.gave_up(&dropped);
        if let Some(exhausted) = exhausted {
            return Err(exhausted.refusal(&books));
        }
        let same = SameModel { routed: &routed, asked: &asked.model };
        return Err(refusal::of(&same, rules.last(), &caller, request, &dropped, pinned.as_ref()));
    }
    let pricing = Pricing {
        catalog: Arc::clone(snapshot.catalog()),
        overrides: Arc::clone(snapshot.price_overrides()),
        key: caller.key.as_ref().map(|key| key.id.clone()),
        dialect: request.dialect,
        operation: request.operation,
        compat: snapshot.settings().compat,
        demand: request.demand,
        default_max_output: snapshot.settings().default_max_output_tokens,
    };
    Ok(Plan { caller, asked: asked.model, rules, targets, dropped, choice, pricing })
}

/// The credential that a caller names in a header.
fn pinned_by_caller(request: &Request<'_>) -> Option<CredentialName> {
    let name = ["x-bf-api-key-id", "x-bf-api-key"].iter().find_map(|name| request.headers.field(name))?;
    (!name.is_empty()).then(|| name.into())
}

/// A request names no more fallbacks.
const MAX_FALLBACKS: usize = 100;

/// A prompt is told by its first bytes; vendors cache none that is shorter than this.
const PROMPT_PREFIX_BYTES: usize = 2_048;

/// What keeps calls of this kind on one route: a session, or else how the prompt begins.
fn stick(snapshot: &Snapshot, caller: &Caller, request: &Request<'_>) -> Option<Stick> {
    let hash = |of: &[u8]| {
        let mut hasher = DefaultHasher::new();
        (caller.key.as_ref().map(|key| &key.id), of).hash(&mut hasher);
        hasher.finish()
    };
    if let Some(session) = request.headers.field("x-bf-session-id").filter(|session| !session.is_empty()) {
        return Some(Stick::Session(hash(session.as_bytes())));
    }
    let prefix = request.body.get(..PROMPT_PREFIX_BYTES).filter(|_| snapshot.settings().prompt_cache_affinity)?;
    Some(Stick::Prompt(hash(prefix)))
}

#[cfg(test)]
mod tests;
