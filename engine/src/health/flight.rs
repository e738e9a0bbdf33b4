//! A call under way on a route, from its beginning to the verdict.

use std::sync::Arc;

use policy::provider::Secret;
use policy::route::Failure;
use policy::route::health::Route;

use super::circuit::{Entry, Probe};
use super::mark::{self, Growth, Heard};
use super::watched::{Progress, WatchedRoute};

/// A call under way on a route. Dropped without a verdict it says nothing about the route, and lets another call try it
/// if this was the one that did.
#[derive(Debug)]
#[must_use = "it counts as under way until it is dropped"]
pub struct Flight {
    watched: Arc<WatchedRoute>,
    secret: Secret,
    is_known: bool,
    is_with_callers_own: bool,
    /// Whether the provider's circuits may open.
    may_open: bool,
    began_us: u64,
    probe: Option<Probe>,
    has_content: bool,
    is_judged: bool,
}

impl Flight {
    pub(super) fn begin(watched: Arc<WatchedRoute>, route: Route<'_>, now_us: u64) -> Option<Self> {
        let probe = {
            let mut progress = watched.progress();
            let probe = match progress.circuit.enter(now_us) {
                Entry::Free => None,
                Entry::Probe(probe) => Some(probe),
                Entry::Refused => return None,
            };
            progress.in_flight = progress.in_flight.saturating_add(1);
            progress.waiting = progress.waiting.saturating_add(1);
            probe
        };
        Some(Self {
            watched,
            secret: route.credential.secret.clone(),
            is_known: route.is_known,
            is_with_callers_own: false,
            may_open: route.provider.retries.circuit_breaker,
            began_us: now_us,
            probe,
            has_content: false,
            is_judged: false,
        })
    }

    /// The caller's own credential is sent instead: what the vendor thinks of it says nothing about ours.
    pub fn with_callers_own_credential(mut self) -> Self {
        self.is_with_callers_own = true;
        self
    }

    /// Whether this is the call that tries an open circuit.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// The first content came. Counts once.
    pub fn first_content(&mut self, now_us: u64) {
        if !std::mem::replace(&mut self.has_content, true) {
            let mut progress = self.watched.progress();
            progress.waiting = progress.waiting.saturating_sub(1);
            progress.pace.saw_first_content(now_us.saturating_sub(self.began_us), now_us);
            progress.circuit.reached(self.probe, now_us);
        }
    }

    /// The vendor says how much of its own limits is left, in thousandths.
    pub fn headroom(&self, thousandths: u16, now_us: u64) {
        if !self.is_with_callers_own {
            self.watched.progress().pace.saw_headroom(thousandths, now_us);
        }
    }

    /// It was answered, to the end.
    pub fn succeeded(mut self, now_us: u64) {
        let heard = Heard { secret: &self.secret, began_us: self.began_us, now_us };
        if !self.is_with_callers_own {
            self.watched.credential().served(heard);
        }
        let mut progress = self.watched.progress();
        progress.circuit.succeeded(self.probe, self.began_us, now_us);
        progress.pace.saw_end(false, now_us);
        if !self.is_with_callers_own {
            mark::soften(&mut progress.throttled, heard);
            mark::lift(&mut progress.not_for_model, heard);
        }
        leave(&mut progress, self.has_content);
        drop(progress);
        self.is_judged = true;
    }

    /// It failed.
    pub fn failed(mut self, failure: Failure, now_us: u64) {
        let heard = Heard { secret: &self.secret, began_us: self.began_us, now_us };
        if failure == Failure::CredentialRefused && !self.is_with_callers_own {
            self.watched.credential().was_refused(heard);
        }
        let mut progress = self.watched.progress();
        if failure.blames_route() {
            if self.may_open {
                progress.circuit.failed(self.probe, self.began_us, now_us);
            }
            progress.pace.saw_end(true, now_us);
        } else {
            // Whatever it answered, it can be reached.
            progress.circuit.reached(self.probe, now_us);
        }
        match failure {
            // It would have taken at least so long.
            Failure::Silent if !self.has_content => {
                progress.pace.saw_first_content(now_us.saturating_sub(self.began_us), now_us);
            }
            Failure::NotForCredential if self.is_known && !self.is_with_callers_own => {
                mark::put(&mut progress.not_for_model, heard, Growth::REFUSED, None);
            }
            Failure::Throttled { retry_after } if !self.is_with_callers_own => {
                mark::put(&mut progress.throttled, heard, Growth::THROTTLED, retry_after);
            }
            _ => {}
        }
        leave(&mut progress, self.has_content);
        drop(progress);
        self.is_judged = true;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.is_judged {
            let mut progress = self.watched.progress();
            progress.circuit.gave_up(self.probe);
            leave(&mut progress, self.has_content);
        }
    }
}

fn leave(progress: &mut Progress, has_content: bool) {
    progress.waiting = progress.waiting.saturating_sub(u32::from(!has_content));
    progress.in_flight = progress.in_flight.saturating_sub(1);
}
