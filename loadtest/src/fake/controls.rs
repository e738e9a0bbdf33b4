//! The controls a model name may carry: `gpt-4o~words=200~delay_ms=5`. Parsing only; what they do is in `play` and the dialects.

use std::str::FromStr;
use std::time::Duration;

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
/// `N` in `*_after` counts events of a stream (from 0, comments excluded), or bytes of an answer that is not streamed.
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
    /// `status=NNN`: an error of this status in the dialect's own shape. `badkey` and `failfirst` narrow down who gets it.
    pub status: Option<u16>,
    /// `retry_after=S`: a Retry-After header on error answers.
    pub retry_after: Option<String>,
    /// `code=NAME`: the error's code (OpenAI), type (Anthropic) or status name (Gemini) instead of the usual one.
    pub code: Option<String>,
    /// `html`: errors are an HTML page, as load balancers in front of vendors give them.
    pub html: bool,
    /// `badkey=PREFIX`: only requests with a credential that starts with PREFIX fail, with 401 or `status`.
    pub bad_key: Option<String>,
    /// `failfirst=N`: only the first N requests for this exact model string fail, with 503 or `status`.
    pub fail_first: u64,
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
const DEFAULT_HUGE_HEADER_BYTES: usize = 70_000;

impl Default for Controls {
    fn default() -> Self {
        Self {
            words: DEFAULT_WORDS,
            big: 0,
            unicode: false,
            delay: Duration::ZERO,
            header_delay: Duration::ZERO,
            body_delay: Duration::ZERO,
            status: None,
            retry_after: None,
            code: None,
            html: false,
            bad_key: None,
            fail_first: 0,
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
    /// Reads the suffixes of a model name as received; the part before the first `~` is free.
    ///
    /// # Errors
    /// A sentence naming the control that is unknown or has a bad value, so that a typo in a test does not pass for good behaviour.
    pub fn parse(model: &str) -> Result<Self, String> {
        Self::default().with(model)
    }

    /// These controls, changed by those that `model` carries.
    pub(super) fn with(mut self, model: &str) -> Result<Self, String> {
        for control in model.split('~').skip(1) {
            let (name, value) = control.split_once('=').unwrap_or((control, ""));
            self.set(name, value).map_err(|problem| format!("fake provider control '{control}': {problem}"))?;
        }
        Ok(self)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "words" => self.words = number(value)?,
            "big" => self.big = number(value)?,
            "delay_ms" => self.delay = millis(value)?,
            "first_delay_ms" | "header_stall_ms" => self.header_delay = millis(value)?,
            "body_delay_ms" => self.body_delay = millis(value)?,
            "status" => self.status = Some(number(value)?),
            "retry_after" => self.retry_after = Some(value.to_owned()),
            "code" => self.code = Some(value.to_owned()),
            "badkey" => self.bad_key = Some(value.to_owned()),
            "failfirst" => self.fail_first = number(value)?,
            "reset_after" => self.reset_after = Some(number(value)?),
            "cut_after" => self.cut_after = Some(number(value)?),
            "stall_after" => self.stall_after = Some(number(value)?),
            "error_after" => self.error_after = Some(number(value)?),
            "garbage_after" => self.garbage_after = Some(number(value)?),
            "cached" => self.cached = number(value)?,
            "cache_write" => self.cache_write = number(value)?,
            "cache_write_1h" => self.cache_write_1h = number(value)?,
            "tool_prompt" => self.tool_prompt = number(value)?,
            "reasoning" => self.reasoning = number(value)?,
            "audio_in" => self.audio_in = number(value)?,
            "audio_out" => self.audio_out = number(value)?,
            "chunk_bytes" => self.chunk_bytes = Some(number::<usize>(value)?.max(1)),
            "lockstep" => self.lockstep = Some(value.to_owned()),
            "contenttype" => self.content_type = Some(value.to_owned()),
            "huge_header" if !value.is_empty() => self.huge_header = Some(number(value)?),
            _ if value.is_empty() => return self.switch_on(name),
            _ => return Err("unknown, or takes no value"),
        }
        Ok(())
    }

    fn switch_on(&mut self, name: &str) -> Result<(), &'static str> {
        match name {
            "unicode" => self.unicode = true,
            "reset_before_header" => self.reset_before_header = true,
            "html" => self.html = true,
            "close" => self.close = true,
            "error_200" => self.error_200 = true,
            "nousage" => self.usage = UsageReport::Missing,
            "zerousage" => self.usage = UsageReport::Zero,
            "burst" => self.burst = true,
            "crlf" => self.crlf = true,
            "comments" => self.comments = true,
            "nocontentlength" => self.no_content_length = true,
            "huge_header" => self.huge_header = Some(DEFAULT_HUGE_HEADER_BYTES),
            _ => return Err("unknown"),
        }
        Ok(())
    }
}

fn number<T: FromStr>(value: &str) -> Result<T, &'static str> {
    value.parse().map_err(|_| "not a number in range")
}

fn millis(value: &str) -> Result<Duration, &'static str> {
    number(value).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_read_and_the_name_is_free() {
        let controls = Controls::parse("ft:gpt-4o=x:org~words=200~delay_ms=5~crlf~huge_header").unwrap();
        assert_eq!(controls.words, 200);
        assert_eq!(controls.delay, Duration::from_millis(5));
        assert!(controls.crlf);
        assert_eq!(controls.huge_header, Some(DEFAULT_HUGE_HEADER_BYTES));
    }

    #[test]
    fn a_typo_is_an_error() {
        for model in ["m~wrds=3", "m~words", "m~words=x", "m~crlf=1", "m~status=70000", "m~"] {
            assert!(Controls::parse(model).is_err(), "{model}");
        }
    }
}
