//! What an answer says is the same in every format, as a document and as a stream, and at every moment of the stream.

use providers::translate::{Translation, Wire};

use crate::support::words::Said;
use crate::support::{CLIENTS, Fixture, Kind, answered, context, events, fixtures, streamed, text};

/// What a client of this format can be told of it.
fn tellable(mut said: Said, client: Wire) -> Said {
    if client == Wire::Completions {
        said.calls.clear();
        said.reasoning.clear();
    }
    said
}

/// Fixtures of vendors, each with every format but its own.
fn pairs(kind: Kind) -> impl Iterator<Item = (Fixture, Wire)> {
    let spoken =
        fixtures(kind).into_iter().filter(|fixture| fixture.wire != Wire::Completions && !fixture.is_failure());
    spoken.flat_map(|fixture| {
        let others = CLIENTS.into_iter().filter(move |client| *client != fixture.wire);
        others.map(move |client| (fixture.clone(), client)).collect::<Vec<_>>()
    })
}

fn no_problem(problems: impl Iterator<Item = String>) {
    let problems: Vec<_> = problems.collect();
    assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn a_whole_answer_says_the_same_in_every_format() {
    no_problem(pairs(Kind::Answer).filter_map(|(fixture, client)| {
        let what = format!("{} to {client:?}", fixture.name());
        let said = tellable(Said::whole(fixture.wire, &fixture.bytes), client);
        match answered(client, fixture.wire, &fixture.bytes) {
            Ok(told) => said.difference(&Said::whole(client, &told), &what),
            Err(error) => Some(format!("{what}: {error}")),
        }
    }));
}

#[test]
fn a_stream_says_the_same_in_every_format() {
    no_problem(pairs(Kind::Stream).filter_map(|(fixture, client)| {
        let what = format!("{} to {client:?}", fixture.name());
        let said = tellable(Said::streamed(fixture.wire, &fixture.bytes), client);
        match streamed(client, fixture.wire, [fixture.bytes.as_slice()]) {
            Ok(told) => said.difference(&Said::streamed(client, &told), &what),
            Err(error) => Some(format!("{what}: {error}")),
        }
    }));
}

/// Nothing is held back: whatever text has come is told before more comes.
#[test]
fn text_goes_on_as_it_comes() {
    no_problem(pairs(Kind::Stream).filter_map(|(fixture, client)| {
        let mut translated = Translation::between(client, fixture.wire).stream(context(client));
        let (mut told, mut start) = (Vec::new(), 0);
        for border in text(&fixture.bytes).match_indices("\n\n").map(|(at, _)| at + 2) {
            told.extend_from_slice(&translated.pass(&fixture.bytes[start..border], false).ok()?);
            start = border;
            let said = Said::streamed(fixture.wire, &fixture.bytes[..start]).text;
            let heard = Said::streamed(client, &told).text;
            if said != heard {
                return Some(format!("{} to {client:?} at {start}: {said:?} {heard:?}", fixture.name()));
            }
        }
        None
    }));
}

/// The last event of a Responses stream repeats the answer.
#[test]
fn the_end_of_a_responses_stream_repeats_what_was_said() {
    no_problem(pairs(Kind::Stream).filter(|(_, client)| *client == Wire::Responses).filter_map(|(fixture, client)| {
        let told = streamed(client, fixture.wire, [fixture.bytes.as_slice()]).ok()?;
        let ends = ["response.completed", "response.incomplete"];
        let events = events(&told);
        let last = events.iter().find(|event| ends.iter().any(|end| event["type"] == *end))?;
        let whole = Said::whole(client, last["response"].to_string().as_bytes());
        Said::streamed(client, &told).difference(&whole, &fixture.name())
    }));
}
