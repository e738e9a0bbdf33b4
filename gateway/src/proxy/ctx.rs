//! What one request carries through its phases.

use std::net::SocketAddr;
use std::sync::Arc;

use engine::hold::{Hold, Sent};
use engine::ledger::Owner;
use policy::decision::Refusal;
use policy::request::Dialect;
use policy::route::{Attempt, Plan};
use providers::meter::Meter;
use providers::peek::Peek;

use super::body::HeldBody;
use super::held::Held;
use super::route::Asked;
use crate::life::InFlight;
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
    /// What the log will say.
    pub(crate) record: Record,
    /// Counts it among the requests being served, until it is dropped.
    pub(crate) _in_flight: InFlight,
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
    /// Where it may go.
    pub(crate) plan: Plan,
    /// Whether the answer is to be streamed.
    pub(crate) stream: bool,
    /// What its body says.
    pub(crate) peek: Peek,
    /// Its body, as the client sent it; `None` once no other attempt can need it.
    pub(crate) body: Option<HeldBody>,
    /// Whose accounts the caller's side of each attempt is charged to.
    pub(crate) owners: Vec<Owner>,
    /// The attempt under way, or the next one: an index into the plan.
    pub(crate) current: usize,
    /// How often the current attempt was begun before, on connections that were already dead.
    pub(crate) repeats: u8,
    /// Where the current attempt is being connected to.
    pub(crate) address: Option<SocketAddr>,
    /// When the current attempt's request was sent, on the process's clock.
    pub(crate) sent_us: u64,
    /// Whether the current answer is streamed as a JSON array instead of events, as Gemini does unless it is asked for events.
    pub(crate) streams_array: bool,
    /// Microseconds from the start to the first content of the current answer.
    pub(crate) first_content_us: Option<u64>,
    /// The same to the last piece of it.
    pub(crate) last_content_us: Option<u64>,
}

impl Call {
    /// The attempt under way, or the next one; `None` when all were tried.
    pub(crate) fn attempt(&self) -> Option<&Attempt> {
        self.plan.attempts.get(self.current)
    }

    /// Whether another attempt could follow a failure of this kind, which moves on to it.
    pub(crate) fn next_after(&self, failure: Failure) -> Option<usize> {
        let failed = self.attempt()?;
        let rest = self.plan.attempts.iter().enumerate().skip(self.current + 1);
        rest.into_iter()
            .find(|(_, next)| match failure {
                Failure::Credential => true,
                Failure::Provider => next.provider.name != failed.provider.name,
            })
            .map(|(index, _)| index)
    }
}

/// What an attempt failed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The credential was refused or throttled: the next one may do.
    Credential,
    /// The provider did not serve: only another one may.
    Provider,
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

    /// Takes the stage out, leaving [`Stage::Done`].
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}
