//! The `response` object: a whole answer, and in streams what the first and last events carry (`response.py`).

use policy::usage::Usage;

use super::content::Content;
use super::echo::Echo;
use super::items::{Item, Kind, Stage};
use super::usage;
use crate::hub::answer::{Head, Stop};
use crate::hub::sink::Sink;
use crate::hub::text::Str;
use crate::translate::Context;

/// What an answer is known by, all of its life.
#[derive(Clone, Debug)]
pub(super) struct Frame<'a> {
    id: String,
    model: Str<'a>,
    created: u64,
    now: u64,
    echo: Echo<'a>,
}

impl<'a> Frame<'a> {
    /// Of an answer that is known by this. A vendor's id gets the form that ids of responses have.
    pub(super) fn new(head: &'a Head<'_>, context: &'a Context) -> Self {
        let id = head.id.as_ref().filter(|id| !id.is_empty()).map(Str::plain);
        let id = id.as_deref().unwrap_or(&context.request_id);
        let model = head.model.as_ref().filter(|model| !model.is_empty());
        Self {
            id: if id.starts_with("resp_") { id.to_owned() } else { format!("resp_{id}") },
            model: model.map_or_else(|| Str::of(&context.model), Str::by_ref),
            created: head.created.unwrap_or(context.now_s),
            now: context.now_s,
            echo: Echo::read(&context.asked),
        }
    }

    /// The same, owing nothing to where it was read.
    pub(super) fn into_owned(self) -> Frame<'static> {
        Frame {
            id: self.id,
            model: self.model.into_owned(),
            created: self.created,
            now: self.now,
            echo: self.echo.into_owned(),
        }
    }

    /// Writes the answer as it is.
    pub(super) fn write(&self, state: State, items: &[Item<'_>], usage: Option<&Usage>, sink: &mut Sink) {
        sink.object(|sink| {
            sink.plain_member("id", &self.id);
            sink.plain_member("object", "response");
            sink.count_member("created_at", self.created);
            sink.plain_member("status", state.as_str());
            if state == State::Completed {
                sink.count_member("completed_at", self.now.max(self.created));
            }
            state.write_details(sink);
            sink.text_member("model", &self.model);
            sink.key("output").array(|sink| {
                for item in items {
                    item.write(Stage::Done, sink);
                }
            });
            self.echo.write(sink);
            usage::write(usage, sink);
        });
    }
}

/// How far an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    InProgress,
    Completed,
    /// It broke off, for this reason.
    Incomplete(&'static str),
    Failed {
        code: &'static str,
        message: &'static str,
    },
}

impl State {
    /// That of an answer that ended so. One that was refused without the model's words was stopped by the vendor.
    pub(super) fn of(stop: Option<&Stop<'_>>, items: &[Item<'_>]) -> Self {
        match stop {
            None | Some(Stop::End | Stop::Tools | Stop::Sequence(_)) => Self::Completed,
            Some(Stop::Refusal) if items.iter().any(is_refusal) => Self::Completed,
            Some(Stop::Filter | Stop::Refusal) => Self::Incomplete("content_filter"),
            Some(Stop::Length | Stop::Context | Stop::Pause) => Self::Incomplete("max_output_tokens"),
            Some(Stop::BadToolCall) => {
                Self::Failed { code: "server_error", message: "the model called a tool in a way that cannot be read" }
            }
        }
    }

    /// Whether the last item may not be whole.
    pub(super) const fn is_cut(self) -> bool {
        matches!(self, Self::Incomplete(_) | Self::Failed { .. })
    }

    /// The name of the status, and of the event that tells it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed { .. } => "failed",
        }
    }

    fn write_details(self, sink: &mut Sink) {
        match self {
            Self::Failed { code, message } => sink.key("error").object(|sink| {
                sink.plain_member("code", code);
                sink.plain_member("message", message);
            }),
            _ => sink.key("error").null(),
        }
        match self {
            Self::Incomplete(reason) => {
                sink.key("incomplete_details").object(|sink| sink.plain_member("reason", reason));
            }
            _ => sink.key("incomplete_details").null(),
        }
    }
}

fn is_refusal(item: &Item<'_>) -> bool {
    let Kind::Message(contents) = &item.kind else { return false };
    contents.iter().any(|content| matches!(content, Content::Refusal(_)))
}
