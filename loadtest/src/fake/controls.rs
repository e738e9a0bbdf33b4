//! The controls a model name may carry: `gpt-4o~words=200~delay_ms=5`. What they do is in `asked`, `play` and the dialects.

mod faults;
mod parse;

use std::time::Duration;

pub use faults::{Faults, Whom};

/// What the answer says about usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageReport {
    /// The true figures.
    #[default]
    True,
    /// No usage fields at all (`nousage`).
    Missing,
    /// Every figure is an explicit zero (`zerousage`).
    Zero,
}

/// Everything a model name's `~name=value` suffixes ask for. The default is a well-behaved answer of eight words.
///
/// `N` in `*_after` counts events of a stream (from 0, comments excluded), or bytes of an answer that is not streamed; with
/// `by_tokens` it counts output tokens of a stream.
#[derive(Clone, Debug)]
pub struct Controls {
    /// `words=N`: how many words the answer has, one output token each. Default 8.
    pub words: usize,
    /// `big=N`: pads each word to N bytes.
    pub big: usize,
    /// `unicode`: words of several bytes per character (CJK, emoji).
    pub unicode: bool,
    /// `delay_ms=N`: pause between events.
    pub delay: Duration,
    /// `first_delay_ms=N` or `header_stall_ms=N`: pause before the response header.
    pub header_delay: Duration,
    /// `body_delay_ms=N`: pause between the response header and the first byte of the body.
    pub body_delay: Duration,
    /// `words_seed=N`: other words, another text for every N but 0, which is the default.
    pub words_seed: u64,
    /// `diverge_at=N`: `words_seed` changes words from word N on only.
    pub diverge_at: usize,
    /// `status=NNN`: an error of this status in the dialect's own shape.
    pub status: Option<u16>,
    /// `retry_after=TEXT`: a Retry-After header of this text on error answers: seconds, with a fraction or not, or anything else.
    pub retry_after: Option<String>,
    /// `retry_after_ms=N`: a `retry-after-ms` header on error answers, as OpenAI and Azure give it.
    pub retry_after_ms: Option<u64>,
    /// `retry_after_date=S`: a Retry-After header on error answers that is a date, S seconds from now or up to one more.
    pub retry_after_date: Option<u64>,
    /// `code=NAME`: the error's code (OpenAI), type (Anthropic) or status name (Gemini) instead of the usual one.
    pub code: Option<String>,
    /// `html`: errors are an HTML page, as load balancers in front of vendors give them.
    pub html: bool,
    /// `badkey=PREFIX`: only requests with a credential that starts with PREFIX get the faults, and 401 if none is named.
    pub bad_key: Option<String>,
    /// `failfirst=N`, `failevery=N`, `failchance=N`: only some of the requests for this exact model string get the faults, and 503
    /// if none is named. What is no fault (words, usage, delays, headers) is for all.
    pub whom: Whom,
    /// What else goes wrong.
    pub faults: Faults,
    /// `strict`: what is not exactly what the API takes, by the official SDK's own types, is refused with 400.
    pub strict: bool,
    /// `noprefill`: a conversation whose last message is the assistant's is refused with 400. Otherwise the answer goes on from
    /// that message if it is the beginning of this answer's text, and starts anew if it is not.
    pub no_prefill: bool,
    /// `by_tokens`: `*_after=N` means as soon as N tokens of a stream are sent; 0 means before the first.
    pub by_tokens: bool,
    /// `headroom=N`: thousandths of the rate limit that the vendor's headers say are left. Gemini has no such headers.
    pub headroom: Option<u64>,
    /// `reset_before_header`: TCP RST instead of an answer.
    pub reset_before_header: bool,
    /// `reset_after=N`: TCP RST.
    pub reset_after: Option<usize>,
    /// `cut_after=N`: a clean end of the chunked body, without the dialect's end marker.
    pub cut_after: Option<usize>,
    /// `stall_after=N`: nothing more is sent, the connection is held.
    pub stall_after: Option<usize>,
    /// `error_after=N`: an error event in the dialect's shape, then the end. Streams only.
    pub error_after: Option<usize>,
    /// `garbage_after=N`: an event that is not JSON in front of event N, then on as if nothing had been. Streams only.
    pub garbage_after: Option<usize>,
    /// `error_200`: a 200 whose JSON body is an error.
    pub error_200: bool,
    /// `nousage`, `zerousage`.
    pub usage: UsageReport,
    /// `cached=N`: input tokens read from a cache.
    pub cached: u64,
    /// `cache_write=N`: input tokens written to a short-lived cache: five minutes at Anthropic, thirty at OpenAI, none at Gemini.
    pub cache_write: u64,
    /// `cache_write_1h=N`: input tokens written to a long-lived cache: one hour at Anthropic, twelve at OpenAI, none at Gemini.
    pub cache_write_1h: u64,
    /// `tool_prompt=N`: input tokens of tool results that the vendor fed to the model itself (Gemini only).
    pub tool_prompt: u64,
    /// `reasoning=N`: output tokens spent on reasoning that is not shown.
    pub reasoning: u64,
    /// `thoughts=N`: N words of reasoning that are shown, and signed where the API signs them; each counts as `reasoning`.
    pub thoughts: u64,
    /// `audio_in=N`: input tokens of audio.
    pub audio_in: u64,
    /// `audio_out=N`: output tokens of audio (not Anthropic).
    pub audio_out: u64,
    /// `chunk_bytes=N`: the body goes out in pieces of N bytes, each its own write, whatever the event borders.
    pub chunk_bytes: Option<usize>,
    /// `burst`: events are handed over without waiting for the socket, so that many share one write.
    pub burst: bool,
    /// `crlf`: SSE lines end with CR LF.
    pub crlf: bool,
    /// `comments`: a `: keep-alive` comment before every SSE event.
    pub comments: bool,
    /// `lockstep=TOKEN`: after every event wait for one more [`Books::ack`](super::Books::ack) of TOKEN.
    pub lockstep: Option<String>,
    /// `nocontentlength`: a JSON answer is chunked.
    pub no_content_length: bool,
    /// `close`: the answer announces the end of the connection.
    pub close: bool,
    /// `contenttype=TYPE`: this content type instead of the right one.
    pub content_type: Option<String>,
    /// `huge_header` or `huge_header=N`: a response header of N bytes (70,000 by default).
    pub huge_header: Option<usize>,
}

const DEFAULT_WORDS: usize = 8;

impl Default for Controls {
    fn default() -> Self {
        Self {
            words: DEFAULT_WORDS,
            big: 0,
            unicode: false,
            delay: Duration::ZERO,
            header_delay: Duration::ZERO,
            body_delay: Duration::ZERO,
            words_seed: 0,
            diverge_at: 0,
            status: None,
            retry_after: None,
            retry_after_ms: None,
            retry_after_date: None,
            code: None,
            html: false,
            bad_key: None,
            whom: Whom::default(),
            faults: Faults::default(),
            strict: false,
            no_prefill: false,
            by_tokens: false,
            headroom: None,
            reset_before_header: false,
            reset_after: None,
            cut_after: None,
            stall_after: None,
            error_after: None,
            garbage_after: None,
            error_200: false,
            usage: UsageReport::True,
            cached: 0,
            cache_write: 0,
            cache_write_1h: 0,
            tool_prompt: 0,
            reasoning: 0,
            thoughts: 0,
            audio_in: 0,
            audio_out: 0,
            chunk_bytes: None,
            burst: false,
            crlf: false,
            comments: false,
            lockstep: None,
            no_content_length: false,
            close: false,
            content_type: None,
            huge_header: None,
        }
    }
}

impl Controls {
    /// Whether any fault is named.
    pub(super) fn has_fault(&self) -> bool {
        let after = [self.reset_after, self.cut_after, self.stall_after, self.error_after, self.garbage_after];
        self.status.is_some()
            || self.error_200
            || self.reset_before_header
            || after.iter().any(Option::is_some)
            || self.faults != Faults::default()
    }

    /// Takes every fault away.
    pub(super) fn spare(&mut self) {
        self.status = None;
        self.error_200 = false;
        self.reset_before_header = false;
        self.reset_after = None;
        self.cut_after = None;
        self.stall_after = None;
        self.error_after = None;
        self.garbage_after = None;
        self.faults = Faults::default();
    }
}

#[cfg(test)]
mod tests;
