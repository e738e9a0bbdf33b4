//! Reading controls out of a model name.

use std::str::FromStr;
use std::time::Duration;

use super::{Controls, UsageReport};

const DEFAULT_HUGE_HEADER_BYTES: usize = 70_000;

impl Controls {
    /// Reads the suffixes of a model name as received; the part before the first `~` is free.
    ///
    /// # Errors
    /// A sentence naming the control that is unknown or has a bad value, so that a typo in a test does not pass for good behaviour.
    pub fn parse(model: &str) -> Result<Self, String> {
        Self::default().with(model)
    }

    /// These controls, changed by those that `model` carries.
    pub(in crate::fake) fn with(mut self, model: &str) -> Result<Self, String> {
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
            "retry_after_ms" => self.retry_after_ms = Some(number(value)?),
            "retry_after_date" => self.retry_after_date = Some(number(value)?),
            "badkey" => self.bad_key = Some(value.to_owned()),
            "words_seed" => self.words_seed = number(value)?,
            "diverge_at" => self.diverge_at = number(value)?,
            "headroom" => self.headroom = Some(number(value)?),
            "reset_after" => self.reset_after = Some(number(value)?),
            "cut_after" => self.cut_after = Some(number(value)?),
            "stall_after" => self.stall_after = Some(number(value)?),
            "error_after" => self.error_after = Some(number(value)?),
            "garbage_after" => self.garbage_after = Some(number(value)?),
            "cached" => self.cached = number(value)?,
            "cache_write" => self.cache_write = number(value)?,
            "cache_write_1h" => self.cache_write_1h = number(value)?,
            "tool_prompt" => self.tool_prompt = number(value)?,
            "thoughts" => self.thoughts = number(value)?,
            "reasoning" => self.reasoning = number(value)?,
            "audio_in" => self.audio_in = number(value)?,
            "audio_out" => self.audio_out = number(value)?,
            "chunk_bytes" => self.chunk_bytes = Some(number::<usize>(value)?.max(1)),
            "lockstep" => self.lockstep = Some(value.to_owned()),
            "contenttype" => self.content_type = Some(value.to_owned()),
            "huge_header" if !value.is_empty() => self.huge_header = Some(number(value)?),
            _ if self.faults.set(name, value)? || self.whom.set(name, value)? => {}
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
            "strict" => self.strict = true,
            "noprefill" => self.no_prefill = true,
            "by_tokens" => self.by_tokens = true,
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

pub(super) fn number<T: FromStr>(value: &str) -> Result<T, &'static str> {
    value.parse().map_err(|_| "not a number in range")
}

pub(super) fn millis(value: &str) -> Result<Duration, &'static str> {
    number(value).map(Duration::from_millis)
}
