//! What is asked in a scenario, how often, and what a right answer looks like.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use memchr::memmem;
use serde_json::json;

use super::client::Reply;
use crate::fake::Controls;

/// Pause between the events of a paced stream: 100 events a second, as a fast model speaks.
const PACE: Duration = Duration::from_millis(10);
const STREAMS: usize = 20;
const BURST_WORDS: usize = 200;
/// Events of an OpenAI stream besides its words: role, finish reason, usage, end marker.
const EXTRA_EVENTS: usize = 4;

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// Chat with a body of about 1 KB, answered in JSON.
    SmallChat,
    /// Chat with a body of about 100 KB, answered in JSON.
    LargeChat,
    /// Twenty streams of 100 events a second each.
    PacedStream,
    /// Twenty streams as fast as they go.
    BurstStream,
}

/// What every request of a run has in common.
#[derive(Clone, Debug)]
pub(super) struct Asking<'a> {
    pub(super) path: &'a str,
    pub(super) model: &'a str,
    pub(super) key: Option<&'a str>,
    /// `name: value` lines.
    pub(super) headers: &'a [String],
}

impl Scenario {
    pub(super) const ALL: [Self; 4] = [Self::SmallChat, Self::LargeChat, Self::PacedStream, Self::BurstStream];
    pub(super) const QUICK: [Self; 2] = [Self::SmallChat, Self::PacedStream];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SmallChat => "1 KB chat",
            Self::LargeChat => "100 KB chat",
            Self::PacedStream => "paced stream",
            Self::BurstStream => "burst stream",
        }
    }

    /// What processor time is divided by.
    pub(super) fn unit(self) -> &'static str {
        if self.is_stream() { "event" } else { "request" }
    }

    pub(super) fn is_stream(self) -> bool {
        matches!(self, Self::PacedStream | Self::BurstStream)
    }

    /// Whether each connection asks once per slice, its answer taking the whole slice.
    pub(super) fn is_paced(self) -> bool {
        self == Self::PacedStream
    }

    /// How much later each connection starts than the one before, so that paced streams do not all speak at the same moment.
    pub(super) fn stagger(self) -> Duration {
        if self.is_paced() { Duration::from_millis(1) } else { Duration::ZERO }
    }

    pub(super) fn connections(self, of_chat: usize) -> usize {
        if self.is_stream() { STREAMS } else { of_chat }
    }

    /// How the fake provider is to answer, in slices of this length.
    pub(super) fn controls(self, slice: Duration) -> Controls {
        let defaults = Controls { burst: true, ..Controls::default() };
        match self {
            Self::SmallChat | Self::LargeChat => defaults,
            Self::PacedStream => Controls { words: paced_words(slice), delay: PACE, ..Controls::default() },
            Self::BurstStream => Controls { words: BURST_WORDS, ..defaults },
        }
    }

    /// The request as it goes over the wire.
    pub(super) fn request(self, asking: &Asking<'_>) -> Vec<u8> {
        let body = self.body(asking.model);
        let mut head = format!("POST {} HTTP/1.1\r\nhost: gateway.test\r\n", asking.path);
        head.push_str("content-type: application/json\r\naccept: */*\r\nuser-agent: loadtest\r\n");
        if let Some(key) = asking.key {
            // Writing to a String cannot fail.
            let _ = write!(head, "authorization: Bearer {key}\r\n");
        }
        for header in asking.headers {
            let _ = write!(head, "{header}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\n\r\n", body.len());
        [head.into_bytes(), body].concat()
    }

    fn body(self, model: &str) -> Vec<u8> {
        let bytes: usize = if self == Self::LargeChat { 100 * 1024 } else { 1024 };
        let mut body = json!({
            "model": model,
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "lorem ipsum dolor sit amet "},
            ],
            "max_tokens": 1000,
        });
        if let (true, Some(fields)) = (self.is_stream(), body.as_object_mut()) {
            fields.insert("stream".to_owned(), json!(true));
            fields.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        let padding = bytes.saturating_sub(body.to_string().len());
        let text = "lorem ipsum dolor sit amet ".repeat(1 + padding / 27);
        if let Some(content) = body.pointer_mut("/messages/1/content") {
            *content = json!(text);
        }
        body.to_string().into_bytes()
    }

    /// How many units an answer is worth.
    ///
    /// # Errors
    /// When the answer is wrong; a fast but wrong gateway fails.
    pub(super) fn units(self, reply: &Reply<'_>, slice: Duration) -> anyhow::Result<u64> {
        let start =
            || String::from_utf8_lossy(reply.body.get(..reply.body.len().min(300)).unwrap_or_default()).into_owned();
        ensure!(reply.status == 200, "status {}: {}", reply.status, start());
        let words = self.controls(slice).words;
        if !self.is_stream() {
            let right = memmem::find(reply.body, b"\"w0 w1 w2 w3 w4 w5 w6 w7\"").is_some();
            ensure!(right, "not the provider's answer: {}", start());
            return Ok(1);
        }
        let events = memmem::find_iter(reply.body, b"data: ").count();
        ensure!(events == words + EXTRA_EVENTS, "{events} events instead of {}: {}", words + EXTRA_EVENTS, start());
        ensure!(reply.body.ends_with(b"data: [DONE]\n\n"), "no end marker");
        let last = words.checked_sub(1).context("a stream of no words")?;
        ensure!(memmem::find(reply.body, format!("\" w{last}\"").as_bytes()).is_some(), "the last word is missing");
        ensure!(memmem::find(reply.body, b"\"total_tokens\"").is_some(), "no usage");
        Ok(u64::try_from(events)?)
    }
}

/// As many words as fit into a slice, with some time left to begin and end.
fn paced_words(slice: Duration) -> usize {
    let ticks = slice.as_millis().saturating_sub(100) / PACE.as_millis();
    usize::try_from(ticks).unwrap_or(usize::MAX).clamp(10, 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKING: Asking<'static> = Asking { path: "/v1/chat/completions", model: "m", key: Some("k"), headers: &[] };

    #[test]
    fn requests_have_the_size_they_are_named_after() {
        let small = Scenario::SmallChat.body("m").len();
        let large = Scenario::LargeChat.body("m").len();
        assert!((1000..1100).contains(&small), "{small}");
        assert!((102_300..102_500).contains(&large), "{large}");
        let request = String::from_utf8(Scenario::SmallChat.request(&ASKING)).unwrap();
        assert!(request.contains("authorization: Bearer k\r\n"));
    }

    #[test]
    fn wrong_answers_are_not_counted() {
        let slice = Duration::from_secs(1);
        let reply = |status, body| Reply { status, body, first_byte_ns: 0 };
        let right = b"{\"content\":\"w0 w1 w2 w3 w4 w5 w6 w7\"}";
        assert_eq!(Scenario::SmallChat.units(&reply(200, right), slice).unwrap(), 1);
        assert!(Scenario::SmallChat.units(&reply(500, right), slice).is_err());
        assert!(Scenario::SmallChat.units(&reply(200, b"{}"), slice).is_err());
        assert!(Scenario::BurstStream.units(&reply(200, right), slice).is_err());
    }
}
