//! How long rows of the request log are kept, and their sums.

use std::collections::VecDeque;

use super::rollup::Size;

/// A step removes so many rows at most: it takes some ten milliseconds.
pub(crate) const STEP: u32 = 500;

/// Sums of minutes are kept for so long.
const MINUTES_MS: u64 = 4 * 86_400_000;
/// Sums of hours, those of owners among them, for so long. Those of days are kept for ever.
const HOURS_MS: u64 = 100 * 86_400_000;

/// How many rows are kept. What is removed leaves room in the database's file, which becomes no smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// No row is kept for longer than that, in milliseconds; where rows go by the day (PostgreSQL), for up to a day longer.
    pub age_ms: Option<u64>,
    /// The oldest rows go once the database needs more bytes than that, with all that is in it.
    pub bytes: Option<u64>,
}

/// Removing what is to go, as far as it has come.
#[derive(Clone, Debug)]
pub struct Trimming {
    left: VecDeque<Trim>,
    trimmed: Trimmed,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Rows of calls.
    pub rows: u64,
    /// Rows of sums.
    pub sums: u64,
}

/// What is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trim {
    /// Rows of calls that began earlier than this.
    RowsBefore(u64),
    /// The oldest rows, until no more bytes are needed than that.
    ToBytes(u64),
    /// Sums of minutes before this moment, which is the beginning of an hour.
    MinutesBefore(u64),
    /// Sums of hours before this moment, which is the beginning of a day.
    HoursBefore(u64),
}

impl Retention {
    /// Begins to remove what is to go at that moment.
    #[must_use]
    pub fn begin(&self, now_ms: u64) -> Trimming {
        Trimming { left: self.trims(now_ms).collect(), trimmed: Trimmed::default() }
    }

    fn trims(&self, now_ms: u64) -> impl Iterator<Item = Trim> {
        let rows = self.age_ms.map(|age_ms| Trim::RowsBefore(now_ms.saturating_sub(age_ms)));
        let minutes = Size::Hour.floor(now_ms.saturating_sub(MINUTES_MS));
        let hours = Size::Day.floor(now_ms.saturating_sub(HOURS_MS));
        let sums = [Trim::MinutesBefore(minutes), Trim::HoursBefore(hours)];
        rows.into_iter().chain(self.bytes.map(Trim::ToBytes)).chain(sums)
    }
}

impl Trimming {
    /// What is to be removed next; `None`: there is nothing more.
    pub(crate) fn next(&self) -> Option<Trim> {
        self.left.front().copied()
    }

    /// So many rows were.
    pub(crate) fn is_done(&mut self, trim: Trim, removed: u64) {
        self.trimmed.add(trim, removed);
        if removed == 0 {
            self.left.pop_front();
        }
    }

    /// What was removed so far.
    #[must_use]
    pub fn trimmed(&self) -> Trimmed {
        self.trimmed
    }
}

impl Trimmed {
    fn add(&mut self, trim: Trim, removed: u64) {
        match trim {
            Trim::RowsBefore(_) | Trim::ToBytes(_) => self.rows += removed,
            Trim::MinutesBefore(_) | Trim::HoursBefore(_) => self.sums += removed,
        }
    }
}
