use proptest::prelude::*;

use super::*;
use crate::journal::{CallStatus, Entry, TokenCounts};

/// A record in a form of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owned {
    Opened(Attempted),
    Closed(Closed),
    Called(Box<Called<'static>>),
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Budget), Just(Kind::Requests), Just(Kind::Tokens)]
}

fn ids() -> impl Strategy<Value = AttemptId> {
    (any::<u64>(), any::<u64>()).prop_map(|(run, number)| AttemptId { run, number })
}

fn amounts() -> impl Strategy<Value = Amount> {
    let numbers = [any::<u64>(), any::<u64>(), any::<u64>()];
    (kinds(), "\\PC{0,8}", numbers).prop_map(|(kind, id, [start_ms, length_ms, amount])| Amount {
        kind,
        id,
        start_ms,
        length_ms,
        amount,
    })
}

fn records() -> impl Strategy<Value = Owned> {
    let texts = ["\\PC{0,5}", "\\PC{0,5}", "\\PC{0,5}"];
    let opened = (ids(), any::<u64>(), any::<u64>(), texts, prop::collection::vec(amounts(), 0..6)).prop_map(
        |(attempt, call, at_ms, [key, provider, model], amounts)| {
            Owned::Opened(Attempted { attempt, call, at_ms, key, provider, model, amounts })
        },
    );
    let outcomes = prop_oneof![
        (any::<u64>(), any::<u64>()).prop_map(|(nano, tokens)| Outcome::Charged { nano, tokens }),
        Just(Outcome::Abandoned),
        Just(Outcome::Unsent),
    ];
    let closed = (ids(), any::<u64>(), outcomes)
        .prop_map(|(attempt, at_ms, outcome)| Owned::Closed(Closed { attempt, at_ms, outcome }));
    prop_oneof![opened, closed, calls().prop_map(|called| Owned::Called(Box::new(called)))]
}

fn calls() -> impl Strategy<Value = Called<'static>> {
    let numbers = (any::<[u64; 7]>(), any::<[u64; 11]>(), any::<[u16; 2]>(), any::<[u32; 2]>());
    let perhaps = (prop::option::of(ids()), any::<[Option<u64>; 2]>(), any::<[bool; 3]>());
    let texts = prop::collection::vec("\\PC{0,5}", 16);
    (numbers, perhaps, texts, 0..CallStatus::ALL.len()).prop_map(|(numbers, perhaps, texts, status)| {
        let ([at_ms, total_us, paused_us, total_tokens, cost_nano, bytes_in, bytes_out], tokens, statuses, counts) =
            numbers;
        let (call, [first_content_us, vendor_cost_nano], [is_stream, is_priced, is_unlogged]) = perhaps;
        let mut texts = texts.into_iter().map(std::borrow::Cow::Owned);
        let mut text = || texts.next().unwrap();
        Called {
            call,
            at_ms,
            request_id: text(),
            key: text(),
            team: text(),
            customer: text(),
            provider: text(),
            credential: text(),
            model: text(),
            model_asked: text(),
            operation: text(),
            dialect: text(),
            status: CallStatus::ALL[status],
            http_status: statuses[0],
            vendor_status: statuses[1],
            reason: text(),
            reason_text: text(),
            is_stream,
            is_priced,
            first_content_us,
            total_us,
            paused_us,
            tokens: TokenCounts::of(tokens),
            total_tokens,
            source: text(),
            cost_nano,
            vendor_cost_nano,
            attempts: counts[0],
            retries: counts[1],
            trail: text(),
            rules: text(),
            price_override: text(),
            bytes_in,
            bytes_out,
            is_unlogged,
        }
    })
}

/// The bytes of a segment, and where each record ends.
fn written(records: &[Owned], segment: u64) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for record in records {
        match record {
            Owned::Opened(attempted) => {
                let entries: Vec<_> = attempted.amounts.iter().map(Amount::entry).collect();
                write_opened(&mut bytes, &attempted.opened(&entries)).unwrap();
            }
            Owned::Closed(closed) => write_closed(&mut bytes, closed).unwrap(),
            Owned::Called(called) => write_called(&mut bytes, called).unwrap(),
        }
        ends.push(bytes.len());
    }
    stamp(&mut bytes, segment);
    (bytes, ends)
}

fn read_back(bytes: &[u8], segment: u64) -> (Vec<Owned>, usize) {
    let mut reader = Records::of(bytes, segment);
    let own = |record| match record {
        Record::Opened(recorded) => Owned::Opened(recorded.attempted()),
        Record::Closed(closed) => Owned::Closed(closed),
        Record::Called(called) => Owned::Called(Box::new(called.into_owned())),
    };
    (reader.by_ref().map(own).collect(), reader.rest().len())
}

/// A few records, as they are most often.
fn usual() -> Vec<Owned> {
    let attempt = AttemptId { run: 7, number: 9 };
    let amount = Amount { kind: Kind::Budget, id: "team-budget".into(), start_ms: 5, length_ms: 0, amount: 12 };
    let attempted = Attempted { attempt, at_ms: 3, key: "vk".into(), amounts: vec![amount; 2], ..Attempted::default() };
    let closed = Closed { attempt, at_ms: 4, outcome: Outcome::Charged { nano: 11, tokens: 2 } };
    let called = Called { call: Some(attempt), request_id: "r".into(), cost_nano: 11, ..Called::default() };
    let called = Owned::Called(Box::new(called));
    vec![Owned::Opened(attempted.clone()), Owned::Closed(closed), called, Owned::Opened(attempted)]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(records in prop::collection::vec(records(), 0..8), segment: u64) {
        let (bytes, _) = written(&records, segment);
        prop_assert_eq!(read_back(&bytes, segment), (records, 0));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, segment in 0_u64..3) {
        let (records, rest) = read_back(&bytes, segment);
        prop_assert_eq!(written(&records, segment).0.len() + rest, bytes.len());
    }

    #[test]
    fn an_open_attempt_survives_in_a_database(record in records()) {
        if let Owned::Opened(attempted) = record {
            let payload = payload_of(&attempted).unwrap();
            prop_assert_eq!(Recorded::of(&payload).map(Recorded::attempted), Some(attempted));
            prop_assert_eq!(Recorded::of(&payload[1..]), None);
        }
    }
}

#[test]
fn a_segment_cut_at_any_byte_tells_the_whole_records_before_it() {
    let records = usual();
    let (bytes, ends) = written(&records, 1);
    for length in 0..=bytes.len() {
        let whole = ends.iter().filter(|end| **end <= length).count();
        let rest = length - ends[..whole].last().unwrap_or(&0);
        assert_eq!(read_back(&bytes[..length], 1), (records[..whole].to_vec(), rest), "{length}");
    }
}

#[test]
fn a_flipped_bit_ends_what_is_told_before_its_record() {
    let records = usual();
    let (bytes, ends) = written(&records, 1);
    for (place, bit) in (0..bytes.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1 << bit;
        let before = ends.iter().filter(|end| **end <= place).count();
        assert_eq!(read_back(&bytes, 1).0, records[..before], "byte {place}, bit {bit}");
    }
}

#[test]
fn zeros_are_no_records() {
    let (mut bytes, _) = written(&usual(), 0);
    bytes.extend([0; 4096]);
    assert_eq!(read_back(&bytes, 0), (usual(), 4096));
}

#[test]
fn what_was_written_into_another_segment_is_no_record_of_this_one() {
    let (bytes, _) = written(&usual(), 6);
    assert_eq!(read_back(&bytes, 7), (vec![], bytes.len()));
}

#[test]
fn a_record_of_a_newer_version_is_not_guessed_at() {
    let mut bytes = Vec::new();
    let begin = begin(&mut bytes);
    bytes.push(77);
    finish(&mut bytes, begin).unwrap();
    assert_eq!(read_back(&bytes, 0).0, []);
    // Nor is one that has more in it than this version knows.
    let (mut bytes, _) = written(&usual()[..1], 0);
    bytes.push(0);
    finish(&mut bytes, 0).unwrap();
    assert_eq!(read_back(&bytes, 0).0, []);
}

#[test]
fn what_is_too_long_for_a_record_is_refused() {
    let text = "x".repeat(70_000);
    fn of<'a>(key: &'a str, entries: &'a [Entry<'a>]) -> Opened<'a> {
        Opened { attempt: AttemptId::default(), call: 0, at_ms: 0, key, provider: "", model: "", entries }
    }
    let entry = Entry { kind: Kind::Budget, id: &text[..60_000], start_ms: 0, length_ms: 0, amount: 0 };
    assert!(write_opened(&mut Vec::new(), &of(&text, &[])).is_err());
    assert!(write_opened(&mut Vec::new(), &of("", &[Entry { id: &text, ..entry }])).is_err());
    assert!(write_opened(&mut Vec::new(), &of("", &[entry; 18])).is_err(), "more than a megabyte");
    assert!(write_opened(&mut Vec::new(), &of("", &[entry; 17])).is_ok());
}

#[test]
fn long_texts_of_a_call_are_cut_off() {
    let called = Called { key: "ä".repeat(600).into(), trail: "é€".repeat(1_000).into(), ..Called::default() };
    let payload = payload_of_call(&called).unwrap();
    let read = called_of(&payload).unwrap();
    assert_eq!(read.key.len(), 1_024);
    assert!(called.trail.starts_with(&*read.trail) && (596..=600).contains(&read.trail.len()));
}

#[test]
fn calls_are_taken_apart_between_records() {
    let mut bytes = Vec::new();
    let ends: Vec<_> = (0..9)
        .map(|number| {
            write_called(&mut bytes, &Called { at_ms: 1 << (7 * number), ..Called::default() }).unwrap();
            bytes.len()
        })
        .collect();
    for most in 0..=bytes.len() {
        let expected = ends.iter().rfind(|end| **end <= most).unwrap_or(&ends[0]);
        assert_eq!(whole(&bytes, most), *expected, "{most}");
    }
    assert_eq!(whole(&[], 10), 0);
}
