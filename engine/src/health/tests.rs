//! Routes as all calls see them together: what one call finds out, the next one knows.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use policy::list::AllowList;
use policy::provider::{Credential, Deadlines, Endpoint, Provider, Retries, Secret, TlsTrust};
use policy::request::{Dialect, OperationSet};
use policy::route::health::{Mark, State};
use policy::route::{Failure, Weight};
use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

fn credential(name: &str, secret: &str) -> Credential {
    Credential {
        name: name.into(),
        secret: Secret::new(secret),
        models: AllowList::All,
        denied_models: AllowList::nothing(),
        weight: Some(Weight::ONE),
        aliases: BTreeMap::new(),
        is_enabled: true,
        endpoint: None,
    }
}

fn provider(name: &str) -> Provider {
    Provider {
        name: name.into(),
        vendor: "openai",
        is_custom: true,
        order: 0,
        dialect: Dialect::OpenAi,
        operations: OperationSet::ALL,
        endpoint: Endpoint { tls: false, host: "127.0.0.1".into(), port: 1, prefix: "".into() },
        credentials: Vec::new(),
        keyless: false,
        is_self_hosted: false,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: Retries::default(),
        tls: TlsTrust::default(),
    }
}

/// A provider, a credential and a model, to make routes of.
struct Place {
    provider: Provider,
    credential: Credential,
    model: ModelName,
}

impl Place {
    fn new() -> Self {
        Self { provider: provider("openai"), credential: credential("main", "sk-1"), model: "gpt-4o".into() }
    }

    fn route(&self) -> Route<'_> {
        Route { provider: &self.provider, credential: &self.credential, model: &self.model, is_known: true }
    }
}

fn fail(health: &RouteHealth, route: Route<'_>, failure: Failure, now_us: u64) {
    health.begin(route, now_us).unwrap().failed(failure, now_us);
}

fn state(health: &RouteHealth, route: Route<'_>, now_us: u64) -> State {
    health.at(now_us).reading(route).state
}

#[test]
fn what_was_never_called_is_well() {
    let place = Place::new();
    let health = RouteHealth::default();
    assert_eq!(health.at(0).reading(place.route()), Reading::WELL);
    assert!(health.routes(0).is_empty(), "looking leaves no entry");
}

#[test]
fn an_open_circuit_is_down_then_tried_then_up() {
    let place = Place::new();
    let health = RouteHealth::default();
    for _ in 0..5 {
        assert_eq!(state(&health, place.route(), SECOND), State::Up);
        fail(&health, place.route(), Failure::Unreachable, SECOND);
    }
    let State::Down { until_ms } = state(&health, place.route(), SECOND) else {
        panic!("the circuit is closed");
    };
    assert!((1_200..=1_250).contains(&until_ms), "{until_ms}");
    assert!(health.begin(place.route(), SECOND).is_none());
    assert_eq!(state(&health, place.route(), until_ms * MS), State::Probe);
    let probe = health.begin(place.route(), until_ms * MS).unwrap();
    assert!(probe.is_probe());
    assert!(matches!(state(&health, place.route(), until_ms * MS), State::Down { .. }), "one is enough");
    probe.succeeded(until_ms * MS);
    let reading = health.at(until_ms * MS).reading(place.route());
    assert_eq!((reading.state, reading.share), (State::Up, 100));
    assert_eq!(health.at(until_ms * MS + 2 * SECOND).reading(place.route()).share, 1_000);
}

#[test]
fn what_does_not_blame_the_route_shows_that_it_can_be_reached() {
    let answers = [
        Failure::Throttled { retry_after: None },
        Failure::CredentialRefused,
        Failure::NotForCredential,
        Failure::TooLong,
        Failure::PrefillRefused,
        Failure::Final,
    ];
    for answer in answers {
        let place = Place::new();
        let health = RouteHealth::default();
        (0..100).for_each(|_| fail(&health, place.route(), answer, SECOND));
        assert!(health.begin(place.route(), SECOND).is_some(), "{answer:?} opened it");
        (0..5).for_each(|_| fail(&health, place.route(), Failure::Silent, SECOND));
        assert!(health.begin(place.route(), SECOND).is_none());
        fail(&health, place.route(), answer, 2 * SECOND);
        assert!(health.begin(place.route(), 2 * SECOND).is_some(), "{answer:?} left it open");
    }
}

#[test]
fn a_refused_credential_is_marked_for_all_models_and_a_model_for_itself() {
    let place = Place::new();
    let (other_model, other_credential) = (ModelName::from("o3"), credential("spare", "sk-2"));
    let same_credential = Route { model: &other_model, ..place.route() };
    let spare = Route { credential: &other_credential, ..place.route() };
    let health = RouteHealth::default();
    fail(&health, place.route(), Failure::CredentialRefused, SECOND);
    for route in [place.route(), same_credential] {
        assert_eq!(state(&health, route, SECOND), State::Marked { until_ms: 6_000, mark: Mark::Refused });
    }
    assert_eq!(state(&health, spare, SECOND), State::Up);

    fail(&health, spare, Failure::NotForCredential, SECOND);
    assert_eq!(state(&health, spare, SECOND), State::Marked { until_ms: 6_000, mark: Mark::NotForModel });
    assert_eq!(state(&health, Route { model: &other_model, ..spare }, SECOND), State::Up);
}

#[test]
fn throttling_marks_the_route_for_as_long_as_the_vendor_says() {
    let place = Place::new();
    let health = RouteHealth::default();
    let retry_after = Some(Duration::from_secs(7));
    fail(&health, place.route(), Failure::Throttled { retry_after }, SECOND);
    assert_eq!(state(&health, place.route(), SECOND), State::Marked { until_ms: 8_000, mark: Mark::Throttled });
    let shares = [8, 10, 13].map(|second| health.at(second * SECOND).reading(place.route()).share);
    assert_eq!(shares, [100, 460, 1_000]);
}

#[test]
fn a_changed_secret_lifts_every_mark() {
    let place = Place::new();
    let health = RouteHealth::default();
    for failure in [Failure::CredentialRefused, Failure::NotForCredential, Failure::Throttled { retry_after: None }] {
        fail(&health, place.route(), failure, SECOND);
        let renewed = credential("main", "sk-renewed");
        let reading = health.at(SECOND).reading(Route { credential: &renewed, ..place.route() });
        assert_eq!((reading.state, reading.share), (State::Up, 1_000), "{failure:?}");
        assert!(matches!(state(&health, place.route(), SECOND), State::Marked { .. }), "{failure:?}");
    }
}

#[test]
fn a_callers_own_credential_leaves_no_mark_on_ours() {
    let place = Place::new();
    let health = RouteHealth::default();
    for failure in [Failure::CredentialRefused, Failure::NotForCredential, Failure::Throttled { retry_after: None }] {
        let flight = health.begin(place.route(), SECOND).unwrap().with_callers_own_credential();
        flight.headroom(0, SECOND);
        flight.failed(failure, SECOND);
    }
    assert_eq!(health.at(SECOND).reading(place.route()), Reading::WELL);
}

#[test]
fn names_that_callers_invent_take_no_more_room_than_so_many_and_are_never_marked_as_not_there() {
    let place = Place::new();
    let invented: Vec<_> = (0..1_000).map(|n| ModelName::from(format!("invented-{n}"))).collect();
    let route = |model| Route { model, is_known: false, ..place.route() };
    let health = RouteHealth::default();
    for model in &invented {
        fail(&health, route(model), Failure::NotForCredential, SECOND);
        assert_eq!(state(&health, route(model), SECOND), State::Up);
    }
    assert!((2..=64).contains(&health.routes(SECOND).len()));
    (0..5).for_each(|_| fail(&health, route(&invented[0]), Failure::Unreachable, SECOND));
    let is_down = |model| matches!(state(&health, route(model), SECOND), State::Down { .. });
    let down = invented.iter().filter(|model| is_down(model)).count();
    assert!(is_down(&invented[0]) && down < 200, "{down} of 1,000 share its fate");
    assert_eq!(state(&health, place.route(), SECOND), State::Up, "a known model has an entry of its own");
}

#[test]
fn latency_rises_at_once_and_falls_by_half_in_ten_seconds() {
    let place = Place::new();
    let health = RouteHealth::default();
    let answer = |after_us: u64, now_us: u64| {
        let mut flight = health.begin(place.route(), now_us - after_us).unwrap();
        flight.first_content(now_us);
        flight.first_content(now_us + 60 * SECOND);
        flight.succeeded(now_us);
        health.at(now_us).reading(place.route()).latency_us
    };
    assert_eq!(answer(100 * MS, SECOND), 100 * MS);
    assert_eq!(answer(900 * MS, 2 * SECOND), 900 * MS);
    assert_eq!(answer(100 * MS, 12 * SECOND), 500 * MS);
    assert_eq!(answer(100 * MS, 32 * SECOND), 200 * MS);
    let silent = health.begin(place.route(), 32 * SECOND).unwrap();
    silent.failed(Failure::Silent, 62 * SECOND);
    assert_eq!(health.at(62 * SECOND).reading(place.route()).latency_us, 30 * SECOND, "at least so long");
}

#[test]
fn latency_falls_as_fast_where_thousands_are_answered_each_second() {
    let place = Place::new();
    let health = RouteHealth::default();
    let answer =
        |after_us: u64, now_us: u64| health.begin(place.route(), now_us - after_us).unwrap().first_content(now_us);
    answer(900 * MS, SECOND);
    (1..=100_000).for_each(|number| answer(100 * MS, SECOND + number * 100));
    let latency_us = health.at(11 * SECOND).reading(place.route()).latency_us;
    assert!(latency_us.abs_diff(500 * MS) < MS, "{latency_us}");
}

#[test]
fn a_latency_that_is_not_measured_again_fades_after_half_a_minute() {
    let place = Place::new();
    let health = RouteHealth::default();
    health.begin(place.route(), 0).unwrap().first_content(SECOND);
    let at = |second: u64| health.at(second * SECOND).reading(place.route()).latency_us;
    assert_eq!([1, 31, 41, 51].map(at), [SECOND, SECOND, SECOND / 2, SECOND / 4]);
    assert_eq!(at(100_000), 1, "it was seen");
}

#[test]
fn only_calls_without_content_are_waiting() {
    let place = Place::new();
    let health = RouteHealth::default();
    let waiting = || {
        let reading = health.at(0).reading(place.route());
        (reading.in_flight, reading.waiting)
    };
    let mut first = health.begin(place.route(), 0).unwrap();
    let second = health.begin(place.route(), 0).unwrap();
    let third = health.begin(place.route(), 0).unwrap();
    assert_eq!(waiting(), (3, 3));
    first.first_content(0);
    first.first_content(0);
    assert_eq!(waiting(), (3, 2));
    drop(second);
    third.failed(Failure::Broken { may_repeat: true }, 0);
    assert_eq!(waiting(), (1, 0));
    first.succeeded(0);
    assert_eq!(waiting(), (0, 0));
}

#[test]
fn errors_and_lack_of_headroom_fade() {
    let place = Place::new();
    let health = RouteHealth::default();
    for attempt in 0..200 {
        let flight = health.begin(place.route(), SECOND).unwrap();
        flight.headroom(200, SECOND);
        if attempt % 4 == 0 { flight.failed(Failure::BadAnswer, SECOND) } else { flight.succeeded(SECOND) }
    }
    let at = |second: u64| {
        let reading = health.at(second * SECOND).reading(place.route());
        (reading.errors, reading.headroom)
    };
    let (errors, headroom) = at(1);
    assert!(errors.abs_diff(250) < 50, "{errors}");
    assert_eq!(headroom, 200);
    assert!(at(11).0.abs_diff(errors / 2) < 2);
    assert_eq!(at(31).1, 600);
    assert_eq!(at(3_600), (0, 1_000));
}

#[test]
fn retries_are_a_fifth_of_the_first_attempts_and_ten_at_once() {
    let openai = provider("openai");
    let health = RouteHealth::default();
    let take_all = || std::iter::repeat_with(|| health.take_retry(&openai)).take_while(|taken| *taken).count();
    assert_eq!(take_all(), 10);
    (0..24).for_each(|_| health.count_first(&openai));
    assert_eq!(take_all(), 4);
    health.count_first(&openai);
    assert_eq!(take_all(), 1, "what is left over counts");
    (0..1_000).for_each(|_| health.count_first(&openai));
    assert_eq!(take_all(), 10, "no more than ten are saved up");
    assert!(health.take_retry(&provider("other")));
}

#[test]
fn no_interleaving_takes_more_retries_than_were_paid_for() {
    let openai = provider("openai");
    let health = RouteHealth::default();
    let taken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    health.count_first(&openai);
                    taken.fetch_add(usize::from(health.take_retry(&openai)), Ordering::Relaxed);
                }
            });
        }
    });
    while health.take_retry(&openai) {
        taken.fetch_add(1, Ordering::Relaxed);
    }
    // 20,000 first attempts and ten to begin with; whoever finds it full earns nothing.
    let taken = taken.into_inner();
    assert!((4_000..=4_010).contains(&taken), "{taken}");
}

#[test]
fn of_many_calls_at_once_one_tries_an_open_circuit() {
    let place = Place::new();
    let health = RouteHealth::default();
    for round in 1..200_u64 {
        let now = round * 60 * SECOND;
        (0..5).for_each(|_| fail(&health, place.route(), Failure::Unreachable, now));
        let due = now + SECOND;
        let together = Barrier::new(4);
        let flights: Vec<_> = std::thread::scope(|scope| {
            let begin = || {
                together.wait();
                health.begin(place.route(), due)
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(begin)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(flights.len(), 1);
        flights.into_iter().for_each(|flight| flight.succeeded(due));
    }
}

#[test]
fn calls_under_way_are_counted_exactly() {
    let place = Place::new();
    let health = RouteHealth::default();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4_u64)
            .map(|caller| {
                let (health, place) = (&health, &place);
                scope.spawn(move || {
                    for call in 0..2_000 {
                        let Some(mut flight) = health.begin(place.route(), call * MS) else { continue };
                        flight.first_content(call * MS);
                        match (call + caller) % 4 {
                            0 => drop(flight),
                            1 => flight.failed(Failure::Unreachable, call * MS),
                            2 => flight.failed(Failure::Throttled { retry_after: None }, call * MS),
                            _ => flight.succeeded(call * MS),
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert!(health.at(0).reading(place.route()).in_flight <= 4);
            }
        });
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(health.at(0).reading(place.route()).in_flight, 0);
}

#[test]
fn beyond_its_room_routes_are_served_but_not_watched() {
    let place = Place::new();
    let health = RouteHealth::with_room_for(2);
    let models: Vec<_> = (0..4).map(|number| ModelName::from(format!("model-{number}"))).collect();
    for model in &models {
        let route = Route { model, ..place.route() };
        (0..5).for_each(|_| fail(&health, route, Failure::Unreachable, SECOND));
    }
    assert_eq!(health.routes(SECOND).len(), 2);
    let down = |model| matches!(state(&health, Route { model, ..place.route() }, SECOND), State::Down { .. });
    assert_eq!(models.iter().map(down).collect::<Vec<_>>(), [true, true, false, false]);
}

#[test]
fn a_report_names_each_route_and_says_how_it_does() {
    let place = Place::new();
    let health = RouteHealth::default();
    let _flight = health.begin(place.route(), 0).unwrap();
    let _other = health.begin(Route { is_known: false, ..place.route() }, 0).unwrap();
    fail(&health, place.route(), Failure::CredentialRefused, 1);
    let mut reports = health.routes(1);
    reports.sort_by_key(|report| report.model.clone());
    let names: Vec<_> = reports.iter().map(|report| (report.provider.as_str(), report.credential.as_str())).collect();
    assert_eq!(names, [("openai", "main"), ("openai", "main")]);
    assert_eq!(reports[0].model, None);
    assert_eq!(reports[1].model, Some(place.model.clone()));
    assert_eq!(reports[1].reading.in_flight, 1);
    assert!(matches!(reports[1].reading.state, State::Marked { .. }));
}

#[test]
fn what_is_configured_no_more_is_forgotten_once_it_is_idle() {
    let place = Place::new();
    let gone = Place { credential: credential("gone", "sk-3"), ..Place::new() };
    let health = RouteHealth::with_room_for(2);
    fail(&health, place.route(), Failure::CredentialRefused, 1);
    let flight = health.begin(gone.route(), 1).unwrap();
    let forget = || health.retain(|_, credential| credential.as_str() != "gone");
    forget();
    assert_eq!(health.routes(1).len(), 2, "a call is under way");
    flight.failed(Failure::CredentialRefused, 1);
    forget();
    assert_eq!(health.routes(1).len(), 1);
    assert_eq!(state(&health, gone.route(), 1), State::Up);
    assert!(matches!(state(&health, place.route(), 1), State::Marked { .. }));
    fail(&health, gone.route(), Failure::CredentialRefused, 1);
    assert_eq!(health.routes(1).len(), 2, "there is room again");
}

#[derive(Clone, Debug)]
enum Event {
    Begin,
    Content(usize),
    Succeed(usize),
    Fail(usize, Failure),
    GiveUp(usize),
    Wait(u64),
}

fn any_failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        4 => Just(Failure::Unreachable),
        2 => Just(Failure::BadAnswer),
        1 => Just(Failure::Silent),
        1 => Just(Failure::Unavailable { retry_after: None }),
        1 => Just(Failure::CredentialRefused),
        1 => Just(Failure::NotForCredential),
        1 => proptest::option::of(0..400_u64).prop_map(|seconds| Failure::Throttled {
            retry_after: seconds.map(Duration::from_secs)
        }),
        1 => Just(Failure::Final),
        1 => Just(Failure::TooLong),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Begin),
        2 => (0..8_usize).prop_map(Event::Content),
        1 => (0..8_usize).prop_map(Event::Succeed),
        6 => ((0..8_usize), any_failure()).prop_map(|(call, failure)| Event::Fail(call, failure)),
        1 => (0..8_usize).prop_map(Event::GiveUp),
        3 => (0..3_000_000_u64).prop_map(Event::Wait),
    ]
}

/// Calls under way, and the one that tries the open circuit: it began then.
#[derive(Default)]
struct Calls {
    flights: Vec<Flight>,
    trying_since_us: Option<u64>,
}

impl Calls {
    fn begin(&mut self, flight: Flight, now_us: u64) -> Result<(), TestCaseError> {
        if flight.is_probe() {
            let is_alone = self.trying_since_us.is_none_or(|since_us| now_us - since_us >= 2 * SECOND);
            prop_assert!(is_alone, "two calls try at once");
            self.trying_since_us = Some(now_us);
        }
        self.flights.push(flight);
        Ok(())
    }

    fn with_content(&mut self, call: usize, now_us: u64) {
        let count = self.flights.len().max(1);
        if let Some(flight) = self.flights.get_mut(call % count) {
            flight.first_content(now_us);
            self.trying_since_us.take_if(|_| flight.is_probe());
        }
    }

    fn end(&mut self, call: usize, end: impl FnOnce(Flight)) {
        if !self.flights.is_empty() {
            let flight = self.flights.swap_remove(call % self.flights.len());
            self.trying_since_us.take_if(|_| flight.is_probe());
            end(flight);
        }
    }
}

proptest! {
    #[test]
    fn in_whatever_order_calls_go_no_route_is_lost(events in proptest::collection::vec(any_event(), 0..120)) {
        let place = Place::new();
        let health = RouteHealth::default();
        let mut calls = Calls::default();
        let mut now = SECOND;
        for event in events {
            match event {
                Event::Begin => {
                    let is_down = matches!(state(&health, place.route(), now), State::Down { .. });
                    let flight = health.begin(place.route(), now);
                    prop_assert_eq!(flight.is_none(), is_down);
                    if let Some(flight) = flight {
                        calls.begin(flight, now)?;
                    }
                }
                Event::Content(call) => calls.with_content(call, now),
                Event::Succeed(call) => calls.end(call, |flight| flight.succeeded(now)),
                Event::Fail(call, failure) => calls.end(call, |flight| flight.failed(failure, now)),
                Event::GiveUp(call) => calls.end(call, drop),
                Event::Wait(us) => now += us,
            }
            let reading = health.at(now).reading(place.route());
            prop_assert_eq!(usize::try_from(reading.in_flight).unwrap(), calls.flights.len());
            prop_assert!((100..=1_000).contains(&reading.share));
            let later = state(&health, place.route(), now + 2_500 * MS);
            prop_assert!(!matches!(later, State::Down { .. }), "{:?} stays {:?}", reading.state, later);
        }
        drop(calls);
        // The longest mark is five minutes.
        now += 301 * SECOND;
        for _ in 0..20 {
            health.begin(place.route(), now).unwrap().succeeded(now);
            now += SECOND;
        }
        let reading = health.at(now).reading(place.route());
        prop_assert_eq!((reading.state, reading.share, reading.in_flight), (State::Up, 1_000, 0));
    }
}
