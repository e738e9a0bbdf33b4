//! Who used and owes what: one account for each budget and each rate limit, outside the snapshot, so that accounts survive every
//! swap. Limits come from the snapshot as arguments; here are the amounts.

mod account;
pub mod commit;
mod counts;
mod lines;
mod report;
mod restore;

pub(crate) use account::{Account, AccountId, Meters};
pub use counts::Counts;
pub(crate) use counts::Shared;
pub(crate) use report::Left;
pub use report::{BudgetReport, Reported};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use policy::account::{Short, Slot};
use policy::decision::Refusal;
use policy::id::ModelName;
use policy::limit::{Budget, Mode};
use policy::money::NanoUsd;
use policy::price::WorstCase;
use policy::route::{Attempt, Caller};
use policy::settings::Settings;
use policy::snapshot::Snapshot;
use policy::window::Now;
use smallvec::SmallVec;
use store::{Journal, Lease};

use crate::hold::{Admission, Hold, Mark};
use account::Accounts;
use lines::{Limit, Remembered};
pub(crate) use lines::{Line, Lines};

/// All accounts.
#[derive(Debug)]
pub struct Ledger {
    accounts: Accounts,
    remembered: Remembered,
    shared: Arc<Shared>,
}

/// What an attempt wants to reserve, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Where the limits stand.
    pub snapshot: &'a Snapshot,
    /// Who calls.
    pub caller: &'a Caller,
    /// The model as the target names it, before the credential's own name for it.
    pub asked: &'a ModelName,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// Tokens of input beyond what the client sent: the beginning of an answer that is gone on with.
    pub more_input: u64,
    /// Whether the client left the output unlimited, and the request can carry a limit: then it may be lowered.
    pub may_clamp: bool,
    /// Whether the call was counted as a request before, with an earlier attempt.
    pub is_admitted: bool,
    /// When.
    pub now: Now,
}

/// An attempt that an account cannot take.
#[derive(Debug)]
pub struct Denied {
    /// What the client is told if nothing else can be tried.
    pub refusal: Refusal,
    /// Whether an account of the caller's is short: then no other target can help.
    pub is_callers: bool,
}

impl Ledger {
    /// One without a past. Without a journal nothing outlives the process.
    #[must_use]
    pub fn new(journal: Option<Arc<dyn Journal>>, run: u64) -> Self {
        let shared = Arc::new(Shared::new(journal, run));
        Self { accounts: Accounts::default(), remembered: Remembered::default(), shared }
    }

    /// Reserves an attempt's worst case on every account that it touches, on all or on none: the caller's and the target's. The
    /// call itself is counted with its first attempt.
    ///
    /// # Errors
    /// When an account is short of it.
    pub fn hold(&self, request: &Request<'_>) -> Result<(Hold, Option<Admission>), Denied> {
        let lines = self.lines(request);
        let (mut locked, terms) = lock(&lines, request);
        if let Some(wrong) = self.wrong(request, &lines, &locked, &terms) {
            drop(locked);
            return Err(wrong.explain(request, &terms));
        }
        let commit = |(line, meters): (&Line, &mut account::Locked<'_>)| line.commit(meters, &terms, request);
        let marks: SmallVec<[Mark; 8]> = lines.iter().zip(&mut locked).map(commit).collect();
        let left = report::left(&lines, &locked, request.now);
        drop(locked);
        let admission = (!request.is_admitted).then(|| Admission::of(&lines, &marks));
        if terms.clamped.is_some() {
            self.shared.counts.clamped.fetch_add(1, Ordering::Relaxed);
        }
        Ok((Hold::new(lines, marks, &terms, left), admission))
    }

    /// Whether an attempt could be reserved, without reserving it.
    ///
    /// # Errors
    /// When an account is short of it.
    pub fn probe(&self, request: &Request<'_>) -> Result<(), Denied> {
        let lines = self.lines(request);
        let (locked, terms) = lock(&lines, request);
        let wrong = self.wrong(request, &lines, &locked, &terms);
        drop(locked);
        wrong.map_or(Ok(()), |wrong| Err(wrong.explain(request, &terms)))
    }

    /// What keeps an attempt from being made; `None`: nothing.
    fn wrong<'l>(
        &self,
        request: &Request<'_>,
        lines: &'l Lines,
        locked: &[account::Locked<'_>],
        terms: &Terms,
    ) -> Option<Wrong<'l>> {
        // What another gateway spends of a hard budget is not known here.
        if terms.is_hard
            && let Some(lease) = self.shared.not_alone()
        {
            return hard_line(lines).map(|(line, _)| Wrong::NotAlone(line, lease));
        }
        wrong(request, lines, locked, terms)
    }

    /// What is counted besides the accounts.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }
}

/// Locks the accounts of an attempt, moves them on to this moment, and says what would be reserved on them.
fn lock<'l>(lines: &'l Lines, request: &Request<'_>) -> (commit::Guards<'l, Account>, Terms) {
    let mut locked = commit::lock_all(lines.iter().map(|line| &*line.account));
    for (line, meters) in lines.iter().zip(&mut locked) {
        line.roll(meters, request.now);
    }
    let terms = Terms::of(request, lines, &locked);
    (locked, terms)
}

/// What is reserved on each account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) amount: NanoUsd,
    pub(crate) tokens: u64,
    /// The output limit that the attempt is sent with, where it was lowered.
    pub(crate) clamped: Option<u64>,
    /// Whether a budget applies that cannot be overspent.
    pub(crate) is_hard: bool,
    is_priced: bool,
}

impl Terms {
    fn of(request: &Request<'_>, lines: &Lines, locked: &[account::Locked<'_>]) -> Self {
        let attempt = request.attempt;
        let rests = lines.iter().zip(locked).filter_map(|(line, meters)| line.hard_rest(meters));
        let rest = rests.min();
        let worst = attempt.worst_case.unwrap_or_default().with_more_input(request.more_input);
        let clamped =
            rest.filter(|_| request.may_clamp).and_then(|rest| clamp(&worst, rest, request.snapshot.settings()));
        Self {
            amount: clamped.map_or_else(|| worst.amount(), |limit| worst.amount_at(limit)),
            tokens: likely_tokens(attempt, &worst, clamped, request.snapshot.settings())
                .saturating_add(request.more_input),
            clamped,
            is_hard: rest.is_some(),
            is_priced: attempt.worst_case.is_some(),
        }
    }
}

/// The output limit that is sent where the model's own costs more than is left: an eighth of the rest, so that a few calls can
/// still be made. A limit that is only assumed is always sent: else the hold would not be a bound. `None`: there is no need.
fn clamp(worst: &WorstCase, rest: NanoUsd, settings: &Settings) -> Option<u64> {
    if worst.amount() <= rest {
        return worst.is_assumed().then(|| worst.output_limit());
    }
    let limit = worst.affordable(NanoUsd(rest.0 / 8)).max(settings.min_clamped_tokens);
    (limit < worst.output_limit() || worst.is_assumed()).then(|| limit.min(worst.output_limit()))
}

/// Of an answer whose limit was lowered no more is expected than that.
fn likely_tokens(attempt: &Attempt, worst: &WorstCase, clamped: Option<u64>, settings: &Settings) -> u64 {
    let Some(limit) = clamped else { return attempt.likely_tokens };
    let expected = worst.output_limit().min(settings.default_max_output_tokens);
    let saved = expected.saturating_sub(limit).saturating_mul(worst.choices());
    attempt.likely_tokens.saturating_sub(saved)
}

/// The account that is short of the most: the one that takes longest to have room again.
#[derive(Debug)]
struct Found<'l> {
    line: &'l Line,
    short: Short,
    standing: report::Standing,
}

/// What is wrong with an attempt.
#[derive(Debug)]
enum Wrong<'l> {
    NotAlone(&'l Line, Lease),
    Unpriced(&'l Line, &'l Budget),
    Short(Found<'l>),
}

/// What is wrong with an attempt by its prices and its accounts.
fn wrong<'l>(
    request: &Request<'_>,
    lines: &'l Lines,
    locked: &[account::Locked<'_>],
    terms: &Terms,
) -> Option<Wrong<'l>> {
    let mut worst: Option<(report::Severity, Found<'l>)> = None;
    for (line, meters) in lines.iter().zip(locked) {
        let Err(short) = line.check(meters, terms, request) else { continue };
        let standing = line.standing(meters, request.now);
        let severity = report::severity(line, short, &standing, request.now);
        if worst.as_ref().is_none_or(|(known, _)| severity > *known) {
            worst = Some((severity, Found { line, short, standing }));
        }
    }
    if let Some((_, found)) = worst {
        return Some(Wrong::Short(found));
    }
    if terms.is_priced || !terms.is_hard || !request.snapshot.settings().refuse_unpriced {
        return None;
    }
    hard_line(lines).map(|(line, budget)| Wrong::Unpriced(line, budget))
}

/// The first budget that cannot be overspent.
fn hard_line(lines: &Lines) -> Option<(&Line, &Budget)> {
    lines.iter().find_map(|line| match &line.limit {
        Limit::Budget(budget) if budget.mode == Mode::Hard => Some((line, &**budget)),
        _ => None,
    })
}

/// Another gateway may spend of the same hard budgets.
pub(crate) fn not_alone(lease: Lease) -> Refusal {
    if lease != Lease::Elsewhere {
        let message = "a hard budget applies to this call, and the database cannot be reached that says which gateway keeps hard \
                       budgets: another one may by now. Calls are taken again as soon as it can be reached, if none does";
        return Refusal::new(policy::decision::Reason::LedgerUnavailable, message);
    }
    let message = "a hard budget applies to this call, and another gateway on the same database keeps hard budgets: send the call \
                   there. For this gateway to take it, stop the other one and restart this one, or make the budget soft";
    Refusal::new(policy::decision::Reason::LedgerUnavailable, message)
}

impl Wrong<'_> {
    fn explain(&self, request: &Request<'_>, terms: &Terms) -> Denied {
        match self {
            Self::NotAlone(line, lease) => Denied { refusal: not_alone(*lease), is_callers: line.holder.is_callers() },
            Self::Unpriced(line, budget) => {
                let name = line.name(request);
                let (model, provider) = (request.attempt.model.as_str(), request.attempt.provider.name.as_str());
                let refusal = policy::limit::refusal::unpriced(model, provider, budget, line.who(&name));
                Denied { refusal, is_callers: false }
            }
            Self::Short(found) => {
                let refusal = found.refusal(request, terms);
                Denied { refusal, is_callers: found.line.holder.is_callers() }
            }
        }
    }
}

impl Found<'_> {
    fn refusal(&self, request: &Request<'_>, terms: &Terms) -> Refusal {
        use policy::limit::refusal::{of_budget, of_rate_limit};
        let name = self.line.name(request);
        let who = self.line.who(&name);
        match (&self.line.limit, &self.standing) {
            (Limit::Budget(budget), report::Standing::Budget(standing)) => {
                of_budget(budget, *standing, self.short, terms.amount, who, request.now)
            }
            (Limit::Rate(limit), report::Standing::Rate(standing)) => {
                of_rate_limit(limit, *standing, self.short, terms.tokens, who, request.now)
            }
            _ => Refusal::new(policy::decision::Reason::Internal, "an account is not what it should be"),
        }
    }
}

/// The next number of a kind.
fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed)
}

/// An account's slot for an attempt.
fn slot(line: &Line, terms: &Terms, request: &Request<'_>) -> Slot {
    Slot { request: !(line.holder.is_callers() && request.is_admitted), tokens: terms.tokens }
}

#[cfg(test)]
pub(crate) mod tests;
