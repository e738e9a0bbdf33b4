//! The events of a stream, framed and numbered, and what those of reasoning are called.

use crate::hub::part::Reasoning;
use crate::hub::sink::Sink;
use crate::openai::responses::items::{Item, Stage};

/// Numbers the events.
#[derive(Debug)]
pub(super) struct Events {
    count: u64,
}

/// Where an event's piece belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'i> {
    pub(super) id: &'i str,
    pub(super) output: usize,
    /// The part of the item; `None`: it has none.
    pub(super) part: Option<(&'static str, usize)>,
}

impl Events {
    pub(super) const fn new() -> Self {
        Self { count: 0 }
    }

    pub(super) fn write(&mut self, kind: &str, sink: &mut Sink, members: impl FnOnce(&mut Sink)) {
        sink.frame("event: ");
        sink.frame(kind);
        sink.frame("\ndata: ");
        sink.object(|sink| {
            sink.plain_member("type", kind);
            sink.count_member("sequence_number", self.count);
            members(sink);
        });
        sink.frame("\n\n");
        self.count += 1;
    }

    pub(super) fn place(&mut self, kind: &str, place: Place<'_>, sink: &mut Sink, members: impl FnOnce(&mut Sink)) {
        self.write(kind, sink, |sink| {
            sink.plain_member("item_id", place.id);
            sink.count_member("output_index", count(place.output));
            if let Some((name, index)) = place.part {
                sink.count_member(name, count(index));
            }
            members(sink);
        });
    }

    pub(super) fn item(&mut self, kind: &str, stage: Stage, item: &Item<'_>, output: usize, sink: &mut Sink) {
        self.write(kind, sink, |sink| {
            sink.count_member("output_index", count(output));
            sink.key("item");
            item.write(stage, sink);
        });
    }
}

/// What the events of a reasoning are called: of a summary, or of the thought itself.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) index: &'static str,
    pub(super) part: &'static str,
    pub(super) added: &'static str,
    pub(super) delta: &'static str,
    pub(super) done: &'static str,
    pub(super) part_done: &'static str,
}

impl Names {
    pub(super) const fn of(reasoning: &Reasoning<'_>) -> &'static Self {
        const SUMMARY: Names = Names {
            index: "summary_index",
            part: "summary_text",
            added: "response.reasoning_summary_part.added",
            delta: "response.reasoning_summary_text.delta",
            done: "response.reasoning_summary_text.done",
            part_done: "response.reasoning_summary_part.done",
        };
        const THOUGHT: Names = Names {
            index: "content_index",
            part: "reasoning_text",
            added: "response.content_part.added",
            delta: "response.reasoning_text.delta",
            done: "response.reasoning_text.done",
            part_done: "response.content_part.done",
        };
        if reasoning.is_summary { &SUMMARY } else { &THOUGHT }
    }
}

pub(super) fn count(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}
