//! One account: the amounts of a budget or of a rate limit behind their lock; and where accounts are found.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, MutexGuard, RwLock};
use policy::account::{Pace, Spending};
use policy::id::{BudgetId, RateLimitId};

use super::commit::Lock;
use super::next;

const SHARDS: usize = 64;

/// What an account is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AccountId {
    Budget(BudgetId),
    Rate(RateLimitId),
}

impl AccountId {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Budget(id) => id.as_str(),
            Self::Rate(id) => id.as_str(),
        }
    }
}

/// The amounts of an account.
#[derive(Clone, Debug)]
pub(crate) enum Meters {
    Budget(Spending),
    Rate(Pace),
}

/// One account.
#[derive(Debug)]
pub(crate) struct Account {
    /// Accounts are locked in the order of their numbers.
    pub(crate) number: u64,
    pub(crate) id: AccountId,
    meters: Mutex<Meters>,
}

/// The right to an account's amounts.
pub(crate) type Locked<'a> = MutexGuard<'a, Meters>;

impl Lock for Account {
    type State = Meters;
    type Guard<'a> = Locked<'a>;

    fn lock(&self) -> Locked<'_> {
        self.meters.lock()
    }
}

type Shard<K> = RwLock<HashMap<K, Arc<Account>, foldhash::fast::FixedState>>;

/// Accounts by id, in shards so that finding one waits for nobody.
#[derive(Debug)]
pub(super) struct Accounts {
    budgets: Shards<BudgetId>,
    rates: Shards<RateLimitId>,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct Shards<K> {
    shards: Box<[Shard<K>]>,
    hasher: foldhash::fast::RandomState,
}

impl<K> Default for Shards<K> {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: foldhash::fast::RandomState::default(),
        }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self { budgets: Shards::default(), rates: Shards::default(), numbers: AtomicU64::new(0) }
    }
}

impl Accounts {
    /// The account of a budget, made where there is none.
    pub(super) fn of_budget(&self, id: &BudgetId, begin: impl FnOnce() -> Spending) -> Arc<Account> {
        self.budgets.find_or_make(id, || self.make(AccountId::Budget(id.clone()), Meters::Budget(begin())))
    }

    /// The account of a rate limit, made where there is none.
    pub(super) fn of_rate_limit(&self, id: &RateLimitId) -> Arc<Account> {
        self.rates.find_or_make(id, || self.make(AccountId::Rate(id.clone()), Meters::Rate(Pace::default())))
    }

    pub(super) fn find_budget(&self, id: &BudgetId) -> Option<Arc<Account>> {
        self.budgets.find(id)
    }

    pub(super) fn find_rate_limit(&self, id: &RateLimitId) -> Option<Arc<Account>> {
        self.rates.find(id)
    }

    fn make(&self, id: AccountId, meters: Meters) -> Arc<Account> {
        Arc::new(Account { number: next(&self.numbers), id, meters: Mutex::new(meters) })
    }
}

impl<K: Clone + Eq + Hash> Shards<K> {
    fn find(&self, id: &K) -> Option<Arc<Account>> {
        self.shard(id)?.read().get(id).cloned()
    }

    fn find_or_make(&self, id: &K, make: impl FnOnce() -> Arc<Account>) -> Arc<Account> {
        if let Some(found) = self.find(id) {
            return found;
        }
        match self.shard(id) {
            Some(shard) => Arc::clone(shard.write().entry(id.clone()).or_insert_with(make)),
            None => make(),
        }
    }

    fn shard(&self, id: &K) -> Option<&Shard<K>> {
        let hash = self.hasher.hash_one(id) >> 32;
        self.shards.get(usize::try_from(hash % SHARDS as u64).ok()?)
    }
}
