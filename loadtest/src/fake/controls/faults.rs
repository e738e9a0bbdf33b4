//! What goes wrong beyond the plain faults of `Controls`, and which requests it goes wrong for.

use std::time::Duration;

use super::parse::{millis, number};
use crate::fake::complaint::Complaint;

/// Faults that only some requests may get: `failfirst`, `failevery`, `failchance` and `badkey` say which. The default is none.
///
/// `N` in `*_after` counts as in [`Controls`](super::Controls).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// `error=NAME`: an error in the vendor's own words, see [`Complaint`]; with `error_200` in a 200, with `error_after=N` as an
    /// event of the stream. `status=NNN` changes its status.
    pub error: Option<Complaint>,
    /// `noanswer`: the request is read, and nothing is ever answered.
    pub no_answer: bool,
    /// `hangup_before_header`: the connection is closed (FIN) instead of an answer.
    pub hang_up_before_header: bool,
    /// `hangup_after=N`: the connection is closed (FIN) in mid-answer: a chunked body without its last chunk, or less than its
    /// Content-Length.
    pub hang_up_after: Option<usize>,
    /// `goaway_after=N`: on HTTP/2 a GOAWAY frame, then the connection is closed in mid-answer; on HTTP/1.1 as `hangup_after`.
    pub go_away_after: Option<usize>,
    /// `drain_after=N`: on HTTP/2 a GOAWAY frame, on HTTP/1.1 nothing that could be seen; the answer goes on to its end, and then
    /// the connection is closed. Streams only.
    pub drain_after: Option<usize>,
    /// `silent_after=N`: before event N nothing is sent for `silent_ms` (30 s by default), then on as if nothing had been.
    /// Streams only.
    pub silent_after: Option<usize>,
    /// `silent_ms=N`: how long `silent_after` is silent.
    pub silence: Option<Duration>,
    /// `first_token_delay_ms=N`: a pause before the first event that carries a token; header and earlier events go out at once.
    /// Streams only.
    pub first_token_delay: Duration,
    /// `trickle_ms=N`: the body goes out byte by byte (or by `chunk_bytes`), each its own write, with this pause after each.
    pub trickle: Duration,
    /// `nodone`: a stream without the dialect's end marker (`[DONE]`, `message_stop`, `response.completed`, an array's `]`), but
    /// with a clean end of the body. Gemini's event streams have no marker and stay as they are.
    pub no_done: bool,
    /// `nofinish`: a stream without the event that says why the text ends (`finish_reason`, `message_delta`,
    /// `response.completed`, `finishReason`); the end marker still comes.
    pub no_finish: bool,
    /// `gzip_bomb=N`: a 200 goes out with `content-encoding: gzip`, asked for or not, and unpacks to N MiB of line ends followed
    /// by the answer, which is legal in JSON and in SSE.
    pub gzip_bomb_mib: usize,
    /// `length_over=N`: Content-Length is N more than the body has, and the connection is closed behind it. JSON only.
    pub length_over: usize,
    /// `length_under=N`: Content-Length is N less than the body has; all of it is sent. JSON on HTTP/1.1 only.
    pub length_under: usize,
}

/// How long `silent_after` is silent when nothing is said.
const DEFAULT_SILENCE: Duration = Duration::from_secs(30);

impl Faults {
    /// How long `silent_after` is silent.
    pub(in crate::fake) fn silence(&self) -> Duration {
        self.silence.unwrap_or(DEFAULT_SILENCE)
    }

    /// Sets the fault of this name. `Ok(false)`: there is none.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<bool, &'static str> {
        match name {
            "error" => self.error = Some(Complaint::named(value).ok_or("no such error")?),
            "hangup_after" => self.hang_up_after = Some(number(value)?),
            "goaway_after" => self.go_away_after = Some(number(value)?),
            "drain_after" => self.drain_after = Some(number(value)?),
            "silent_after" => self.silent_after = Some(number(value)?),
            "silent_ms" => self.silence = Some(millis(value)?),
            "first_token_delay_ms" => self.first_token_delay = millis(value)?,
            "trickle_ms" => self.trickle = millis(value)?,
            "gzip_bomb" => self.gzip_bomb_mib = number(value)?,
            "length_over" => self.length_over = number(value)?,
            "length_under" => self.length_under = number(value)?,
            _ => return Ok(value.is_empty() && self.switch_on(name)),
        }
        Ok(true)
    }

    fn switch_on(&mut self, name: &str) -> bool {
        match name {
            "noanswer" => self.no_answer = true,
            "hangup_before_header" => self.hang_up_before_header = true,
            "nodone" => self.no_done = true,
            "nofinish" => self.no_finish = true,
            _ => return false,
        }
        true
    }
}

/// Which requests get the faults. The default is every one. Given several, a request that one of them names gets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    /// `failfirst=N`: the first N requests.
    pub first: u64,
    /// `failevery=N`: every Nth request, the Nth being the first.
    pub every: u64,
    /// `failchance=N`: N of 1,000 requests, by dice that fall alike in every run.
    pub chance: u64,
    /// `failseed=N`: other dice for `failchance`.
    pub seed: u64,
}

impl Whom {
    /// Whether only some requests are to fail.
    pub(in crate::fake) fn is_some(self) -> bool {
        self.first > 0 || self.every > 0 || self.chance > 0
    }

    /// Whether request number `n`, counted from 1, is one of them.
    pub(in crate::fake) fn names(self, n: u64) -> bool {
        let is_unlucky = || fastrand::Rng::with_seed(self.seed.wrapping_add(n)).u64(..1_000) < self.chance;
        n <= self.first || (self.every > 0 && n.is_multiple_of(self.every)) || is_unlucky()
    }

    /// As [`Faults::set`].
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<bool, &'static str> {
        match name {
            "failfirst" => self.first = number(value)?,
            "failevery" => self.every = number(value)?,
            "failchance" => self.chance = number(value)?,
            "failseed" => self.seed = number(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}
