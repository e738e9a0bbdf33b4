//! Why an answer ended, in Anthropic's words (`types/stop_reason.py`, `types/beta/beta_stop_reason.py` of its Python SDK).

use crate::hub::answer::Stop;
use crate::hub::text::Str;

/// Reads a reason. `sequence`: the text that the answer came to.
pub(super) fn read<'a>(reason: &Str<'_>, sequence: Option<Str<'a>>) -> Stop<'a> {
    match reason.raw() {
        "max_tokens" => Stop::Length,
        "model_context_window_exceeded" => Stop::Context,
        "tool_use" => Stop::Tools,
        "stop_sequence" => Stop::Sequence(sequence),
        "refusal" => Stop::Refusal,
        "pause_turn" | "compaction" => Stop::Pause,
        _ => Stop::End,
    }
}

/// Anthropic's word for it.
pub(super) const fn reason(stop: &Stop<'_>) -> &'static str {
    match stop {
        Stop::End | Stop::BadToolCall => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Context => "model_context_window_exceeded",
        Stop::Tools => "tool_use",
        Stop::Sequence(_) => "stop_sequence",
        Stop::Filter | Stop::Refusal => "refusal",
        Stop::Pause => "pause_turn",
    }
}

/// What an answer holds of what can end it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// A call of a tool.
    pub(super) call: bool,
    /// Words of the model on why it does not answer.
    pub(super) refusal: bool,
}

/// Why an answer ended that holds this: other vendors say that it was at its end where Anthropic says more.
pub(super) fn ending<'s, 'a>(stop: Option<&'s Stop<'a>>, held: Held) -> &'s Stop<'a> {
    match stop {
        None | Some(Stop::End) if held.call => &Stop::Tools,
        None | Some(Stop::End) if held.refusal => &Stop::Refusal,
        None => &Stop::End,
        Some(stop) => stop,
    }
}
