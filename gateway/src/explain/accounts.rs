//! What stands on accounts, as `tollgate explain` shows it: a line for each budget, and for each dimension of a rate limit.

use engine::explain::{AccountKind, AccountLine};
use policy::limit::{Budget, BudgetStanding, Holder, Mode, Quota, QuotaStanding, RateLimit, RateStanding};
use policy::window::utc_text;
use serde::Serialize;

/// One line.
#[derive(Debug, Serialize)]
pub(super) struct AccountView {
    /// The budget's or the rate limit's id.
    pub(super) id: String,
    /// `virtual_key`, `team`, `customer`, `provider_config`, `provider` or `model`.
    pub(super) holder: &'static str,
    /// The name of that.
    pub(super) name: String,
    /// `usd`, `requests`, `tokens` or `concurrent_requests`.
    pub(super) unit: &'static str,
    /// `hard` or `soft`; `null` for rate limits.
    pub(super) mode: Option<&'static str>,
    /// Decimal, in the unit.
    pub(super) limit: String,
    /// What is used in the window under way.
    pub(super) used: String,
    /// What calls in flight reserved besides.
    pub(super) held: String,
    /// The window, such as `1M`; `null` where there is none.
    pub(super) window: Option<String>,
    /// When the window ends (RFC 3339); `null` for rate limits, of which some frees up all the time.
    pub(super) resets_at: Option<String>,
    /// Seconds until some of a rate limit is free again; `null` where nothing is used.
    pub(super) frees_in_seconds: Option<u64>,
}

/// The lines of an account.
pub(super) fn lines(line: &AccountLine) -> Vec<AccountView> {
    match &line.what {
        AccountKind::Budget(budget, standing) => vec![of_budget(line, budget, *standing)],
        AccountKind::Rate(limit, standing) => of_rate_limit(line, limit, standing),
    }
}

fn of_budget(line: &AccountLine, budget: &Budget, standing: BudgetStanding) -> AccountView {
    let BudgetStanding { spent, held, resets_at_ms } = standing;
    AccountView {
        mode: Some(if budget.mode == Mode::Hard { "hard" } else { "soft" }),
        used: spent.to_string(),
        held: held.to_string(),
        window: Some(budget.window.to_string()),
        resets_at: (resets_at_ms > 0).then(|| utc_text(resets_at_ms)),
        ..blank(line, budget.id.as_str(), "usd", budget.limit.to_string())
    }
}

fn of_rate_limit(line: &AccountLine, limit: &RateLimit, standing: &RateStanding) -> Vec<AccountView> {
    let blank = |unit, most: String| blank(line, limit.id.as_str(), unit, most);
    let of_quota = |unit, quota: Option<Quota>, standing: &QuotaStanding| {
        quota.map(|quota| AccountView {
            used: standing.used.saturating_sub(standing.held).to_string(),
            held: standing.held.to_string(),
            window: Some(quota.window.to_string()),
            frees_in_seconds: (standing.used > 0).then(|| standing.frees_in_ms.div_ceil(1_000)),
            ..blank(unit, quota.most.to_string())
        })
    };
    let in_flight = limit.concurrent.map(|most| AccountView {
        used: standing.concurrent.to_string(),
        held: "0".to_owned(),
        ..blank("concurrent_requests", most.to_string())
    });
    let requests = of_quota("requests", limit.requests, &standing.requests);
    let tokens = of_quota("tokens", limit.tokens, &standing.tokens);
    requests.into_iter().chain(tokens).chain(in_flight).collect()
}

fn blank(line: &AccountLine, id: &str, unit: &'static str, limit: String) -> AccountView {
    AccountView {
        id: id.to_owned(),
        holder: holder(line.holder),
        name: line.name.clone(),
        unit,
        mode: None,
        limit,
        used: String::new(),
        held: String::new(),
        window: None,
        resets_at: None,
        frees_in_seconds: None,
    }
}

/// The line for people.
pub(super) fn text(view: &AccountView) -> String {
    let AccountView { id, holder, name, unit, limit, used, held, .. } = view;
    let holder = holder.replace('_', " ");
    let window = view.window.as_ref().map_or(String::new(), |window| format!(" in {window}"));
    let soft = if view.mode == Some("soft") { ", may be overspent" } else { "" };
    let end = match (&view.resets_at, view.frees_in_seconds) {
        (Some(at), _) => format!("; resets at {at}"),
        (None, Some(seconds)) => format!("; more is free in {seconds} s"),
        (None, None) => String::new(),
    };
    let unit = unit.replace('_', " ").replace("usd", "USD");
    format!("`{id}` of {holder} `{name}`: {used} of {limit} {unit}{window} used, {held} reserved{soft}{end}")
}

const fn holder(holder: Holder) -> &'static str {
    match holder {
        Holder::VirtualKey => "virtual_key",
        Holder::Team => "team",
        Holder::Customer => "customer",
        Holder::ProviderConfig => "provider_config",
        Holder::Provider => "provider",
        Holder::Model => "model",
    }
}
