//! The typed life of a reservation: `Hold` → `dispatch` → `Sent` → `settle`. Nothing is sent without a `Sent`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use policy::money::NanoUsd;
use policy::price::ModelPrice;
use policy::usage::{Metered, UsageSource};

use crate::ledger::Account;

/// An attempt's worst case, reserved on all its accounts. Dropping it releases it: nothing was sent.
#[must_use = "dropping a hold releases it"]
#[derive(Debug)]
pub struct Hold {
    reserved: Option<Reserved>,
}

/// A reservation whose request is on its way. Dropping it charges the whole hold as abandoned: nobody saw the end.
#[must_use = "dropping a sent hold charges it in full"]
#[derive(Debug)]
pub struct Sent {
    reserved: Option<Reserved>,
}

/// What an attempt was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The amount; zero for a model without a price.
    pub cost: NanoUsd,
    /// Who says how much was used.
    pub source: UsageSource,
}

#[derive(Debug)]
struct Reserved {
    accounts: Vec<Arc<Account>>,
    amount: NanoUsd,
    abandoned: Arc<AtomicU64>,
}

impl Hold {
    pub(crate) fn new(accounts: Vec<Arc<Account>>, amount: NanoUsd, abandoned: Arc<AtomicU64>) -> Self {
        Self { reserved: Some(Reserved { accounts, amount, abandoned }) }
    }

    /// What is reserved on each account.
    #[must_use]
    pub fn amount(&self) -> NanoUsd {
        self.reserved.as_ref().map_or(NanoUsd::ZERO, |reserved| reserved.amount)
    }

    /// Says that the request is being sent now.
    pub fn dispatch(mut self) -> Sent {
        Sent { reserved: self.reserved.take() }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            for account in &reserved.accounts {
                account.release(reserved.amount);
            }
        }
    }
}

impl Sent {
    /// Charges what was used at its price and frees the rest. A usage that was abandoned is charged the full hold.
    pub fn settle(mut self, metered: &Metered, price: Option<&ModelPrice>) -> Charge {
        let Some(reserved) = self.reserved.take() else {
            return Charge { cost: NanoUsd::ZERO, source: metered.source };
        };
        let cost = match metered.source {
            UsageSource::Abandoned => reserved.amount,
            _ => price.map_or(NanoUsd::ZERO, |price| price.cost(&metered.usage)),
        };
        reserved.charge(cost, Some(metered));
        Charge { cost, source: metered.source }
    }

    /// Frees the hold at no cost: the vendor refused, or the request never reached it.
    pub fn settle_free(mut self) {
        if let Some(reserved) = self.reserved.take() {
            let nothing = Metered { usage: policy::usage::Usage::default(), source: UsageSource::Reported };
            reserved.charge(NanoUsd::ZERO, Some(&nothing));
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            reserved.abandoned.fetch_add(1, Ordering::Relaxed);
            reserved.charge(reserved.amount, None);
        }
    }
}

impl Reserved {
    fn charge(&self, cost: NanoUsd, metered: Option<&Metered>) {
        for account in &self.accounts {
            account.charge(self.amount, cost, metered);
        }
    }
}

#[cfg(test)]
mod tests;
