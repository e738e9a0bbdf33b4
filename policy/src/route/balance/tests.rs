//! Choices over many draws, and who stays where.

use proptest::prelude::*;

use super::*;
use crate::route::health::Mark;

/// SplitMix64's sequence.
struct Seeded(u64);

impl Dice for Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        let wide = u128::from(rendezvous::mix(self.0, 0)) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap()
    }
}

const WEIGHTED: Choice = Choice { balance: Balance::Weighted, stick_to: None };
const ADAPTIVE: Choice = Choice { balance: Balance::Adaptive, stick_to: None };

const fn session(seed: u64) -> Choice {
    Choice { balance: Balance::Weighted, stick_to: Some(Stick::Session(seed)) }
}

const fn prompt(seed: u64) -> Choice {
    Choice { balance: Balance::Weighted, stick_to: Some(Stick::Prompt(seed)) }
}

fn well(weight: &str) -> Candidate {
    Candidate { weight: Weight::from_text(weight).unwrap(), reading: Reading::WELL, is_usable: true }
}

fn all_well<const N: usize>(weights: [&str; N]) -> [Candidate; N] {
    weights.map(well)
}

fn returning(weight: &str, share: u16) -> Candidate {
    Candidate { reading: Reading { share, ..Reading::WELL }, ..well(weight) }
}

fn marked(weight: &str, until_ms: u64) -> Candidate {
    let state = State::Marked { until_ms, mark: Mark::Throttled };
    Candidate { reading: Reading { state, ..Reading::WELL }, ..well(weight) }
}

fn counts<const N: usize>(candidates: &[Candidate; N], choices: impl Iterator<Item = Choice>) -> [u64; N] {
    let mut dice = Seeded(7);
    let mut counts = [0; N];
    for choice in choices {
        counts[pick(candidates, choice, &mut dice).unwrap()] += 1;
    }
    counts
}

/// Pearson's statistic, in thousandths.
fn chi_squared<const N: usize>(counts: [u64; N], shares: [u64; N]) -> u64 {
    let drawn: u64 = counts.iter().sum();
    let whole: u64 = shares.iter().sum();
    let term = |(count, share): (u64, u64)| {
        let expected = drawn * share / whole;
        count.abs_diff(expected).pow(2) * 1_000 / expected
    };
    counts.into_iter().zip(shares).map(term).sum()
}

/// For three degrees of freedom, exceeded by chance once in a thousand times.
const CRITICAL: u64 = 16_266;

#[test]
fn a_hundred_thousand_weighted_choices_follow_the_weights() {
    let candidates = all_well(["0.5", "0.25", "0.15", "0.1"]);
    let counted = counts(&candidates, std::iter::repeat_n(WEIGHTED, 100_000));
    let statistic = chi_squared(counted, [50, 25, 15, 10]);
    assert!(statistic < CRITICAL, "{counted:?}: {statistic}");
    let even = chi_squared(counted, [25, 25, 25, 25]);
    assert!(even > CRITICAL, "the test would not see equal weights");
}

#[test]
fn a_hundred_thousand_sessions_follow_the_weights() {
    let candidates = all_well(["0.5", "0.25", "0.15", "0.1"]);
    let counted = counts(&candidates, (0..100_000).map(session));
    let statistic = chi_squared(counted, [50, 25, 15, 10]);
    assert!(statistic < CRITICAL, "{counted:?}: {statistic}");
}

#[test]
fn the_second_choice_of_sessions_follows_the_weights_of_the_rest() {
    let mut candidates = all_well(["5", "4", "3", "2", "1"]);
    candidates[0].is_usable = false;
    let counted = counts(&candidates, (0..100_000).map(session));
    let statistic = chi_squared([counted[1], counted[2], counted[3], counted[4]], [4, 3, 2, 1]);
    assert!(statistic < CRITICAL, "{counted:?}: {statistic}");
    assert_eq!(counted[0], 0);
}

#[test]
fn a_weight_of_zero_waits_until_nothing_else_is_there() {
    let mut candidates = all_well(["0", "1", "0", "2"]);
    for choice in [WEIGHTED, ADAPTIVE, session(1), prompt(1)] {
        let mut candidates = candidates;
        let mut order = Vec::new();
        while let Some(picked) = pick(&candidates, choice, &mut Seeded(3)) {
            candidates[picked].is_usable = false;
            order.push(picked);
        }
        assert_eq!(order.len(), 4);
        assert_eq!(order[2..], [0, 2], "{choice:?}");
    }
    let counted = counts(&candidates, std::iter::repeat_n(WEIGHTED, 1_000));
    assert_eq!((counted[0], counted[2]), (0, 0));
    candidates[1].is_usable = false;
    candidates[3].is_usable = false;
    assert_eq!(counts(&candidates, std::iter::repeat_n(WEIGHTED, 100)), [100, 0, 0, 0]);
}

#[test]
fn what_comes_back_gets_its_share_of_its_share() {
    for choice in [WEIGHTED, ADAPTIVE] {
        let counted = counts(&[well("1"), returning("1", 100)], std::iter::repeat_n(choice, 100_000));
        // Adaptive: where both take part they cost the same, and the first one drawn is taken.
        assert!(counted[1].abs_diff(5_000) < 300, "{choice:?}: {counted:?}");
    }
}

#[test]
fn a_sole_primary_that_comes_back_leaves_the_rest_to_a_standby_without_weight() {
    for choice in [WEIGHTED, ADAPTIVE] {
        for (share, expected) in [(100, 10_000), (500, 50_000), (900, 90_000), (1_000, 100_000)] {
            let counted = counts(&[returning("1", share), well("0")], std::iter::repeat_n(choice, 100_000));
            assert!(counted[0].abs_diff(expected) < 700, "{share}: {counted:?}");
        }
    }
}

#[test]
fn where_all_come_back_the_weights_decide() {
    let both = counts(&[returning("3", 100), returning("1", 100)], std::iter::repeat_n(WEIGHTED, 100_000));
    // Both sit out 81 times in a hundred, and then share as 3 to 1; likewise where both take part.
    assert!(both[0].abs_diff(9_000 + 82_000 * 3 / 4) < 700, "{both:?}");
    assert_eq!(counts(&[returning("1", 100)], std::iter::repeat_n(WEIGHTED, 100)), [100]);
}

#[test]
fn marked_ones_are_used_only_where_all_are_and_the_first_to_be_free_is_first() {
    let mut candidates = [marked("5", 900), well("0"), marked("1", 300), marked("9", 600)];
    for choice in [WEIGHTED, ADAPTIVE, session(4), prompt(4)] {
        assert_eq!(pick(&candidates, choice, &mut Seeded(1)), Some(1));
    }
    candidates[1].is_usable = false;
    for choice in [WEIGHTED, ADAPTIVE, session(4), prompt(4)] {
        assert_eq!(pick(&candidates, choice, &mut Seeded(1)), Some(2));
    }
    candidates[1].is_usable = true;
    candidates[1].reading.state = State::Down { until_ms: 1 };
    assert_eq!(pick(&candidates, WEIGHTED, &mut Seeded(1)), Some(2), "what is down comes after what is marked");
}

#[test]
fn nothing_usable_is_no_choice() {
    assert_eq!(pick(&[], WEIGHTED, &mut Seeded(1)), None);
    let unusable = Candidate { is_usable: false, ..well("1") };
    for choice in [WEIGHTED, ADAPTIVE, session(4), prompt(4)] {
        assert_eq!(pick(&[unusable; 3], choice, &mut Seeded(1)), None);
    }
}

#[test]
fn sessions_follow_a_candidate_that_comes_back_one_by_one_and_stay() {
    let home = all_well(["1", "1", "1"]);
    let at = |share: u16, seed: u64| {
        let candidates = [home[0], returning("1", share), home[2]];
        pick(&candidates, session(seed), &mut Seeded(0)).unwrap()
    };
    let mut back_before = 0;
    for share in [100, 400, 700, 1_000] {
        let back = (0..3_000).filter(|seed| at(share, *seed) == 1).count();
        assert!(back > back_before, "{share}");
        back_before = back;
    }
    for seed in 0..300 {
        let places: Vec<_> = (100..=1_000).step_by(20).map(|share| at(share, seed)).collect();
        assert!(places.windows(2).all(|pair| pair[0] == pair[1] || pair[1] == 1), "{seed}: {places:?}");
    }
}

#[test]
fn questions_asked_with_one_seed_have_answers_of_their_own() {
    let two = all_well(["1", "1"]);
    let mut pairs = [0_u64; 4];
    for seed in 0..10_000 {
        let stick = Stick::Session(seed);
        let place = |question| {
            let choice = Choice { stick_to: Some(stick.within(question)), ..WEIGHTED };
            pick(&two, choice, &mut Seeded(0)).unwrap()
        };
        pairs[place(1) * 2 + place(2)] += 1;
    }
    assert!(chi_squared(pairs, [1, 1, 1, 1]) < CRITICAL, "{pairs:?}");
}

#[test]
fn a_prompt_leaves_its_home_only_where_too_many_are_at_home() {
    let mut candidates = all_well(["1", "1", "1", "1"]);
    let at = |candidates: &[Candidate], seed| pick(candidates, prompt(seed), &mut Seeded(0)).unwrap();
    let homes: Vec<_> = (0..500).map(|seed| at(&candidates, seed)).collect();
    for candidate in &mut candidates {
        candidate.reading.in_flight = 10;
    }
    // 13 is not above five quarters of 43/4, and one.
    candidates[2].reading.in_flight = 13;
    assert_eq!((0..500).map(|seed| at(&candidates, seed)).collect::<Vec<_>>(), homes);
    candidates[2].reading.in_flight = 20;
    for (seed, home) in (0..500).zip(homes) {
        let now = at(&candidates, seed);
        assert!(if home == 2 { now != 2 } else { now == home }, "{seed}");
    }
}

#[test]
fn the_room_at_home_goes_by_weight() {
    let mut candidates = all_well(["9", "1"]);
    candidates[0].reading.in_flight = 90;
    candidates[1].reading.in_flight = 10;
    let homes = counts(&candidates, (0..10_000).map(prompt));
    assert!(homes[0].abs_diff(9_000) < 200, "{homes:?}");
}

#[test]
fn of_two_the_one_that_costs_less_is_taken() {
    let doing = |reading: Reading| Candidate { reading, ..well("1") };
    let usual = Reading { latency_us: 100_000, in_flight: 9, waiting: 3, ..Reading::WELL };
    let worse = [
        Reading { latency_us: 200_000, ..usual },
        Reading { waiting: 4, ..usual },
        Reading { errors: 300, ..usual },
        Reading { headroom: 50, ..usual },
    ];
    for reading in worse {
        let counted = counts(&[doing(reading), doing(usual)], std::iter::repeat_n(ADAPTIVE, 1_000));
        assert_eq!(counted, [0, 1_000], "{reading:?}");
    }
    let ample = Reading { headroom: 300, in_flight: 99, ..usual };
    let counted = counts(&[doing(ample), doing(usual)], std::iter::repeat_n(ADAPTIVE, 64_000));
    assert!(counted[0].abs_diff(32_000) < 1_000, "{counted:?}");
}

#[test]
fn what_was_never_seen_counts_as_the_fastest_of_the_others() {
    let seen = |latency_us| Candidate { reading: Reading { latency_us, ..Reading::WELL }, ..well("1") };
    let counted = counts(&[seen(0), seen(400_000), seen(200_000)], std::iter::repeat_n(ADAPTIVE, 30_000));
    assert!(counted[0] > 9_000, "{counted:?}");
    assert!(counted[1] < 1_000, "{counted:?}");
}

#[test]
fn what_waits_for_its_probe_gets_it_when_it_is_drawn() {
    let bad = Reading { state: State::Probe, latency_us: 9_000_000, errors: 1_000, ..Reading::WELL };
    let candidates = [Candidate { reading: bad, ..well("1") }, well("1"), well("1"), well("1")];
    let counted = counts(&candidates, std::iter::repeat_n(ADAPTIVE, 10_000));
    assert!(counted[0].abs_diff(5_000) < 250, "{counted:?}");
}

#[test]
fn the_heaviest_loads_do_not_overflow() {
    let most = Reading {
        latency_us: u64::MAX,
        in_flight: u32::MAX,
        waiting: u32::MAX,
        errors: u16::MAX,
        headroom: 0,
        ..Reading::WELL
    };
    let candidates = [Candidate { reading: most, ..well("1000000000") }; 3];
    for choice in [WEIGHTED, ADAPTIVE, session(u64::MAX), prompt(u64::MAX)] {
        assert!(pick(&candidates, choice, &mut Seeded(1)).is_some());
    }
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![
        4 => Just(State::Up),
        1 => Just(State::Probe),
        1 => (0..9_u64).prop_map(|until_ms| State::Marked { until_ms, mark: Mark::Refused }),
        1 => (0..9_u64).prop_map(|until_ms| State::Down { until_ms }),
    ]
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let numbers = (0..4_u64, 0..=1_000_u16, 0..50_u32, 0..50_u32, 0..5_u64, 0..=1_000_u16, 0..=1_000_u16);
    (numbers, any_state(), any::<bool>()).prop_map(|(numbers, state, is_usable)| {
        let (weight, share, in_flight, waiting, latency_us, errors, headroom) = numbers;
        let reading = Reading { state, share, in_flight, waiting, latency_us, errors, headroom };
        Candidate { weight: Weight(weight * 1_000_000), reading, is_usable }
    })
}

fn any_choice() -> impl Strategy<Value = Choice> {
    let stick = prop_oneof![
        Just(None),
        any::<u64>().prop_map(|seed| Some(Stick::Session(seed))),
        any::<u64>().prop_map(|seed| Some(Stick::Prompt(seed))),
    ];
    (any::<bool>(), stick).prop_map(|(is_adaptive, stick_to)| Choice {
        balance: if is_adaptive { Balance::Adaptive } else { Balance::Weighted },
        stick_to,
    })
}

proptest! {
    #[test]
    fn asked_again_and_again_every_usable_one_comes_once(
        mut candidates in proptest::collection::vec(any_candidate(), 0..8),
        choice in any_choice(),
        seed: u64,
    ) {
        let usable = candidates.iter().filter(|one| one.is_usable).count();
        let mut dice = Seeded(seed);
        let mut tiers = Vec::new();
        while let Some(picked) = pick(&candidates, choice, &mut dice) {
            prop_assert!(candidates[picked].is_usable);
            candidates[picked].is_usable = false;
            tiers.push(Tier::of(candidates[picked].reading.state));
        }
        prop_assert_eq!(tiers.len(), usable);
        prop_assert!(tiers.is_sorted());
    }

    #[test]
    fn only_sessions_of_the_one_that_went_move(
        weights in proptest::collection::vec(1..9_u64, 2..8),
        gone in any::<prop::sample::Index>(),
        seed: u64,
    ) {
        let with = |weight: &u64| Candidate { weight: Weight(*weight), ..well("1") };
        let mut candidates: Vec<_> = weights.iter().map(with).collect();
        let gone = gone.index(candidates.len());
        let before = pick(&candidates, session(seed), &mut Seeded(0)).unwrap();
        candidates[gone].is_usable = false;
        let after = pick(&candidates, session(seed), &mut Seeded(1)).unwrap();
        prop_assert_eq!(before == after, before != gone);
        candidates[gone].is_usable = true;
        prop_assert_eq!(pick(&candidates, session(seed), &mut Seeded(2)), Some(before));
    }

    #[test]
    fn sessions_do_not_look_at_load(seed: u64, load in proptest::collection::vec((0..99_u32, 1..99_u64), 4)) {
        let mut candidates = all_well(["1", "2", "3", "4"]);
        let before = pick(&candidates, session(seed), &mut Seeded(0));
        for (candidate, (in_flight, latency_us)) in candidates.iter_mut().zip(load) {
            candidate.reading = Reading { in_flight, latency_us, ..candidate.reading };
        }
        prop_assert_eq!(pick(&candidates, session(seed), &mut Seeded(1)), before);
    }

    #[test]
    fn the_logarithm_is_as_it_should_be(drawn in 1_u64..) {
        #[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "compared with the exact one")]
        let exact = (64.0 - (drawn as f64).log2()) * 1_048_576.0;
        #[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "compared with the exact one")]
        let off = (rendezvous::minus_log2(drawn) as f64 - exact).abs();
        prop_assert!(off < 4.0, "{drawn}: off by {off}");
    }
}
