//! Where in an answer its faults happen.

use crate::fake::conn::Leave;
use crate::fake::controls::Controls;
use crate::fake::wire::Event;

/// How an answer is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BreakOff {
    /// By a clean end of the body.
    End,
    /// By sending nothing more.
    Stall,
    /// By leaving the connection.
    Leave(Leave),
}

impl BreakOff {
    /// The first fault that breaks off an answer that is not streamed: after how many bytes, and how.
    pub(super) fn of_bytes(controls: &Controls, is_http2: bool) -> Option<(usize, Self)> {
        let all = Self::all(controls, is_http2).into_iter();
        all.filter_map(|(at, how)| Some((at?, how))).min_by_key(|(at, _)| *at)
    }

    /// Every fault that breaks off, and where. Of those at the same place the first counts.
    fn all(controls: &Controls, is_http2: bool) -> [(Option<usize>, Self); 5] {
        let go_away = if is_http2 { Leave::GoAway } else { Leave::HangUp };
        [
            (controls.reset_after, Self::Leave(Leave::Reset)),
            (controls.faults.hang_up_after, Self::Leave(Leave::HangUp)),
            (controls.faults.go_away_after, Self::Leave(go_away)),
            (controls.stall_after, Self::Stall),
            (controls.cut_after, Self::End),
        ]
    }
}

/// The numbers of the events of a stream before which something happens.
#[derive(Debug)]
pub(super) struct Points {
    pub(super) error: Option<usize>,
    pub(super) garbage: Option<usize>,
    pub(super) silent: Option<usize>,
    pub(super) drain: Option<usize>,
    pub(super) first_token: Option<usize>,
    /// The controls, `N` of their faults being numbers of events.
    controls: Controls,
}

impl Points {
    pub(super) fn new(controls: &Controls, events: &[Event]) -> Self {
        let mut controls = controls.clone();
        if controls.by_tokens {
            let faults = &mut controls.faults;
            for after in [
                &mut controls.reset_after,
                &mut controls.stall_after,
                &mut controls.cut_after,
                &mut controls.error_after,
                &mut controls.garbage_after,
                &mut faults.hang_up_after,
                &mut faults.go_away_after,
                &mut faults.drain_after,
                &mut faults.silent_after,
            ] {
                *after = after.and_then(|tokens| behind_tokens(tokens, events));
            }
        }
        Self {
            error: controls.error_after,
            garbage: controls.garbage_after,
            silent: controls.faults.silent_after,
            drain: controls.faults.drain_after,
            first_token: behind_tokens(0, events).filter(|_| !controls.faults.first_token_delay.is_zero()),
            controls,
        }
    }

    /// How the stream is broken off before event `n`.
    pub(super) fn break_off_at(&self, n: usize, is_http2: bool) -> Option<BreakOff> {
        let all = BreakOff::all(&self.controls, is_http2).into_iter();
        all.filter(|(at, _)| *at == Some(n)).map(|(_, how)| how).next()
    }
}

/// The number of the event before which `tokens` tokens have been sent: right behind the last of them, or for none right before the
/// first. `None`: there are not as many.
fn behind_tokens(tokens: usize, events: &[Event]) -> Option<usize> {
    if tokens == 0 {
        return events.iter().position(|event| event.tokens > 0);
    }
    let wanted = u64::try_from(tokens).unwrap_or(u64::MAX);
    let mut sent = 0;
    let last = events.iter().position(|event| {
        sent += event.tokens;
        sent >= wanted
    });
    last.map(|last| last + 1)
}
