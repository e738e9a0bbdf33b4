//! A whole answer of the Responses API, written. It has one candidate; others are left out.

use super::items;
use super::response::{Frame, State};
use crate::hub::answer::{Answer, Candidate};
use crate::hub::sink::Sink;
use crate::translate::Context;

/// Writes an answer.
pub(crate) fn write_answer(answer: &Answer<'_>, context: &Context) -> Vec<u8> {
    let none = Candidate::default();
    let candidate = answer.candidates.iter().min_by_key(|candidate| candidate.index).unwrap_or(&none);
    let mut items = items::of_parts(&candidate.parts, &candidate.logprobs, &context.request_id);
    let state = State::of(candidate.stop.as_ref(), &items);
    if let Some(last) = items.last_mut() {
        last.is_cut = state.is_cut();
    }
    let mut sink = Sink::with_capacity(1024 + context.asked.len());
    Frame::new(&answer.head, context).write(state, &items, answer.usage.as_ref(), &mut sink);
    sink.into_bytes()
}
