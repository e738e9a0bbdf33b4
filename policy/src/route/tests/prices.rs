//! Tests of what an attempt costs: the price list's price, or the operator's own.

use super::*;
use crate::money::PicoUsd;
use crate::price::overrides::{ModelPattern, PriceOverride, PriceOverrides, PriceScope};
use crate::price::{Rate, Unit};
use crate::usage::{ServiceTier, Usage};

const PRICES: &str = r#"{
    "listed": {"litellm_provider":"openai","mode":"chat","max_input_tokens":1000,"max_output_tokens":100,
        "input_cost_per_token":1e-06,"output_cost_per_token":2e-06,"cache_read_input_token_cost":5e-07},
    "classes": {"litellm_provider":"openai","mode":"chat","max_output_tokens":100,
        "input_cost_per_token":1e-06,"output_cost_per_token":2e-06,"output_cost_per_token_priority":4e-06},
    "tiny": {"litellm_provider":"openai","mode":"chat","max_output_tokens":20},
    "free": {"litellm_provider":"openai","mode":"chat","input_cost_per_token":0,"output_cost_per_token":0}
}"#;

const DEMAND: Demand = Demand {
    text_bytes: 10_000,
    images: 0,
    audio_bytes: 0,
    file_bytes: 0,
    unseen: false,
    max_output: None,
    limit_is_open: false,
    limit_is_assumed: false,
    prediction_bytes: 0,
    choices: 1,
    prompts: 1,
    searches: 0,
    tier_is_open: false,
    tier_is_named: false,
    is_fast: false,
    is_regional: false,
};

const USED: Usage = Usage {
    input: 10,
    input_audio: 0,
    input_image: 0,
    cache_read: 4,
    cache_write: 0,
    cache_write_1h: 0,
    output: 20,
    reasoning: 0,
    output_audio: 0,
    output_image: 0,
    searches: 0,
    tier: ServiceTier::Standard,
    is_regional: false,
};

/// Sets the rates of input and output for all models that begin with `start`.
fn own(start: &str, rates: &[(Unit, u64)]) -> Arc<PriceOverride> {
    let rate = |(unit, price): &(Unit, u64)| Rate {
        unit: *unit,
        tier: ServiceTier::Standard,
        above_tokens: 0,
        price: PicoUsd(*price),
    };
    Arc::new(PriceOverride {
        id: "own".into(),
        name: "own".into(),
        scope: PriceScope::Global,
        pattern: ModelPattern::prefix(start),
        operations: OperationSet::ALL,
        order: 0,
        rates: rates.iter().map(rate).collect(),
    })
}

/// The attempt at a model of openai.
fn priced(overrides: Option<Arc<PriceOverride>>, model: &str) -> Attempt {
    made(Operation::ChatCompletion, DEMAND, overrides, model)
}

fn made(operation: Operation, demand: Demand, overrides: Option<Arc<PriceOverride>>, model: &str) -> Attempt {
    let mut catalog = Catalog::default();
    catalog.extend_from_json(PRICES).unwrap();
    let mut set = PriceOverrides::default();
    if let Some(one) = overrides {
        set.put(one).unwrap();
    }
    let pricing = Pricing {
        catalog: Arc::new(catalog),
        overrides: Arc::new(set),
        key: None,
        dialect: Dialect::OpenAi,
        operation,
        compat: crate::settings::Compat::default(),
        demand,
        default_max_output: 50,
    };
    let credential = credential("main", AllowList::All, &[("alias", "listed")]);
    let Change::PutProvider(provider) = provider("openai", "openai", 0, vec![Arc::clone(&credential)]) else {
        panic!("no provider")
    };
    let known = candidates::known(&pricing.catalog, &provider, &model.into());
    credentials::attempt(&pricing, &Target { provider, model: model.into(), pinned: None, known }, &credential)
}

fn cost(attempt: &Attempt) -> Option<u64> {
    attempt.price().map(|price| price.cost(&USED).0)
}

#[test]
fn without_an_override_the_price_list_counts() {
    for overrides in [None, Some(own("other", &[(Unit::Input, 7)]))] {
        let attempt = priced(overrides, "listed");
        assert!(attempt.own_price.is_none());
        // 10 at 1 µ$, 4 at 0.5, 20 at 2.
        assert_eq!(cost(&attempt), Some(52_000));
        assert_eq!(
            attempt.worst_case.map(|worst| worst.amount()),
            Some(crate::money::NanoUsd((10_000 + 1_024) * 1_000 + 100 * 2_000))
        );
    }
}

#[test]
fn what_is_held_and_what_is_charged_are_the_overrides_and_the_rest_is_the_price_lists() {
    let dearer = own("list", &[(Unit::Input, 10_000_000), (Unit::Output, 30_000_000)]);
    let attempt = priced(Some(dearer), "listed");
    assert_eq!(attempt.own_price.as_ref().unwrap().set_by.as_str(), "own");
    assert_eq!(cost(&attempt), Some(100_000 + 2_000 + 600_000));
    assert_eq!(
        attempt.worst_case.map(|worst| worst.amount()),
        Some(crate::money::NanoUsd((10_000 + 1_024) * 10_000 + 100 * 30_000))
    );
}

#[test]
fn an_explicit_zero_is_free_and_only_for_what_it_is_set() {
    let attempt = priced(Some(own("list", &[(Unit::Output, 0)])), "listed");
    assert_eq!(cost(&attempt), Some(10_000 + 2_000));
    let all = [(Unit::Input, 0), (Unit::Output, 0), (Unit::CacheRead, 0)];
    let attempt = priced(Some(own("list", &all)), "listed");
    assert_eq!(
        (cost(&attempt), attempt.worst_case.map(|worst| worst.amount())),
        (Some(0), Some(crate::money::NanoUsd::ZERO))
    );
}

#[test]
fn a_free_model_stays_free_beside_overrides_of_others_and_can_be_priced() {
    let of_listed = own("listed", &[(Unit::Input, 10_000_000)]);
    assert_eq!(cost(&priced(Some(of_listed), "free")), Some(0));
    let of_free = own("free", &[(Unit::Input, 10_000_000)]);
    assert_eq!(cost(&priced(Some(of_free), "free")), Some(140_000));
}

#[test]
fn a_model_that_no_list_has_gets_a_price() {
    assert_eq!(cost(&priced(None, "new")), None);
    let attempt = priced(Some(own("new", &[(Unit::Input, 1_000_000), (Unit::Output, 1_000_000)])), "new");
    assert!(attempt.known.is_none());
    assert_eq!(cost(&attempt), Some(34_000));
    // All of the text, since its window is not known, and the assumed output limit.
    assert_eq!(
        attempt.worst_case.map(|worst| worst.amount()),
        Some(crate::money::NanoUsd((10_000 + 1_024) * 1_000 + 50 * 1_000))
    );
}

#[test]
fn a_price_of_searches_alone_is_no_price_of_a_model() {
    assert_eq!(cost(&priced(Some(own("new", &[(Unit::Search, 1)])), "new")), None);
}

#[test]
fn an_alias_is_priced_as_what_it_stands_for() {
    for pattern in ["listed", "alias"] {
        let attempt = priced(Some(own(pattern, &[(Unit::Output, 1_000_000)])), "alias");
        assert_eq!(cost(&attempt), Some(32_000), "{pattern}");
    }
}

#[test]
fn an_attempt_is_likely_to_use_its_input_and_what_may_come_out_of_it() {
    let chat = Operation::ChatCompletion;
    let input = 10_000 / 4;
    let open = Demand { choices: 2, ..DEMAND };
    let limited = Demand { max_output: Some(30), choices: 2, ..DEMAND };
    let cases = [
        // The model's own maximum is 100, the default limit 50.
        (chat, open, "listed", input + 2 * 50),
        (chat, limited, "listed", input + 2 * 30),
        // What a client writes is no more likely than what it leaves open.
        (chat, Demand { max_output: Some(80), ..DEMAND }, "listed", input + 50),
        (chat, Demand { max_output: Some(u64::MAX), ..DEMAND }, "tiny", input + 20),
        (chat, Demand { max_output: Some(0), ..DEMAND }, "listed", input),
        (chat, open, "new", input + 2 * 50),
        (chat, open, "tiny", input + 2 * 20),
        (Operation::Embedding, Demand { max_output: Some(0), choices: 3, prompts: 3, ..DEMAND }, "listed", input),
        (Operation::Embedding, DEMAND, "listed", input),
    ];
    for (operation, demand, model, expected) in cases {
        assert_eq!(made(operation, demand, None, model).likely_tokens, expected, "{operation} {demand:?} {model}");
    }
}

#[test]
fn a_limit_beyond_what_the_model_can_do_reserves_no_more_than_that() {
    let worst = |max_output, model| {
        let demand = Demand { max_output, ..DEMAND };
        made(Operation::ChatCompletion, demand, None, model).worst_case.map(|worst| worst.output_limit())
    };
    assert_eq!(worst(Some(60), "listed"), Some(60));
    let most = worst(Some(u64::MAX), "listed").unwrap();
    assert!(most >= 100 && Some(most) == worst(Some(u64::MAX / 2), "listed"), "{most}");
}

#[test]
fn a_limit_is_assumed_where_neither_the_client_nor_the_price_list_says_one() {
    let is_assumed = |max_output, model| {
        let demand = Demand { max_output, ..DEMAND };
        let own = Some(own(model, &[(Unit::Output, 1_000_000)]));
        made(Operation::ChatCompletion, demand, own, model).worst_case.map(|worst| worst.is_assumed())
    };
    assert_eq!(is_assumed(None, "new"), Some(true));
    assert_eq!(is_assumed(Some(60), "new"), Some(false));
    assert_eq!(is_assumed(None, "listed"), Some(false));
}

#[test]
fn a_limit_of_zero_that_may_be_read_as_none_is_assumed_as_if_there_were_none() {
    let demand = Demand { max_output: Some(0), limit_is_open: true, ..DEMAND };
    let of = |model| {
        let own = Some(own(model, &[(Unit::Output, 1_000_000)]));
        let attempt = made(Operation::ChatCompletion, demand, own, model);
        let worst = attempt.worst_case.unwrap();
        (worst.is_assumed(), worst.output_limit(), attempt.likely_tokens - 2_500)
    };
    assert_eq!(of("new"), (true, 50, 50));
    assert_eq!(of("listed"), (false, 100, 50));
}

#[test]
fn a_limit_that_the_api_documents_is_assumed_whatever_the_model_can_do() {
    let demand = Demand { max_output: Some(16), limit_is_assumed: true, ..DEMAND };
    for model in ["listed", "tiny"] {
        let own = Some(own(model, &[(Unit::Output, 1_000_000)]));
        let worst = made(Operation::TextCompletion, demand, own, model).worst_case.unwrap();
        assert_eq!((worst.is_assumed(), worst.output_limit()), (true, 16), "{model}");
    }
}

#[test]
fn without_a_price_class_in_the_request_the_dearest_is_held_for_openai() {
    let amount = |demand: Demand| made(Operation::ChatCompletion, demand, None, "classes").worst_case.unwrap().amount();
    let input = 10_000 + 1_024;
    let [standard, priority] = [2_000, 4_000].map(|rate| crate::money::NanoUsd(input * 1_000 + 100 * rate));
    assert_eq!(amount(DEMAND), priority);
    assert_eq!(amount(Demand { tier_is_named: true, ..DEMAND }), standard);
    assert_eq!(amount(Demand { tier_is_named: true, tier_is_open: true, ..DEMAND }), priority);
}
