//! What a client is told when a limit is reached: which one, whose, what is used of it, and when to come again. Made here alone,
//! for those that are found exhausted when a plan is made and for those that are short when an attempt is to be held.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::account::Short;
use crate::decision::{LimitsLeft, QuotaLeft, Reason, Refusal};
use crate::id::ProviderName;
use crate::limit::{Budget, BudgetStanding, Holder, Mode, Quota, QuotaStanding, RateLimit, RateStanding};
use crate::money::NanoUsd;
use crate::route::Caller;
use crate::route::rule;
use crate::snapshot::Snapshot;
use crate::window::Now;

/// Calls in flight end at any moment: whoever only waits for one of them tries again soon.
pub const SOON: Duration = Duration::from_secs(1);

/// What a limit hangs on.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// Its kind.
    pub holder: Holder,
    /// Its name for people: that of the key, the team, the customer, the provider, or the model.
    pub name: &'a str,
}

/// The name for people of what a limit hangs on, as an attempt of this caller at this provider and model meets it.
#[must_use]
pub fn name_of(snapshot: &Snapshot, caller: &Caller, holder: Holder, provider: &ProviderName, model: &str) -> String {
    let who = rule::Who::of(snapshot, caller);
    let name = match holder {
        Holder::VirtualKey => who.key.map_or("", |key| &*key.name),
        Holder::Team => who.team.map_or("", |team| &*team.name),
        Holder::Customer => who.customer.map_or("", |customer| &*customer.name),
        Holder::ProviderConfig | Holder::Provider => provider.as_str(),
        Holder::Model => model,
    };
    name.to_owned()
}

/// The refusal of a call that can cost `need`, for which a budget is short; a `need` of zero is not told.
///
/// Where no window is long enough for it, there is no time to come again.
#[must_use]
pub fn of_budget(
    budget: &Budget,
    standing: BudgetStanding,
    short: Short,
    need: NanoUsd,
    who: Who<'_>,
    now: Now,
) -> Refusal {
    let (id, limit) = (&budget.id, budget.limit);
    let amounts = Amounts { limit, standing, need };
    if short == Short::Reserved {
        let message = format!(
            "what is left of budget `{id}` of {who} is reserved by calls in flight: {amounts}; try again when they are done"
        );
        return Refusal::new(Reason::BudgetReserved, message).retry_after(SOON);
    }
    if limit == NanoUsd::ZERO {
        return Refusal::new(
            Reason::BudgetExceeded,
            format!("budget `{id}` of {who} is 0.00 USD: it lets nothing through"),
        );
    }
    if need > limit && budget.mode == Mode::Hard {
        let message = format!("budget `{id}` of {who} never pays for this call: {amounts}, more than all of it");
        return Refusal::new(Reason::BudgetExceeded, message);
    }
    let what = if standing.spent >= limit { "is spent" } else { "does not pay for this call" };
    let reset = Reset(standing.resets_at_ms);
    let refusal = Refusal::new(Reason::BudgetExceeded, format!("budget `{id}` of {who} {what}: {amounts}{reset}"));
    match standing.resets_at_ms.checked_sub(now.wall_ms) {
        Some(wait) => refusal.retry_after(Duration::from_millis(wait)),
        None => refusal,
    }
}

/// The refusal of a call that is likely to use `need_tokens`, for which a rate limit is short; a need of zero is not told.
#[must_use]
pub fn of_rate_limit(
    limit: &RateLimit,
    standing: RateStanding,
    short: Short,
    need_tokens: u64,
    who: Who<'_>,
    _now: Now,
) -> Refusal {
    let id = &limit.id;
    let (reason, what, wait) = match short {
        Short::Limited { requests: true, tokens: false, wait } => {
            let used = of_requests(limit, &standing);
            (Reason::RequestLimited, format!("{used} are used; the next is free in {}", Spell(wait)), wait)
        }
        Short::Limited { requests, wait, .. } => {
            let reason = if requests { Reason::RateLimited } else { Reason::TokenLimited };
            let and = if requests { format!("{} and ", of_requests(limit, &standing)) } else { String::new() };
            let used = of_tokens(limit, &standing, need_tokens);
            (reason, format!("{and}{used}; there is room in {}", Spell(wait)), wait)
        }
        Short::Crowded | Short::Spent | Short::Reserved => {
            let (running, most) = (standing.concurrent, limit.concurrent.unwrap_or(standing.concurrent));
            let what = format!("{running} of {most} calls at a time are in flight; try again when one is done");
            (Reason::ConcurrencyLimited, what, SOON)
        }
    };
    let mut refusal = Refusal::new(reason, format!("rate limit `{id}` of {who}: {what}")).retry_after(wait);
    refusal.limits = Some(Arc::new(left_of(limit, &standing)));
    refusal
}

/// The refusal of a call to a model without a price, where a budget applies that cannot be overspent.
#[must_use]
pub fn unpriced(model: &str, provider: &str, budget: &Budget, who: Who<'_>) -> Refusal {
    let message = format!(
        "model `{model}` of provider `{provider}` has no price, and budget `{}` of {who} cannot be overspent: an operator can \
         give the model a price, or set `client.unpriced_models` to \"allow\"",
        budget.id
    );
    Refusal::new(Reason::ModelUnpriced, message).about("model")
}

/// What is left of a rate limit.
fn left_of(limit: &RateLimit, standing: &RateStanding) -> LimitsLeft {
    let left = |quota: Option<Quota>, standing: &QuotaStanding| {
        quota.map(|quota| QuotaLeft {
            id: limit.id.clone(),
            most: quota.most,
            left: quota.most.saturating_sub(standing.used),
            window_ms: quota.window.nominal_ms(),
            frees_in_ms: standing.frees_in_ms,
        })
    };
    LimitsLeft { requests: left(limit.requests, &standing.requests), tokens: left(limit.tokens, &standing.tokens) }
}

fn of_requests(limit: &RateLimit, standing: &RateStanding) -> String {
    of_quota(limit.requests, &standing.requests, "requests")
}

fn of_tokens(limit: &RateLimit, standing: &RateStanding, need: u64) -> String {
    let mut text = of_quota(limit.tokens, &standing.tokens, "tokens") + " are used";
    if standing.tokens.held > 0 {
        text += &format!(", {} of them reserved by calls in flight", standing.tokens.held);
    }
    if need > 0 {
        text += &format!(", and this call is likely to use {need}");
    }
    text
}

fn of_quota(quota: Option<Quota>, standing: &QuotaStanding, what: &str) -> String {
    match quota {
        Some(Quota { most, window }) => format!("{} of {most} {what} in {window}", standing.used),
        None => format!("{} {what}", standing.used),
    }
}

/// "team `ML`"
impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.holder {
            Holder::VirtualKey => write!(f, "virtual key `{name}`"),
            Holder::Team => write!(f, "team `{name}`"),
            Holder::Customer => write!(f, "customer `{name}`"),
            Holder::ProviderConfig => write!(f, "the virtual key's use of provider `{name}`"),
            Holder::Provider => write!(f, "provider `{name}`"),
            Holder::Model => write!(f, "model `{name}`"),
        }
    }
}

/// "49.99 of 50.00 USD used, 0.00 reserved, and this call can cost 0.05"
struct Amounts {
    limit: NanoUsd,
    standing: BudgetStanding,
    need: NanoUsd,
}

impl fmt::Display for Amounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BudgetStanding { spent, held, .. } = self.standing;
        write!(f, "{} of {} USD used, {} reserved", Usd(spent), Usd(self.limit), Usd(held))?;
        match self.need {
            NanoUsd::ZERO => Ok(()),
            need => write!(f, ", and this call can cost {}", Usd(need)),
        }
    }
}

/// Dollars with as many decimals as are needed, and at least two.
struct Usd(NanoUsd);

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        write!(f, "{whole}.{:0<2}", decimals.trim_end_matches('0'))
    }
}

/// "; it resets at 2026-12-01T00:00:00Z": the first full second of the next window. Nothing where that is not known.
struct Reset(u64);

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = i64::try_from(self.0.div_ceil(1_000)).unwrap_or(0);
        match jiff::Timestamp::from_second(second) {
            Ok(moment) if second > 0 => write!(f, "; it resets at {moment}"),
            _ => Ok(()),
        }
    }
}

/// A time in the unit that it is told in, rounded up: "42 s", "90 min", "30 h", "12 days".
struct Spell(Duration);

impl fmt::Display for Spell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u128, u128, &str); 3] = [(1, 120, "s"), (60, 300, "min"), (3_600, 72, "h")];
        let seconds = self.0.as_millis().div_ceil(1_000);
        for (length, most, name) in UNITS {
            let count = seconds.div_ceil(length);
            if count <= most {
                return write!(f, "{count} {name}");
            }
        }
        write!(f, "{} days", seconds.div_ceil(86_400))
    }
}

#[cfg(test)]
mod tests;
