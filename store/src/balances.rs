//! What a database must be able to do. One implementation each; what is counted is decided elsewhere, and is the same for all.

use std::fmt;

use crate::StoreError;
use crate::balance::{AbandonedCharge, Began, BudgetState, Page, SliceState, Voided};
use crate::fold::{Attempts, Change};
use crate::journal::AttemptId;
use crate::lease::LeaseNow;
use crate::logs::{Trim, Untold};

/// Keeps balances. Each call is one transaction: it is done and durable when it returns, or nothing of it is.
pub(crate) trait Balances: fmt::Debug + Send {
    /// Begins another process, and says its number: greater than all before, and no less than the time.
    fn begin_run(&mut self, now_ms: u64) -> Result<u64, StoreError>;

    /// How far the journal is folded.
    fn progress(&mut self) -> Result<Progress, StoreError>;

    /// All balances.
    fn standing(&mut self) -> Result<Standing, StoreError>;

    /// Keeps what a stretch of the journal changes; nothing if that stretch was folded before.
    fn fold(&mut self, change: &Change<'_>, meanwhile: Meanwhile<'_>) -> Result<(), StoreError>;

    /// Keeps how the windows of budgets follow each other. Gives the attempts among `attempts` that have changed with that.
    fn adopt(
        &mut self,
        budgets: &[Began],
        attempts: &Attempts,
        meanwhile: Meanwhile<'_>,
    ) -> Result<Vec<Open>, StoreError>;

    /// A part of the abandoned attempts, newest first.
    fn abandoned(&mut self, page: Page, meanwhile: Meanwhile<'_>) -> Result<Vec<AbandonedCharge>, StoreError>;

    /// Takes the charge of an abandoned attempt back, once.
    fn void(&mut self, attempt: AttemptId, at_ms: u64, meanwhile: Meanwhile<'_>) -> Result<Option<Voided>, StoreError>;

    /// Counts as not spent what was spent of a budget in a window that began then, once.
    fn forgive(&mut self, id: &str, start_ms: u64, nano: u64, meanwhile: Meanwhile<'_>) -> Result<(), StoreError>;

    /// The calls whose attempts had ended, and that were not over, when the journal was folded last.
    fn untold(&mut self) -> Result<Untold, StoreError>;

    /// Removes a few of the oldest rows of the request log, or of its sums, that are to go; and says how many. 0: there are no more.
    fn trim_logs(&mut self, trim: Trim, meanwhile: Meanwhile<'_>) -> Result<u64, StoreError>;

    /// Whether this process may go by its own memory alone, as it is now and will be; `Elsewhere` before it began.
    fn lease(&self) -> LeaseNow;

    /// Ends this process: another one may have the lease.
    fn end_run(&mut self) -> Result<(), StoreError>;
}

/// What is done again and again while a database is waited for that is not in this process.
pub(crate) type Meanwhile<'a> = &'a mut dyn FnMut();

/// An attempt that is open, with the payload of its record.
pub(crate) type Open = (AttemptId, Box<[u8]>);

/// How far the journal is folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The number of the last segment that was.
    pub(crate) folded_to: u64,
    /// The attempts that were open then.
    pub(crate) open: Vec<Open>,
}

/// All balances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) budgets: Vec<BudgetState>,
    pub(crate) slices: Vec<SliceState>,
}
