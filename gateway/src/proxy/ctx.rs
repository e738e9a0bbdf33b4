//! What one request carries through its phases.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::health::Flight;
use engine::hold::{Admission, Hold, Sent};
use http::HeaderMap;
use policy::decision::Refusal;
use policy::request::Dialect;
use policy::route::{Attempt, Failure, Walk};
use policy::settings::StreamRecovery;
use providers::meter::Meter;
use providers::peek::Peek;
use providers::resume::Mode;
use providers::verdict;

use super::body::HeldBody;
use super::fields::HeaderFields;
use super::foreign::Foreign;
use super::held::Held;
use super::passed_over::PassedOver;
use super::resume::{Script, Unsent};
use super::route::Asked;
use super::whole_events::WholeEvents;
use crate::life::InFlight;
use crate::telemetry::contents::Draft;
use crate::telemetry::record::Record;

/// One request's state.
#[derive(Debug)]
pub(crate) struct RequestCtx {
    /// Sent to the client and to the vendor, and in every log line.
    pub(crate) request_id: Arc<str>,
    /// What the path asks for; `None` until it is known, and for requests that are answered here.
    pub(crate) asked: Option<Asked>,
    /// The dialect of an answer to a request that asks for nothing there is.
    pub(crate) fallback_dialect: Dialect,
    /// Whether the client speaks HTTP/1.0: it knows no chunks, and its connection is used once.
    pub(crate) is_http10: bool,
    /// Whether it goes to the management API.
    pub(crate) is_managed: bool,
    /// The method that a path would have taken.
    pub(crate) allowed_method: Option<&'static str>,
    /// How far it is.
    pub(crate) stage: Stage,
    /// The handle on the swapped session, while it is swapped.
    pub(crate) held: Option<Held>,
    /// Whether the exchange was ended from here rather than by the vendor.
    pub(crate) was_cut: bool,
    /// Why it failed, for the answer and the log.
    pub(crate) failure: Option<Refusal>,
    /// How the first target failed: what is told if all others fail too.
    pub(crate) first_error: Option<Told>,
    /// How a stream broke off whose beginning the client has.
    pub(crate) broke_off: Option<Refusal>,
    /// What the client is still to get of a stream that may break off.
    pub(crate) unsent: Unsent,
    /// What such a stream lacks to be whole.
    pub(crate) closing: Option<Bytes>,
    /// What is said in it, where that is kept.
    pub(crate) said: Option<Box<Draft>>,
    /// What the log will say.
    pub(crate) record: Record,
    /// Counts it among the requests being served, until it is dropped.
    pub(crate) _in_flight: InFlight,
}

impl RequestCtx {
    /// A piece of the answer goes to the client.
    pub(crate) fn answers(&mut self, piece: &[u8]) {
        if let Some(said) = &mut self.said {
            said.answered(piece);
        }
    }

    /// The last so many bytes of the answer did not, and are passed on again.
    pub(crate) fn takes_back(&mut self, bytes: u64) {
        if let Some(said) = &mut self.said {
            said.take_back(bytes);
        }
    }

    /// What was answered so far does not.
    pub(crate) fn answers_anew(&mut self) {
        if let Some(said) = &mut self.said {
            said.begin_answer_anew();
        }
    }

    /// Lets the header that waits name the attempt that it is of among those that failed.
    pub(crate) fn amend_trail(&self) {
        if let Some(held) = &self.held {
            held.amend_trail(self.record.trail());
        }
    }
}

/// How far a request is. Only [`Stage::Sending`] and what follows hold a [`Sent`], and nothing is sent without one.
#[derive(Debug, Default)]
pub(crate) enum Stage {
    /// Nothing is decided.
    New,
    /// Admitted; no attempt is under way.
    Admitted(Box<Call>),
    /// An attempt's hold is open; it is being connected.
    Connecting(Box<Call>, Hold),
    /// An attempt's request is on its way.
    Sending(Box<Call>, Sent),
    /// An attempt's answer is coming.
    Answering(Box<Call>, Sent, Box<Meter>),
    /// Settled.
    #[default]
    Done,
}

/// An admitted call.
#[derive(Debug)]
pub(crate) struct Call {
    /// Where it may go, and how far it has come.
    pub(crate) walk: Walk,
    /// How long to wait before the next attempt.
    pub(crate) wait: Duration,
    /// The attempt's place among the calls on its route.
    pub(crate) flight: Option<Flight>,
    /// The attempt's answer, where it is an error that is still to be judged.
    pub(crate) error: Option<ErrorAnswer>,
    /// What becomes of a stream that breaks off.
    pub(crate) recovery: StreamRecovery,
    /// What the client has of a stream that could be continued.
    pub(crate) script: Option<Script>,
    /// How the attempt under way goes on with a stream; `None`: it begins one.
    pub(crate) mode: Option<Mode>,
    /// The target does not go on behind a text.
    pub(crate) refused_prefill: bool,
    /// Whether the answer is to be streamed.
    pub(crate) stream: bool,
    /// What its body says.
    pub(crate) peek: Peek,
    /// Its body, as the client sent it; `None` once no other attempt can need it.
    pub(crate) body: Option<HeldBody>,
    /// What is reserved for the first attempt, until it is begun.
    pub(crate) hold: Option<Hold>,
    /// The call counted on its caller's limits, from its first hold on.
    pub(crate) admission: Option<Admission>,
    /// Why targets were passed over: an account was short for them, or they cannot be asked this.
    pub(crate) passed_over: PassedOver,
    /// How the attempt that is next or under way is translated; `None`: client and vendor speak alike.
    pub(crate) foreign: Option<Box<Foreign>>,
    /// The output limit that the current attempt was sent with, where that was lowered.
    pub(crate) clamped: Option<u64>,
    /// How often the current attempt was begun before, on connections that were already dead.
    pub(crate) repeats: u8,
    /// How many other addresses of its name the current attempt has tried.
    pub(crate) addresses: u8,
    /// Where the current attempt is being connected to.
    pub(crate) address: Option<SocketAddr>,
    /// When the current attempt's request was sent, on the process's clock.
    pub(crate) sent_us: u64,
    /// What came of an event that is not whole yet.
    pub(crate) whole_events: WholeEvents,
    /// How a streamed answer gets on.
    pub(crate) progress: Progress,
    /// Whether the current answer is a stream.
    pub(crate) is_stream: bool,
    /// Whether the client asked for a JSON array where a stream is events.
    pub(crate) wants_array: bool,
    /// Whether the client gets the current answer streamed as a JSON array instead of events, as Gemini does unless it is asked for
    /// events.
    pub(crate) streams_array: bool,
    /// Microseconds from the start to the first content of the current answer.
    pub(crate) first_content_us: Option<u64>,
    /// The same to the last piece of it.
    pub(crate) last_content_us: Option<u64>,
}

impl Call {
    /// The most tokens that the beginning of the answer, which another target is to go on with, adds to its input.
    pub(crate) fn more_input(&self) -> u64 {
        self.script.as_ref().map_or(0, |script| script.transcript().text().len() as u64)
    }

    /// The attempt under way, or the next one; `None` where none can be made.
    pub(crate) fn attempt(&self) -> Option<&Attempt> {
        self.walk.attempt()
    }
}

/// How a streamed answer gets on: by whole lines, or by so many bytes of a long one. A vendor that sends a byte now and then
/// does not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    bytes_of_line: usize,
}

impl Progress {
    /// So much of a line is progress.
    const BYTES: usize = 1_024;

    /// Whether the answer got on with this piece.
    pub(crate) fn is_made_by(&mut self, piece: &[u8]) -> bool {
        self.bytes_of_line += piece.len();
        let is_made = self.bytes_of_line >= Self::BYTES || memchr::memchr(b'\n', piece).is_some();
        if is_made {
            self.bytes_of_line = 0;
        }
        is_made
    }
}

/// What a caller is told of a failed attempt.
#[derive(Debug)]
pub(crate) enum Told {
    /// Words of our own.
    Refusal(Refusal),
    /// The vendor's own answer.
    Answer(ErrorAnswer),
}

/// A vendor's error answer.
#[derive(Clone, Debug)]
pub(crate) struct ErrorAnswer {
    /// Its status.
    pub(crate) status: u16,
    /// Its header fields.
    pub(crate) headers: HeaderMap,
    /// Its body, as far as it came.
    pub(crate) body: Vec<u8>,
}

impl ErrorAnswer {
    /// What the attempt failed for.
    pub(crate) fn failure(&self, attempt: &Attempt, now_unix_ms: u64) -> Failure {
        verdict::failure_of(&self.seen(attempt, &HeaderFields(&self.headers), now_unix_ms))
    }

    /// Whether it is because the request went on behind the text of an answer.
    pub(crate) fn refuses_prefill(&self, attempt: &Attempt) -> bool {
        verdict::refuses_prefill(&self.seen(attempt, &HeaderFields(&self.headers), 0))
    }

    fn seen<'a>(
        &'a self,
        attempt: &'a Attempt,
        headers: &'a HeaderFields<'a>,
        now_unix_ms: u64,
    ) -> verdict::ErrorAnswer<'a> {
        let (vendor, dialect) = (attempt.provider.vendor, attempt.provider.dialect);
        verdict::ErrorAnswer { vendor, dialect, status: self.status, headers, body: &self.body, now_unix_ms }
    }
}

impl Stage {
    /// The call, at whatever stage it is.
    pub(crate) fn call(&self) -> Option<&Call> {
        match self {
            Self::Admitted(call) | Self::Connecting(call, _) | Self::Sending(call, _) | Self::Answering(call, _, _) => {
                Some(call)
            }
            Self::New | Self::Done => None,
        }
    }

    /// The reservation of the attempt that was sent.
    pub(crate) fn sent(&self) -> Option<&Sent> {
        match self {
            Self::Sending(_, sent) | Self::Answering(_, sent, _) => Some(sent),
            Self::New | Self::Admitted(_) | Self::Connecting(..) | Self::Done => None,
        }
    }

    /// Takes the stage out, leaving [`Stage::Done`].
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}
