use super::*;
use crate::limit::Algorithm;
use crate::window::BudgetWindow;

/// 2026-11-21T12:00:00Z
const NOW: Now = Now { wall_ms: 1_795_262_400_000, mono_ms: 0 };

const TEAM: Who<'_> = Who { holder: Holder::Team, name: "ML" };
const KEY: Who<'_> = Who { holder: Holder::VirtualKey, name: "ci" };

fn usd(text: &str) -> NanoUsd {
    NanoUsd::from_usd_text(text).unwrap()
}

fn budget(limit: &str) -> Budget {
    let window = BudgetWindow::tiled("1M".parse().unwrap());
    Budget { id: "budget-dev".into(), limit: usd(limit), window, mode: Mode::Hard }
}

/// Spent and held, with the reset so many seconds ahead.
fn standing(spent: &str, held: &str, resets_in_s: u64) -> BudgetStanding {
    BudgetStanding { spent: usd(spent), held: usd(held), resets_at_ms: NOW.wall_ms + resets_in_s * 1_000 }
}

fn quota(most: u64, window: &str) -> Option<Quota> {
    Some(Quota { most, window: window.parse().unwrap() })
}

fn rate_limit() -> RateLimit {
    RateLimit {
        id: "rl-hourly".into(),
        requests: quota(1_000, "1h"),
        tokens: quota(50_000, "1d"),
        concurrent: Some(5),
        algorithm: Algorithm::Rolling,
    }
}

fn pace() -> RateStanding {
    RateStanding {
        requests: QuotaStanding { used: 1_000, held: 0, frees_in_ms: 41_500 },
        tokens: QuotaStanding { used: 49_900, held: 700, frees_in_ms: 9_000 },
        concurrent: 5,
    }
}

fn limited(requests: bool, tokens: bool, wait_ms: u64) -> Short {
    Short::Limited { requests, tokens, wait: Duration::from_millis(wait_ms) }
}

#[test]
fn a_budget_that_does_not_pay_says_whose_it_is_and_when_it_resets() {
    let refusal = of_budget(&budget("50"), standing("49.99", "0", 777_600), Short::Spent, usd("0.05"), TEAM, NOW);
    assert_eq!(
        refusal.to_string(),
        "budget_exceeded: budget `budget-dev` of team `ML` does not pay for this call: 49.99 of 50.00 USD used, 0.00 reserved, \
         and this call can cost 0.05; it resets at 2026-11-30T12:00:00Z"
    );
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(777_600)));
    assert!(refusal.is_final(), "nobody retries for nine days");
}

#[test]
fn a_spent_budget_is_worth_a_retry_where_it_resets_within_a_minute() {
    let refusal = of_budget(&budget("50"), standing("50.000000001", "1.5", 20), Short::Spent, NanoUsd::ZERO, TEAM, NOW);
    assert_eq!(
        refusal.message,
        "budget `budget-dev` of team `ML` is spent: 50.000000001 of 50.00 USD used, 1.50 reserved; it resets at \
         2026-11-21T12:00:20Z"
    );
    assert_eq!((refusal.reason.status(), refusal.is_final()), (402, false));
}

#[test]
fn nobody_is_asked_to_wait_for_what_no_window_pays_for() {
    let none = of_budget(&budget("0"), standing("0", "0", 20), Short::Spent, usd("1"), TEAM, NOW);
    assert_eq!(none.message, "budget `budget-dev` of team `ML` is 0.00 USD: it lets nothing through");
    let small = of_budget(&budget("0.5"), standing("0", "0", 20), Short::Spent, usd("0.75"), TEAM, NOW);
    assert_eq!(
        small.message,
        "budget `budget-dev` of team `ML` never pays for this call: 0.00 of 0.50 USD used, 0.00 reserved, and this call can \
         cost 0.75, more than all of it"
    );
    for refusal in [none, small] {
        assert_eq!((refusal.reason, refusal.retry_after), (Reason::BudgetExceeded, None));
        assert!(refusal.is_final());
    }
}

#[test]
fn a_soft_budget_pays_for_any_call_once_it_resets() {
    let soft = Budget { mode: Mode::Soft, ..budget("1") };
    let refusal = of_budget(&soft, standing("1.2", "0", 20), Short::Spent, usd("3"), TEAM, NOW);
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(20)));
}

#[test]
fn money_that_is_only_reserved_is_asked_for_again_in_a_second() {
    let refusal = of_budget(&budget("50"), standing("10", "39.98", 777_600), Short::Reserved, usd("0.05"), TEAM, NOW);
    assert_eq!((refusal.reason, refusal.reason.status()), (Reason::BudgetReserved, 429));
    assert_eq!(
        refusal.message,
        "what is left of budget `budget-dev` of team `ML` is reserved by calls in flight: 10.00 of 50.00 USD used, 39.98 \
         reserved, and this call can cost 0.05; try again when they are done"
    );
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(1)));
    assert!(!refusal.is_final());
}

#[test]
fn a_window_that_has_not_begun_names_no_reset() {
    let refusal = of_budget(&budget("1"), BudgetStanding::default(), Short::Spent, usd("0.1"), TEAM, NOW);
    assert!(!refusal.message.contains("resets"), "{}", refusal.message);
    assert_eq!(refusal.retry_after, None);
}

#[test]
fn a_request_limit_says_when_the_next_is_free() {
    let refusal = of_rate_limit(&rate_limit(), pace(), limited(true, false, 41_500), 0, KEY, NOW);
    assert_eq!(refusal.reason, Reason::RequestLimited);
    assert_eq!(
        refusal.message,
        "rate limit `rl-hourly` of virtual key `ci`: 1000 of 1000 requests in 1h are used; the next is free in 42 s"
    );
    assert_eq!(refusal.retry_after, Some(Duration::from_millis(41_500)));
    assert!(!refusal.is_final());
}

#[test]
fn a_token_limit_says_what_is_reserved_and_needed() {
    let refusal = of_rate_limit(&rate_limit(), pace(), limited(false, true, 7_200_000), 400, KEY, NOW);
    assert_eq!(refusal.reason, Reason::TokenLimited);
    assert_eq!(
        refusal.message,
        "rate limit `rl-hourly` of virtual key `ci`: 49900 of 50000 tokens in 1d are used, 700 of them reserved by calls in \
         flight, and this call is likely to use 400; there is room in 120 min"
    );
    assert!(refusal.is_final(), "two hours are too long to retry");
}

#[test]
fn both_limits_are_told_together() {
    let refusal = of_rate_limit(&rate_limit(), pace(), limited(true, true, 9_000), 0, KEY, NOW);
    assert_eq!(refusal.reason, Reason::RateLimited);
    let start = "rate limit `rl-hourly` of virtual key `ci`: 1000 of 1000 requests in 1h and 49900 of 50000 tokens in 1d are used";
    assert!(refusal.message.starts_with(start), "{}", refusal.message);
}

#[test]
fn calls_in_flight_are_waited_for_a_second() {
    let refusal = of_rate_limit(&rate_limit(), pace(), Short::Crowded, 400, KEY, NOW);
    assert_eq!(
        refusal.to_string(),
        "concurrency_limited: rate limit `rl-hourly` of virtual key `ci`: 5 of 5 calls at a time are in flight; try again when \
         one is done"
    );
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(1)));
}

#[test]
fn rate_limits_tell_what_is_left_of_each_quota() {
    let refusal = of_rate_limit(&rate_limit(), pace(), limited(true, false, 41_500), 0, KEY, NOW);
    let left = |most, left, window_ms, frees_in_ms| {
        Some(QuotaLeft { id: "rl-hourly".into(), most, left, window_ms, frees_in_ms })
    };
    let both = LimitsLeft { requests: left(1_000, 0, 3_600_000, 41_500), tokens: left(50_000, 100, 86_400_000, 9_000) };
    assert_eq!(refusal.limits.as_deref(), Some(&both));
    let one = RateLimit { tokens: None, ..rate_limit() };
    let refusal = of_rate_limit(&one, pace(), limited(true, false, 41_500), 0, KEY, NOW);
    assert_eq!(refusal.limits.as_deref(), Some(&LimitsLeft { tokens: None, ..both }));
}

#[test]
fn an_unpriced_model_names_the_budget_that_needs_a_price() {
    let refusal = unpriced("llama", "vllm", &budget("1"), Who { holder: Holder::Provider, name: "vllm" });
    assert_eq!(refusal.reason, Reason::ModelUnpriced);
    let start =
        "model `llama` of provider `vllm` has no price, and budget `budget-dev` of provider `vllm` cannot be overspent";
    assert!(refusal.message.starts_with(start), "{}", refusal.message);
    assert!(refusal.is_final());
}

#[test]
fn amounts_have_two_to_nine_decimals() {
    for (nano, text) in [(0, "0.00"), (500_000_000, "0.50"), (1_234_500_000, "1.2345"), (1, "0.000000001")] {
        assert_eq!(Usd(NanoUsd(nano)).to_string(), text);
    }
}

#[test]
fn waits_are_told_in_a_unit_that_fits() {
    let cases = [
        (1, "1 s"),
        (1_001, "2 s"),
        (120_000, "120 s"),
        (121_000, "3 min"),
        (7_201_000, "121 min"),
        (36_000_001, "11 h"),
        (264_000_000, "4 days"),
    ];
    for (ms, text) in cases {
        assert_eq!(Spell(Duration::from_millis(ms)).to_string(), text);
    }
}
