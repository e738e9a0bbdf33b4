//! Whole answers that are read, and written back.

use super::{context, fixture, fixtures, json};
use crate::gemini::generate::{read_answer, write_answer};
use crate::hub::answer::{Answer, Stop};
use crate::hub::part::Part;

/// Without what Gemini's usage has no place for.
fn normal(mut answer: Answer<'_>) -> Answer<'_> {
    if let Some(usage) = &mut answer.usage {
        usage.searches = 0;
    }
    answer
}

#[test]
fn every_answer_comes_back_as_it_was() {
    for (name, text) in fixtures(".answer.json") {
        let answer = read_answer(text.as_bytes()).unwrap();
        let written = String::from_utf8(write_answer(&answer, &context())).unwrap();
        json(&written);
        let again = read_answer(written.as_bytes()).unwrap();
        assert_eq!(normal(again), normal(answer), "{name}: {written}");
    }
}

#[test]
fn why_it_ended_is_read() {
    for (name, stops) in [
        ("text.answer.json", [Stop::End].as_slice()),
        ("tools.answer.json", &[Stop::Tools]),
        ("candidates.answer.json", &[Stop::End, Stop::Length]),
        ("safety.answer.json", &[Stop::Filter]),
        ("blocked.answer.json", &[Stop::Filter]),
        ("malformed-call.answer.json", &[Stop::BadToolCall]),
    ] {
        let text = fixture(name);
        let answer = read_answer(text.as_bytes()).unwrap();
        let found: Vec<_> = answer.candidates.into_iter().map(|candidate| candidate.stop.unwrap()).collect();
        assert_eq!(found, stops, "{name}");
    }
}

#[test]
fn citations_come_to_their_texts_and_count_characters() {
    let text = fixture("grounded.answer.json");
    let answer = read_answer(text.as_bytes()).unwrap();
    let Part::Text(text) = &answer.candidates[0].parts[0] else { panic!() };
    let found: Vec<_> = text.citations.iter().map(|c| (c.title.as_ref().unwrap().raw(), c.range.unwrap())).collect();
    assert_eq!(found, [("uefa.com", (0, 29)), ("aljazeera.com", (0, 29)), ("uefa.com", (30, 48))]);
    assert_eq!(answer.usage.unwrap().searches, 2);
}

#[test]
fn thoughts_are_told_to_who_asked_for_them() {
    let text = fixture("thoughts.answer.json");
    let answer = read_answer(text.as_bytes()).unwrap();
    let parts = |asked: &'static [u8]| {
        let context = crate::translate::Context { asked: asked.into(), ..context() };
        let written = json(&String::from_utf8(write_answer(&answer, &context)).unwrap());
        written["candidates"][0]["content"]["parts"].as_array().unwrap().len()
    };
    assert_eq!(parts(br#"{"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}"#), 2);
    assert_eq!(parts(br#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":7}}}"#), 1);
    assert_eq!(parts(b""), 1);
}
