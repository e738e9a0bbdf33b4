//! What stands on accounts, for those who ask: answers' headers, gauges, rules, explanations.

use std::time::Duration;

use policy::account::{Pace, Short};
use policy::decision::{LimitsLeft, QuotaLeft};
use policy::limit::{Accounts, Budget, BudgetStanding, Quota, RateLimit, RateStanding};
use policy::snapshot::Snapshot;
use policy::window::Now;

use super::account::Locked;
use super::commit::Lock;
use super::lines::{Limit, Line, Lines};
use super::{Ledger, Meters};

/// What stands on an account.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    Budget(BudgetStanding),
    Rate(RateStanding),
}

/// How bad it is that an account is short. Of several, the worst is told: money before all else, then what lasts longest.
pub(super) type Severity = (u8, Duration);

/// Says how bad it is.
pub(super) fn severity(line: &Line, short: Short, standing: &Standing, now: Now) -> Severity {
    // The caller's side ends the call, so it is told rather than the target's.
    let side = if line.holder.is_callers() { 4 } else { 0 };
    match (short, standing) {
        (Short::Spent, Standing::Budget(standing)) => {
            (side + 3, Duration::from_millis(standing.resets_at_ms.saturating_sub(now.wall_ms)))
        }
        (Short::Spent, Standing::Rate(_)) => (side + 3, Duration::MAX),
        (Short::Limited { wait, .. }, _) => (side + 2, wait),
        (Short::Crowded, _) => (side + 1, Duration::ZERO),
        (Short::Reserved, _) => (side, Duration::ZERO),
    }
}

/// What is left of the tightest quotas, as an attempt has just been counted.
pub(super) fn left(lines: &Lines, locked: &[Locked<'_>], now: Now) -> Left {
    let [mut requests, mut tokens] = [Tightest::default(), Tightest::default()];
    for (place, (line, meters)) in lines.iter().zip(locked).enumerate() {
        if let (Limit::Rate(limit), Meters::Rate(pace)) = (&line.limit, &**meters) {
            let used = pace.used(now.mono_ms);
            requests.tighten(place, limit.requests, pace, used.0);
            tokens.tighten(place, limit.tokens, pace, used.1);
        }
    }
    Left {
        requests: requests.noted(|pace| pace.requests_free_in_ms(now.mono_ms)),
        tokens: tokens.noted(|pace| pace.tokens_free_in_ms(now.mono_ms)),
    }
}

/// What is left of the tightest quotas, without what their limits say: a hold is passed on often.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Left {
    requests: Option<Noted>,
    tokens: Option<Noted>,
}

/// What is left of one quota.
#[derive(Clone, Copy, Debug)]
struct Noted {
    /// The place of its account.
    place: usize,
    left: u64,
    frees_in_ms: u64,
}

impl Left {
    /// The same with what the limits say; `lines` are those that it was noted of.
    pub(crate) fn told(&self, lines: &Lines) -> LimitsLeft {
        let limit = |noted: &Noted| lines.get(noted.place).and_then(Line::rate_limit);
        let told = |noted: Noted, quota: fn(&RateLimit) -> Option<Quota>| {
            let (limit, Noted { left, frees_in_ms, .. }) = (limit(&noted)?, noted);
            let Quota { most, window } = quota(limit)?;
            Some(QuotaLeft { id: limit.id.clone(), most, left, window_ms: window.nominal_ms(), frees_in_ms })
        };
        LimitsLeft {
            requests: self.requests.and_then(|noted| told(noted, |limit| limit.requests)),
            tokens: self.tokens.and_then(|noted| told(noted, |limit| limit.tokens)),
        }
    }
}

/// The quota of which the smallest share is left, and the place of its account.
#[derive(Default)]
struct Tightest<'a>(Option<(usize, Quota, &'a Pace, u64)>);

impl<'a> Tightest<'a> {
    /// Puts a quota in place of another where a smaller share of it is left.
    fn tighten(&mut self, place: usize, quota: Option<Quota>, pace: &'a Pace, used: u64) {
        let Some(quota) = quota else { return };
        let left = quota.most.saturating_sub(used);
        let is_tighter = self.0.is_none_or(|(_, known, _, known_left)| {
            u128::from(left) * u128::from(known.most) < u128::from(known_left) * u128::from(quota.most)
        });
        if is_tighter {
            self.0 = Some((place, quota, pace, left));
        }
    }

    fn noted(self, frees_in_ms: impl Fn(&Pace) -> u64) -> Option<Noted> {
        let (place, _, pace, left) = self.0?;
        Some(Noted { place, left, frees_in_ms: frees_in_ms(pace) })
    }
}

/// The ledger as it stands at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    ledger: &'a Ledger,
    now: Now,
}

/// What stands on a budget.
#[derive(Clone, Debug)]
pub struct BudgetReport {
    /// Its id.
    pub id: policy::id::BudgetId,
    /// Its limit, in nano-dollars.
    pub limit_nano: u64,
    /// What was charged in the window under way.
    pub spent_nano: u64,
    /// What calls in flight reserved.
    pub held_nano: u64,
}

impl Ledger {
    /// What stands at this moment.
    #[must_use]
    pub fn at(&self, now: Now) -> Reported<'_> {
        Reported { ledger: self, now }
    }

    /// The budgets of which the largest share is used or reserved, at most so many; and how many there are in all.
    #[must_use]
    pub fn tightest_budgets(&self, snapshot: &Snapshot, most: usize, now: Now) -> (Vec<BudgetReport>, usize) {
        let view = self.at(now);
        let mut all: Vec<BudgetReport> = snapshot.budgets().map(|budget| view.report(budget)).collect();
        let count = all.len();
        let used = |one: &BudgetReport| {
            let used = u128::from(one.spent_nano) + u128::from(one.held_nano);
            std::cmp::Reverse((used << 32).checked_div(u128::from(one.limit_nano)).unwrap_or(u128::MAX))
        };
        if count > most && most > 0 {
            all.select_nth_unstable_by_key(most - 1, used);
            all.truncate(most);
        }
        all.sort_by(|one, other| one.id.cmp(&other.id));
        (all, count)
    }
}

impl Reported<'_> {
    fn report(&self, budget: &Budget) -> BudgetReport {
        let standing = self.of_budget(budget);
        BudgetReport {
            id: budget.id.clone(),
            limit_nano: budget.limit.0,
            spent_nano: standing.spent.0,
            held_nano: standing.held.0,
        }
    }
}

impl Accounts for Reported<'_> {
    fn now(&self) -> Option<Now> {
        Some(self.now)
    }

    fn of_budget(&self, budget: &Budget) -> BudgetStanding {
        let Some(account) = self.ledger.accounts.find_budget(&budget.id) else { return BudgetStanding::default() };
        match &*account.lock() {
            Meters::Budget(spending) => spending.standing(budget, self.now.wall_ms),
            Meters::Rate(_) => BudgetStanding::default(),
        }
    }

    fn of_rate_limit(&self, limit: &RateLimit) -> RateStanding {
        let Some(account) = self.ledger.accounts.find_rate_limit(&limit.id) else { return RateStanding::default() };
        match &*account.lock() {
            Meters::Rate(pace) => pace.standing(limit, self.now.mono_ms),
            Meters::Budget(_) => RateStanding::default(),
        }
    }
}
