//! Streams that are read, and written back.

use super::{context, fixture, fixtures, json};
use crate::gemini::generate::{StreamReader, StreamWriter};
use crate::hub::Wire;
use crate::hub::delta::Delta;
use crate::hub::sink::Sink;
use crate::translate::{Context, Translation};

fn data(stream: &str) -> impl Iterator<Item = &str> {
    stream.split("\r\n\r\n").filter(|event| !event.is_empty()).map(|event| event.strip_prefix("data: ").unwrap())
}

/// What a stream says: the pieces without usage, and the last usage.
fn said(stream: &str) -> (Vec<String>, String) {
    let (mut pieces, mut usage) = (Vec::new(), String::new());
    read(stream, &mut |delta| match delta {
        Delta::Usage(used) => usage = format!("{:?}", policy::usage::Usage { searches: 0, ..used }),
        delta => pieces.push(format!("{delta:?}")),
    });
    (pieces, usage)
}

fn read(stream: &str, each: &mut dyn FnMut(Delta<'_>)) {
    let mut reader = StreamReader::default();
    data(stream).for_each(|data| reader.event(data, each).unwrap());
    reader.finish(each);
}

fn written(stream: &str, context: Context) -> String {
    let mut writer = StreamWriter::new(context);
    let mut sink = Sink::default();
    read(stream, &mut |delta| writer.delta(&delta, &mut sink));
    String::from_utf8(sink.into_bytes()).unwrap()
}

#[test]
fn every_stream_comes_back_as_it_was() {
    for (name, stream) in fixtures(".stream.sse") {
        let again = written(&stream, context()).replace("}}\n\n", "}}\r\n\r\n");
        let (pieces, usage) = said(&again);
        let (expected, expected_usage) = said(&stream);
        // The ends of several candidates go out in one event.
        let sorted = |mut pieces: Vec<String>| {
            let ends: Vec<_> =
                pieces.extract_if(.., |piece| piece.starts_with("Close") || piece.starts_with("Stop")).collect();
            (pieces, ends.len())
        };
        if name.starts_with("candidates") {
            assert_eq!(sorted(pieces), sorted(expected), "{name}: {again}");
        } else {
            assert_eq!(pieces, expected, "{name}: {again}");
        }
        if !name.starts_with("error") {
            assert_eq!(usage, expected_usage, "{name}: {again}");
        }
    }
}

#[test]
fn a_stream_is_the_same_however_it_is_cut() {
    let translation = Translation::between(Wire::Generate, Wire::Generate);
    for (name, stream) in fixtures(".stream.sse") {
        let whole = translation.stream(context()).pass(stream.as_bytes(), true).unwrap();
        for size in [1, 7, 64] {
            let mut translated = translation.stream(context());
            let mut out = Vec::new();
            for chunk in stream.as_bytes().chunks(size) {
                out.extend_from_slice(&translated.pass(chunk, false).unwrap());
            }
            out.extend_from_slice(&translated.pass(b"", true).unwrap());
            assert_eq!(out, whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn a_stream_may_be_an_array() {
    for (name, stream) in fixtures(".stream.sse") {
        let events = written(&stream, context()).replace("}}\n\n", "}}\r\n\r\n");
        let array = written(&stream, Context { as_array: true, ..context() });
        let expected: Vec<_> = data(&events).map(json).collect();
        assert_eq!(json(&array).as_array().unwrap(), &expected, "{name}");
    }
}

#[test]
fn every_event_has_a_part() {
    for name in
        ["text.stream.sse", "tools.stream.sse", "thoughts.stream.sse", "logprobs.stream.sse", "grounded.stream.sse"]
    {
        let stream = fixture(name);
        for event in data(&written(&stream, context())).map(json) {
            let parts = event["candidates"][0]["content"]["parts"].as_array().unwrap();
            assert_eq!(parts.len(), 1, "{name}: {event}");
        }
    }
}

#[test]
fn sources_come_to_the_text_that_is_open() {
    let stream = fixture("grounded.stream.sse");
    let mut found = Vec::new();
    read(&stream, &mut |delta| {
        if let Delta::Citation { at, citation } = delta {
            found.push((at.part, citation.title.unwrap().raw().to_owned(), citation.range.unwrap()));
        }
    });
    let expected = [("uefa.com", (0, 29)), ("aljazeera.com", (0, 29)), ("uefa.com", (30, 48))];
    assert_eq!(found, expected.map(|(title, range)| (0, title.to_owned(), range)));
}

#[test]
fn a_stream_in_which_nothing_ended_broke_off() {
    let stream = fixture("text.stream.sse");
    let whole = said(&stream).0;
    assert_eq!(whole.last().unwrap(), "End");
    let cut = stream.rsplit_once("data: ").unwrap().0;
    assert!(!said(cut).0.contains(&"End".to_owned()));
}
