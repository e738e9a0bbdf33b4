//! Who used and owes what: one account for each owner, outside the snapshot, so that accounts survive every swap.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use policy::id::{CustomerId, ModelName, ProviderName, TeamId, VirtualKeyId};
use policy::money::NanoUsd;
use policy::route::{Attempt, Caller};
use policy::snapshot::Snapshot;
use policy::usage::{Metered, UsageSource};

use crate::hold::Hold;

const SHARDS: usize = 64;

/// Whose account it is. The order is the order in which accounts are locked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A customer.
    Customer(CustomerId),
    /// A team.
    Team(TeamId),
    /// A virtual key.
    VirtualKey(VirtualKeyId),
    /// All calls without a virtual key.
    Anonymous,
    /// A provider.
    Provider(ProviderName),
    /// A model of a provider that is in the price list.
    Model(ProviderName, ModelName),
}

/// The amounts of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Reserved by calls in flight.
    pub held: NanoUsd,
    /// Charged.
    pub spent: NanoUsd,
    /// The part of `spent` that nobody reported: full holds of attempts whose end was never seen.
    pub abandoned: NanoUsd,
    /// Attempts charged or in flight.
    pub attempts: u64,
    /// Tokens charged, input and output.
    pub tokens: u64,
}

/// One owner's amounts behind their lock.
#[derive(Debug)]
pub struct Account {
    owner: Owner,
    balance: Mutex<Balance>,
}

type Shard = RwLock<HashMap<Owner, Arc<Account>>>;

/// All accounts.
#[derive(Debug)]
pub struct Ledger {
    shards: Box<[Shard]>,
    hasher: RandomState,
    abandoned: Arc<AtomicU64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
            abandoned: Arc::default(),
        }
    }
}

impl Ledger {
    /// Holds an attempt's worst case on every account that it touches, each once: the caller's and the target's.
    pub fn hold(&self, callers: &[Owner], attempt: &Attempt) -> Hold {
        let provider = &attempt.provider.name;
        let mut owners = callers.to_vec();
        owners.push(Owner::Provider(provider.clone()));
        // Any other name is the caller's invention, and accounts are kept for ever.
        if attempt.known.is_some() {
            owners.push(Owner::Model(provider.clone(), attempt.model.clone()));
        }
        owners.sort();
        owners.dedup();
        let accounts: Vec<_> = owners.into_iter().map(|owner| self.account(owner)).collect();
        let amount = attempt.worst_case.unwrap_or_default();
        for account in &accounts {
            account.hold(amount);
        }
        Hold::new(accounts, amount, Arc::clone(&self.abandoned))
    }

    /// The amounts of an owner; zero for one that never called.
    #[must_use]
    pub fn balance(&self, owner: &Owner) -> Balance {
        let found = self.shard(owner).and_then(|shard| shard.read().get(owner).cloned());
        found.map(|account| *account.balance.lock()).unwrap_or_default()
    }

    /// How many attempts were charged in full because nobody saw their end.
    #[must_use]
    pub fn abandoned_attempts(&self) -> u64 {
        self.abandoned.load(Ordering::Relaxed)
    }

    fn account(&self, owner: Owner) -> Arc<Account> {
        let Some(shard) = self.shard(&owner) else {
            return Arc::new(Account::new(owner));
        };
        if let Some(account) = shard.read().get(&owner) {
            return Arc::clone(account);
        }
        Arc::clone(shard.write().entry(owner.clone()).or_insert_with(|| Arc::new(Account::new(owner))))
    }

    fn shard(&self, owner: &Owner) -> Option<&Shard> {
        let hash = usize::try_from(self.hasher.hash_one(owner) % SHARDS as u64).unwrap_or_default();
        self.shards.get(hash)
    }
}

impl Account {
    fn new(owner: Owner) -> Self {
        Self { owner, balance: Mutex::default() }
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    fn hold(&self, amount: NanoUsd) {
        let mut balance = self.balance.lock();
        balance.held = balance.held.saturating_add(amount);
        balance.attempts = balance.attempts.saturating_add(1);
    }

    pub(crate) fn release(&self, amount: NanoUsd) {
        let mut balance = self.balance.lock();
        balance.held = balance.held.saturating_sub(amount);
        balance.attempts = balance.attempts.saturating_sub(1);
    }

    pub(crate) fn charge(&self, held: NanoUsd, cost: NanoUsd, metered: Option<&Metered>) {
        let mut balance = self.balance.lock();
        balance.held = balance.held.saturating_sub(held);
        balance.spent = balance.spent.saturating_add(cost);
        if let Some(metered) = metered {
            let tokens = metered.usage.input_total().saturating_add(metered.usage.output_total());
            balance.tokens = balance.tokens.saturating_add(tokens);
        }
        if metered.is_none_or(|metered| metered.source == UsageSource::Abandoned) {
            balance.abandoned = balance.abandoned.saturating_add(cost);
        }
    }
}

/// Whose accounts a caller's calls are charged to.
#[must_use]
pub fn caller_owners(snapshot: &Snapshot, caller: &Caller) -> Vec<Owner> {
    let Some(key) = &caller.key else {
        return vec![Owner::Anonymous];
    };
    let mut owners = vec![Owner::VirtualKey(key.id.clone())];
    owners.extend(key.team.clone().map(Owner::Team));
    owners.extend(snapshot.customer_of(key).map(Owner::Customer));
    owners
}
