use proptest::prelude::*;

use super::*;

fn rate(unit: Unit, tier: ServiceTier, above_tokens: u64, price: u64) -> Rate {
    Rate { unit, tier, above_tokens, price: PicoUsd(price) }
}

fn tiered() -> ModelPrice {
    ModelPrice::new(vec![
        rate(Unit::Input, ServiceTier::Standard, 0, 1_000),
        rate(Unit::Input, ServiceTier::Standard, 200_000, 2_000),
        rate(Unit::CacheRead, ServiceTier::Standard, 0, 100),
        rate(Unit::CacheWrite, ServiceTier::Standard, 0, 1_250),
        rate(Unit::Output, ServiceTier::Standard, 0, 4_000),
        rate(Unit::Output, ServiceTier::Priority, 0, 8_000),
    ])
}

#[test]
fn more_input_costs_at_most_its_dearest_token() {
    let worst = tiered().worst_case(&Demand { choices: 1, max_output: Some(0), ..Demand::default() }, None, 10);
    let more = worst.with_more_input(1_000).amount().0 - worst.amount().0;
    assert_eq!(more, 1_250, "written to the cache");
}

#[test]
fn each_kind_of_token_has_its_own_rate() {
    let usage = Usage { input: 10, cache_read: 5, cache_write: 4, output: 3, ..Usage::default() };
    assert_eq!(tiered().cost(&usage), NanoUsd((10_000 + 500 + 5_000 + 12_000_u64).div_ceil(1_000)));
}

#[test]
fn a_long_call_is_priced_as_a_whole_at_the_higher_step() {
    let usage = Usage { input: 200_001, ..Usage::default() };
    assert_eq!(tiered().cost(&usage), NanoUsd(400_002));
    let at_the_border = Usage { input: 200_000, ..Usage::default() };
    assert_eq!(tiered().cost(&at_the_border), NanoUsd(200_000));
}

#[test]
fn a_tier_without_its_own_rate_is_priced_as_standard() {
    let usage = Usage { input: 1_000, output: 1_000, tier: ServiceTier::Priority, ..Usage::default() };
    assert_eq!(tiered().cost(&usage), NanoUsd(1_000 + 8_000));
}

#[test]
fn a_tier_that_nobody_knows_is_priced_at_the_dearest_rate() {
    let price = tiered().with(&[rate(Unit::Reasoning, ServiceTier::Batch, 0, 1)]);
    let usage = Usage { input: 1_000, output: 1_000, tier: ServiceTier::Unknown, ..Usage::default() };
    assert_eq!(price.cost(&usage), NanoUsd(1_000 + 8_000));
    let reasoning = Usage { reasoning: 1_000, tier: ServiceTier::Unknown, ..Usage::default() };
    assert_eq!(price.cost(&reasoning), NanoUsd(4_000), "no less than in the standard class");
}

#[test]
fn fast_mode_costs_six_times_as_much_where_it_has_no_rates() {
    let usage = Usage { input: 1_000, output: 1_000, tier: ServiceTier::Fast, searches: 1, ..Usage::default() };
    let search = rate(Unit::Search, ServiceTier::Standard, 0, 5_000);
    assert_eq!(tiered().with(&[search]).cost(&usage), NanoUsd(6 * 1_000 + 6 * 4_000 + 5));
    let own = tiered().with(&[search, rate(Unit::Output, ServiceTier::Fast, 0, 9_000)]);
    assert_eq!(own.cost(&usage), NanoUsd(1_000 + 9_000 + 5));
}

#[test]
fn a_region_costs_a_tenth_more_for_each_token() {
    let price = tiered().with(&[rate(Unit::Search, ServiceTier::Standard, 0, 5_000)]);
    let usage = Usage { input: 1_000, output: 1_000, searches: 1, is_regional: true, ..Usage::default() };
    assert_eq!(price.cost(&usage), NanoUsd(1_100 + 4_400 + 5));
    let fast = Usage { tier: ServiceTier::Fast, ..usage };
    assert_eq!(price.cost(&fast), NanoUsd(6_600 + 26_400 + 5));
}

#[test]
fn what_a_class_or_region_costs_more_is_held_only_where_it_is_asked_for() {
    let plain = Demand { max_output: Some(1_000), choices: 1, ..Demand::default() };
    let held = |demand: Demand| tiered().worst_case(&demand, None, 0).amount();
    assert_eq!(held(plain), NanoUsd(1_280 + 4_000), "the input at the dearest rate of any input");
    assert_eq!(held(Demand { tier_is_open: true, ..plain }), NanoUsd(1_280 + 8_000));
    assert_eq!(held(Demand { is_fast: true, ..plain }), NanoUsd(6 * (1_280 + 4_000)));
    assert_eq!(held(Demand { is_regional: true, ..plain }), NanoUsd(1_408 + 4_400));
}

#[test]
fn a_missing_rate_falls_back_to_its_stand_in() {
    let usage = Usage { reasoning: 1_000, cache_write_1h: 1_000, ..Usage::default() };
    assert_eq!(tiered().cost(&usage), NanoUsd(4_000 + 1_250));
}

#[test]
fn searches_are_held_for_each_answer() {
    let price = tiered().with(&[rate(Unit::Search, ServiceTier::Standard, 0, 10_000_000)]);
    let demand = Demand { max_output: Some(0), choices: 2, searches: 3, ..Demand::default() };
    let without = Demand { searches: 0, ..demand };
    let worst = |demand: &Demand| price.worst_case(demand, None, 0).amount();
    assert_eq!(worst(&demand), worst(&without).saturating_add(NanoUsd(2 * 3 * 10_000)));
    assert_eq!(tiered().worst_case(&demand, None, 0), tiered().worst_case(&without, None, 0), "they have no price");
}

#[test]
fn a_prediction_is_held_as_output_beside_the_limit() {
    let plain = Demand { max_output: Some(16), choices: 2, ..Demand::default() };
    let predicted = Demand { prediction_bytes: 1_000, ..plain };
    let worst = |demand: &Demand| tiered().worst_case(demand, None, 0);
    assert_eq!(worst(&predicted).amount(), worst(&plain).amount().saturating_add(NanoUsd(2 * 4_000)));
    assert_eq!(worst(&predicted).output_limit(), 16);
}

#[test]
fn a_limit_of_zero_that_is_open_is_held_as_the_models_maximum() {
    let demand = Demand { max_output: Some(0), limit_is_open: true, choices: 1, ..Demand::default() };
    assert_eq!(tiered().worst_case(&demand, None, 4_096).output_limit(), 4_096);
}

#[test]
fn what_does_not_pay_for_the_input_affords_no_output() {
    let free = ModelPrice::new(vec![rate(Unit::Input, ServiceTier::Standard, 0, 1_000)]);
    let worst = free.worst_case(&Demand { max_output: Some(500), choices: 1, ..Demand::default() }, None, 0);
    assert_eq!(worst.amount(), NanoUsd(1_024), "the tokens that a vendor adds");
    assert_eq!((worst.affordable(NanoUsd(1_023)), worst.affordable(NanoUsd(1_024))), (0, 500));
}

const UNITS: [Unit; 11] = [
    Unit::Input,
    Unit::InputAudio,
    Unit::InputImage,
    Unit::CacheRead,
    Unit::CacheWrite,
    Unit::CacheWrite1h,
    Unit::Output,
    Unit::Reasoning,
    Unit::OutputAudio,
    Unit::OutputImage,
    Unit::Search,
];

fn any_price() -> impl Strategy<Value = ModelPrice> {
    let unit = prop::sample::select(UNITS.to_vec());
    let tier = prop::sample::select(ServiceTier::ALL.to_vec());
    let step = prop::sample::select(vec![0_u64, 0, 0, 1_500, 200_000]);
    let one = (unit, tier, step, 0_u64..50_000).prop_map(|(unit, tier, step, price)| rate(unit, tier, step, price));
    prop::collection::vec(one, 0..24).prop_map(|rates| ModelPrice::default().with(&rates))
}

fn any_demand() -> impl Strategy<Value = Demand> {
    let sizes = (0_u64..500_000, 0_u32..4, 0_u64..100_000, 0_u64..100_000, any::<bool>());
    let limit = (prop::option::of(0_u64..100_000), any::<bool>(), 0_u64..10_000);
    (sizes, limit, 0_u32..5, 0_u32..4, 0_u64..20, any::<(bool, bool, bool)>()).prop_map(
        |(
            (text_bytes, images, audio_bytes, file_bytes, unseen),
            (max_output, limit_is_open, prediction_bytes),
            choices,
            prompts,
            searches,
            (tier_is_open, is_fast, is_regional),
        )| {
            Demand {
                text_bytes,
                images,
                audio_bytes,
                file_bytes,
                unseen,
                max_output,
                limit_is_open,
                limit_is_assumed: false,
                prediction_bytes,
                choices,
                prompts,
                searches,
                tier_is_open,
                tier_is_named: false,
                is_fast,
                is_regional,
            }
        },
    )
}

/// Splits a total by shares; their sum is the total at most.
fn split<const N: usize>(total: u64, shares: [u64; N]) -> [u64; N] {
    let sum = shares.iter().sum::<u64>().max(100);
    shares.map(|share| total * share / sum)
}

/// A usage that stays within a demand: shares of its bounds, in percent.
fn usage_within(
    demand: &Demand,
    (input, output): (u64, u64),
    of_input: [u64; 6],
    of_output: [u64; 4],
    (of_searches, tier): (u64, ServiceTier),
) -> Usage {
    let [text, input_audio, input_image, cache_read, cache_write, cache_write_1h] = split(input, of_input);
    let [plain, reasoning, output_audio, output_image] = split(output, of_output);
    Usage {
        input: text,
        input_audio,
        input_image,
        cache_read,
        cache_write,
        cache_write_1h,
        output: plain,
        reasoning,
        output_audio,
        output_image,
        searches: demand.searches * u64::from(demand.choices.max(1)) * of_searches / 100,
        tier: match tier {
            ServiceTier::Fast if demand.is_fast => tier,
            _ if demand.tier_is_open && tier != ServiceTier::Fast => tier,
            _ => ServiceTier::Standard,
        },
        is_regional: demand.is_regional,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_usage_within_the_demand_costs_more_than_the_worst_case(
        price in any_price(),
        demand in any_demand(),
        window in prop::option::of(1_000_u64..300_000),
        of_input in proptest::array::uniform6(0_u64..=100),
        of_output in proptest::array::uniform4(0_u64..=100),
        of_searches in 0_u64..=100,
        tier in prop::sample::select(ServiceTier::ALL.to_vec()),
    ) {
        let bounds = (demand.input_bound(window), demand.output_bound(4_096));
        let usage = usage_within(&demand, bounds, of_input, of_output, (of_searches, tier));
        prop_assert!(price.cost(&usage) <= price.worst_case(&demand, window, 4_096).amount());
    }

    #[test]
    fn what_is_affordable_can_be_paid_and_one_token_more_cannot(
        price in any_price(),
        demand in any_demand(),
        amount in 0_u64..20_000_000,
    ) {
        let worst = price.worst_case(&demand, None, 4_096);
        let (amount, limit) = (NanoUsd(amount), worst.affordable(NanoUsd(amount)));
        prop_assert!(limit <= worst.output_limit());
        prop_assert!(limit == 0 || worst.amount_at(limit) <= amount);
        prop_assert!(limit == worst.output_limit() || worst.amount_at(limit + 1) > amount);
        prop_assert_eq!(worst.amount() <= amount, limit == worst.output_limit() && worst.amount_at(limit) <= amount);
    }

    #[test]
    fn more_money_affords_no_less_and_more_output_costs_no_less(
        price in any_price(),
        demand in any_demand(),
        mut amounts in proptest::array::uniform2(0_u64..20_000_000),
        mut limits in proptest::array::uniform2(0_u64..200_000),
    ) {
        let worst = price.worst_case(&demand, None, 4_096);
        amounts.sort_unstable();
        limits.sort_unstable();
        let [less, more] = amounts.map(|amount| worst.affordable(NanoUsd(amount)));
        prop_assert!(less <= more);
        let [short, long] = limits.map(|limit| worst.amount_at(limit));
        prop_assert!(short <= long);
    }
}
