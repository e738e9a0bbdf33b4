//! What the store remembers of an attempt: the owned forms of what the journal's records borrow.

use crate::journal::{AttemptId, Entry, Kind, Opened};

/// What an attempt reserved, or was charged, on one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    /// What is counted.
    pub kind: Kind,
    /// The budget's or the rate limit's id.
    pub id: String,
    /// When the window (of a budget) or the slice (of a rate limit) began, in milliseconds since 1970; 0: it belongs to no
    /// window that could still be under way.
    pub start_ms: u64,
    /// The length of the slice; 0 for budgets.
    pub length_ms: u64,
    /// How much: nano-dollars, requests or tokens.
    pub amount: u64,
}

/// An attempt that was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempted {
    /// Its name.
    pub attempt: AttemptId,
    /// The number of the first attempt of the call that it was for; 0: it is that, or nobody knows.
    pub call: u64,
    /// When it was opened, in milliseconds since 1970.
    pub at_ms: u64,
    /// The virtual key; empty for an anonymous call.
    pub key: String,
    /// The provider.
    pub provider: String,
    /// The model, as the provider calls it.
    pub model: String,
    /// What it reserved.
    pub amounts: Vec<Amount>,
}

impl Attempted {
    /// What it reserved on the budget where it reserved most, in nano-dollars: its worst case.
    #[must_use]
    pub fn nano(&self) -> u64 {
        Self::nano_of(self.amounts.iter().map(Amount::entry))
    }

    pub(crate) fn nano_of<'a>(entries: impl Iterator<Item = Entry<'a>>) -> u64 {
        let budgets = entries.filter(|entry| entry.kind == Kind::Budget);
        budgets.map(|entry| entry.amount).max().unwrap_or_default()
    }

    /// As a record, with its amounts.
    pub(crate) fn opened<'a>(&'a self, entries: &'a [Entry<'a>]) -> Opened<'a> {
        let Self { attempt, call, at_ms, key, provider, model, .. } = self;
        Opened { attempt: *attempt, call: *call, at_ms: *at_ms, key, provider, model, entries }
    }
}

impl Amount {
    /// As a part of a record.
    pub(crate) fn entry(&self) -> Entry<'_> {
        let Self { kind, id, start_ms, length_ms, amount } = self;
        Entry { kind: *kind, id, start_ms: *start_ms, length_ms: *length_ms, amount: *amount }
    }
}

impl From<&Entry<'_>> for Amount {
    fn from(entry: &Entry<'_>) -> Self {
        let Entry { kind, id, start_ms, length_ms, amount } = *entry;
        Self { kind, id: id.to_owned(), start_ms, length_ms, amount }
    }
}
