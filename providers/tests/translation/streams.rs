//! Streams: the same, however their bytes are cut.

use providers::translate::{Translation, Wire};

use crate::support::{CLIENTS, Fixture, Kind, context, events, fixtures, streamed, text};

fn streams() -> Vec<Fixture> {
    fixtures(Kind::Stream).into_iter().filter(|fixture| fixture.wire != Wire::Completions).collect()
}

#[test]
fn a_stream_is_the_same_in_pieces_of_any_size() {
    for fixture in streams() {
        for client in CLIENTS.into_iter().filter(|client| *client != fixture.wire) {
            let whole = streamed(client, fixture.wire, [fixture.bytes.as_slice()]);
            for size in [1, 2, 3, 7, 64, 1_000] {
                let pieces = streamed(client, fixture.wire, fixture.bytes.chunks(size));
                assert_eq!(pieces, whole, "{} to {client:?} in pieces of {size}", fixture.name());
            }
        }
    }
}

#[test]
fn a_stream_is_the_same_cut_at_any_byte() {
    for (number, fixture) in streams().into_iter().enumerate() {
        let others: Vec<_> = CLIENTS.into_iter().filter(|client| *client != fixture.wire).collect();
        let client = others[number % others.len()];
        let whole = streamed(client, fixture.wire, [fixture.bytes.as_slice()]);
        for cut in 0..fixture.bytes.len().min(MAX_CUTS) {
            let (head, tail) = fixture.bytes.split_at(cut);
            assert_eq!(
                streamed(client, fixture.wire, [head, tail]),
                whole,
                "{} to {client:?} cut at {cut}",
                fixture.name()
            );
        }
    }
}

/// Where single cuts end; pieces of one byte have all of them.
const MAX_CUTS: usize = 2_000;

#[test]
fn a_stream_is_the_same_with_other_line_ends() {
    for fixture in streams() {
        for ending in ["\r\n", "\r"] {
            let stream = text(&fixture.bytes).replace("\r\n", "\n").replace('\n', ending);
            for client in CLIENTS.into_iter().filter(|client| *client != fixture.wire) {
                let whole = streamed(client, fixture.wire, [fixture.bytes.as_slice()]);
                assert_eq!(
                    streamed(client, fixture.wire, stream.as_bytes().chunks(5)),
                    whole,
                    "{} to {client:?}",
                    fixture.name()
                );
            }
        }
    }
}

#[test]
fn an_array_has_what_the_events_have() {
    let is_whole = |fixture: &Fixture| fixture.wire != Wire::Generate && !fixture.is_cut();
    for fixture in streams().into_iter().filter(is_whole) {
        let Ok(whole) = streamed(Wire::Generate, fixture.wire, [fixture.bytes.as_slice()]) else { continue };
        let context = providers::translate::Context { as_array: true, ..context(Wire::Generate) };
        let mut stream = Translation::between(Wire::Generate, fixture.wire).stream(context);
        let mut array = stream.pass(&fixture.bytes, false).unwrap().to_vec();
        array.extend_from_slice(&stream.pass(b"", true).unwrap());
        let elements: Vec<serde_json::Value> = serde_json::from_slice(&array)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", fixture.name(), text(&array)));
        assert_eq!(elements, events(&whole), "{}", fixture.name());
    }
}
