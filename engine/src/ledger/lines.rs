//! The accounts that an attempt touches, each once, in the order in which they are locked. Which they are is found once for an
//! edition of the limits, and remembered.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use policy::account::{Short, Spending};
use policy::catalog::Model;
use policy::id::ModelName;
use policy::key::VirtualKey;
use policy::limit::refusal::{Who, name_of};
use policy::limit::{Budget, Holder, Limits, Mode, RateLimit, names_of, of_caller, of_target};
use policy::money::NanoUsd;
use policy::provider::Provider;
use policy::snapshot::{Edition, Snapshot};
use policy::window::Now;
use smallvec::SmallVec;

use super::report::Standing;
use super::{Account, Ledger, Meters, Request, Shared, Terms, slot};
use crate::hold::Mark;

/// The accounts that an attempt touches.
#[derive(Debug)]
pub(crate) struct Lines {
    of: Route,
    lines: Box<[Line]>,
    /// Reached from here, a hold need not count itself among those who share it.
    pub(crate) shared: Arc<Shared>,
}

/// One account that an attempt touches.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) account: Arc<Account>,
    pub(super) limit: Limit,
    /// What it hangs on; where it hangs on several, the caller's side counts.
    pub(crate) holder: Holder,
}

/// The limit of an account.
#[derive(Clone, Debug)]
pub(super) enum Limit {
    Budget(Arc<Budget>),
    Rate(Arc<RateLimit>),
}

/// What tells which accounts an attempt touches. Two are the same if their parts are the same objects, so it keeps them.
#[derive(Debug)]
struct Route {
    edition: Edition,
    key: Option<Arc<VirtualKey>>,
    provider: Arc<Provider>,
    /// Where models have limits: as the provider calls it, as it was asked for, and what is known of it.
    model: Option<(ModelName, ModelName, Option<Arc<Model>>)>,
}

impl Route {
    fn of(request: &Request<'_>) -> Self {
        let Request { snapshot, caller, attempt, asked, .. } = *request;
        let model = || (attempt.model.clone(), asked.clone(), attempt.known.clone());
        Self {
            edition: snapshot.edition().clone(),
            key: caller.key.clone(),
            provider: Arc::clone(&attempt.provider),
            model: snapshot.has_model_limits().then(model),
        }
    }

    fn is_of(&self, request: &Request<'_>) -> bool {
        let Request { snapshot, caller, attempt, asked, .. } = *request;
        let is_same_model = |(model, known_as, known): &(ModelName, ModelName, Option<Arc<Model>>)| {
            *model == attempt.model
                && known_as == asked
                && known.as_ref().map(Arc::as_ptr) == attempt.known.as_ref().map(Arc::as_ptr)
        };
        self.edition == *snapshot.edition()
            && self.key.as_ref().map(Arc::as_ptr) == caller.key.as_ref().map(Arc::as_ptr)
            && Arc::ptr_eq(&self.provider, &attempt.provider)
            && self.model.as_ref().is_none_or(is_same_model)
    }
}

/// How many are remembered by all threads together; a power of two. Each takes some hundred bytes.
const REMEMBERED: usize = 1 << 16;
/// More parts than these would remember little each.
const MOST_PARTS: usize = 32;

/// What was found for the latest attempts of each kind. Threads have parts of it to themselves, as far as there are enough:
/// those that serve one key would pass lock and count of one slot around among them.
#[derive(Debug)]
pub(super) struct Remembered {
    slots: Box<[Mutex<Option<Arc<Lines>>>]>,
    parts: usize,
}

impl Default for Remembered {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let parts = (2 * threads).next_power_of_two().min(MOST_PARTS);
        Self { slots: (0..REMEMBERED).map(|_| Mutex::default()).collect(), parts }
    }
}

thread_local! {
    /// The number of this thread.
    static THREAD: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed)
    };
}

impl Remembered {
    /// Where an attempt's are remembered, if they are.
    fn slot(&self, request: &Request<'_>) -> Option<&Mutex<Option<Arc<Lines>>>> {
        let Request { caller, attempt, .. } = *request;
        let key = caller.key.as_ref().map_or(0, |key| Arc::as_ptr(key).addr());
        let names = [Arc::as_ptr(&attempt.provider).addr(), attempt.model.as_str().len()];
        // Addresses differ in their middle bits; the multiplication spreads them upwards.
        let mixed = names.iter().fold(key, |mixed, part| (mixed ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let in_part = (mixed >> 32) & (REMEMBERED / self.parts - 1);
        // When the thread is being taken down, any part will do.
        let part = THREAD.try_with(|thread| thread & (self.parts - 1)).unwrap_or_default();
        self.slots.get(part * (REMEMBERED / self.parts) + in_part)
    }
}

impl Ledger {
    /// The accounts of an attempt.
    pub(super) fn lines(&self, request: &Request<'_>) -> Arc<Lines> {
        let Some(slot) = self.remembered.slot(request) else { return Arc::new(self.find(request)) };
        let mut slot = slot.lock();
        match slot.as_ref().filter(|known| known.of.is_of(request)) {
            Some(known) => Arc::clone(known),
            None => Arc::clone(slot.insert(Arc::new(self.find(request)))),
        }
    }

    fn find(&self, request: &Request<'_>) -> Lines {
        let Request { snapshot, caller, attempt, asked, now, .. } = *request;
        let mut lines = Found::new();
        of_caller(snapshot, caller, |holder, limits| self.add(&mut lines, snapshot, holder, limits, now));
        let names = names_of(attempt, asked);
        of_target(snapshot, caller, &attempt.provider.name, &names, |holder, limits| {
            self.add(&mut lines, snapshot, holder, limits, now);
        });
        lines.sort_unstable_by_key(|line| line.account.number);
        Lines { of: Route::of(request), lines: lines.into_vec().into(), shared: Arc::clone(&self.shared) }
    }

    fn add(&self, lines: &mut Found, snapshot: &Snapshot, holder: Holder, limits: &Limits, now: Now) {
        for budget in limits.budgets.iter().filter_map(|id| snapshot.budget(id)) {
            let begin = || Spending::new(budget.window.clone(), now.wall_ms);
            let account = self.accounts.of_budget(&budget.id, begin);
            push(lines, Line { account, limit: Limit::Budget(Arc::clone(budget)), holder });
        }
        if let Some(limit) = limits.rate_limit.as_ref().and_then(|id| snapshot.rate_limit(id)) {
            let account = self.accounts.of_rate_limit(&limit.id);
            push(lines, Line { account, limit: Limit::Rate(Arc::clone(limit)), holder });
        }
    }
}

type Found = SmallVec<[Line; 8]>;

/// Adds an account that is not there yet. The caller's come first, so that theirs is the side that counts.
fn push(lines: &mut Found, line: Line) {
    if !lines.iter().any(|known| known.account.number == line.account.number) {
        lines.push(line);
    }
}

impl Lines {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&Line> {
        self.lines.get(place)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Line {
    /// The limit, where it is one of rates.
    pub(crate) fn rate_limit(&self) -> Option<&RateLimit> {
        match &self.limit {
            Limit::Rate(limit) => Some(limit),
            Limit::Budget(_) => None,
        }
    }

    /// Moves its windows on.
    pub(super) fn roll(&self, meters: &mut Meters, now: Now) {
        match (&self.limit, meters) {
            (Limit::Budget(budget), Meters::Budget(spending)) => spending.roll(budget, now.wall_ms),
            (Limit::Rate(limit), Meters::Rate(pace)) => pace.roll(limit, now.mono_ms),
            _ => {}
        }
    }

    /// What is left of a budget that cannot be overspent.
    pub(super) fn hard_rest(&self, meters: &Meters) -> Option<NanoUsd> {
        match (&self.limit, meters) {
            (Limit::Budget(budget), Meters::Budget(spending)) if budget.mode == Mode::Hard => {
                Some(spending.rest(budget))
            }
            _ => None,
        }
    }

    /// Whether it can take the attempt.
    pub(super) fn check(&self, meters: &Meters, terms: &Terms, request: &Request<'_>) -> Result<(), Short> {
        match (&self.limit, meters) {
            (Limit::Budget(budget), Meters::Budget(spending)) => spending.check(budget, terms.amount),
            (Limit::Rate(limit), Meters::Rate(pace)) => {
                pace.check(limit, slot(self, terms, request), request.now.mono_ms)
            }
            _ => Ok(()),
        }
    }

    /// Reserves on it.
    pub(super) fn commit(&self, meters: &mut Meters, terms: &Terms, request: &Request<'_>) -> Mark {
        match (&self.limit, meters) {
            (Limit::Rate(limit), Meters::Rate(pace)) => {
                let slot = slot(self, terms, request);
                Mark::Rate { mark: pace.hold(limit, slot), is_counted: slot.request }
            }
            (_, Meters::Budget(spending)) => Mark::Budget(spending.hold(terms.amount)),
            (Limit::Budget(_), Meters::Rate(_)) => Mark::None,
        }
    }

    /// What stands on it.
    pub(super) fn standing(&self, meters: &Meters, now: Now) -> Standing {
        match (&self.limit, meters) {
            (Limit::Rate(limit), Meters::Rate(pace)) => Standing::Rate(pace.standing(limit, now.mono_ms)),
            (Limit::Budget(budget), Meters::Budget(spending)) => {
                Standing::Budget(spending.standing(budget, now.wall_ms))
            }
            _ => Standing::Budget(policy::limit::BudgetStanding::default()),
        }
    }

    /// The name of what it hangs on.
    pub(super) fn name(&self, request: &Request<'_>) -> String {
        let Request { snapshot, caller, attempt, .. } = *request;
        name_of(snapshot, caller, self.holder, &attempt.provider.name, attempt.model.as_str())
    }

    pub(super) fn who<'n>(&self, name: &'n str) -> Who<'n> {
        Who { holder: self.holder, name }
    }
}
