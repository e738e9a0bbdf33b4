//! What is kept of each route, and of each credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use policy::id::{CredentialName, ModelName, ProviderName};
use policy::provider::Secret;
use policy::route::health::{self, Reading, Route, State};

use super::circuit::{Circuit, Position};
use super::fade::{LEAST_SHARE, WHOLE};
use super::mark::{self, Growth, Heard, Mark, Standing};
use super::pace::Pace;

/// A credential of a provider, whatever the model.
#[derive(Debug)]
pub(super) struct WatchedCredential {
    provider: ProviderName,
    name: CredentialName,
    /// When the traces of the mark are gone; 0 without one. Spares readers the lock.
    gone_us: AtomicU64,
    refused: Mutex<Option<Mark>>,
}

impl WatchedCredential {
    pub(super) fn of(route: Route<'_>) -> Self {
        let (provider, name) = (route.provider.name.clone(), route.credential.name.clone());
        Self { provider, name, gone_us: AtomicU64::new(0), refused: Mutex::new(None) }
    }

    pub(super) const fn provider(&self) -> &ProviderName {
        &self.provider
    }

    pub(super) const fn name(&self) -> &CredentialName {
        &self.name
    }

    /// How it does as far as the credential goes.
    pub(super) fn reading(&self, secret: Option<&Secret>, now_us: u64) -> Reading {
        match self.standing(secret, now_us) {
            Standing::Until(until_us) => marked(until_us, health::Mark::Refused, Reading::WELL),
            Standing::Share(share) => Reading { share, ..Reading::WELL },
        }
    }

    /// The vendor refused it.
    pub(super) fn was_refused(&self, heard: Heard<'_>) {
        let mut refused = self.refused.lock();
        mark::put(&mut refused, heard, Growth::REFUSED, None);
        self.gone_us.store(refused.as_ref().map_or(0, Mark::gone_us), Ordering::Relaxed);
    }

    /// It served a call.
    pub(super) fn served(&self, heard: Heard<'_>) {
        if self.gone_us.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut refused = self.refused.lock();
        mark::lift(&mut refused, heard);
        self.gone_us.store(refused.as_ref().map_or(0, Mark::gone_us), Ordering::Relaxed);
    }

    fn standing(&self, secret: Option<&Secret>, now_us: u64) -> Standing {
        if now_us >= self.gone_us.load(Ordering::Relaxed) {
            return Standing::Share(WHOLE);
        }
        self.refused.lock().as_ref().map_or(Standing::Share(WHOLE), |mark| mark.standing(secret, now_us))
    }
}

/// A route: a credential's way to a model.
#[derive(Debug)]
pub(super) struct WatchedRoute {
    credential: Arc<WatchedCredential>,
    model: Option<ModelName>,
    progress: Mutex<Progress>,
}

/// What changes with each call.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) in_flight: u32,
    pub(super) waiting: u32,
    pub(super) circuit: Circuit,
    pub(super) pace: Pace,
    pub(super) throttled: Option<Mark>,
    pub(super) not_for_model: Option<Mark>,
}

impl WatchedRoute {
    pub(super) fn of(route: Route<'_>, credential: Arc<WatchedCredential>, seed: u64) -> Self {
        let progress = Progress {
            in_flight: 0,
            waiting: 0,
            circuit: Circuit::new(seed),
            pace: Pace::default(),
            throttled: None,
            not_for_model: None,
        };
        Self { credential, model: route.is_known.then(|| route.model.clone()), progress: Mutex::new(progress) }
    }

    pub(super) fn credential(&self) -> &WatchedCredential {
        &self.credential
    }

    pub(super) const fn model(&self) -> Option<&ModelName> {
        self.model.as_ref()
    }

    /// Held for nanoseconds, and never together with another lock.
    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock()
    }

    /// How it does with a secret; with whatever secret, where none is given.
    pub(super) fn reading(&self, secret: Option<&Secret>, now_us: u64) -> Reading {
        let of_credential = self.credential.standing(secret, now_us);
        let progress = self.progress.lock();
        let standing =
            |mark: &Option<Mark>| mark.as_ref().map_or(Standing::Share(WHOLE), |mark| mark.standing(secret, now_us));
        let standings = [
            (of_credential, health::Mark::Refused),
            (standing(&progress.not_for_model), health::Mark::NotForModel),
            (standing(&progress.throttled), health::Mark::Throttled),
        ];
        progress.reading(standings, now_us)
    }
}

impl Progress {
    /// An open circuit is worse than a mark, and a mark worse than a circuit that is due to be tried: what its vendor
    /// turns away is not worth the try.
    fn reading(&self, standings: [(Standing, health::Mark); 3], now_us: u64) -> Reading {
        let mut reading = Reading {
            state: State::Up,
            share: WHOLE,
            in_flight: self.in_flight,
            waiting: self.waiting,
            latency_us: self.pace.latency_us(now_us),
            errors: self.pace.errors(now_us),
            headroom: self.pace.headroom(now_us),
        };
        match self.circuit.position(now_us) {
            Position::Closed(share) => reading.share = share,
            Position::Due => reading.state = State::Probe,
            Position::OpenUntil(until_us) => {
                let state = State::Down { until_ms: until_us.div_ceil(1_000) };
                return Reading { state, share: LEAST_SHARE, ..reading };
            }
        }
        let mut latest_us = 0;
        for (standing, mark) in standings {
            match standing {
                Standing::Share(share) => reading.share = reading.share.min(share),
                Standing::Until(until_us) if until_us > latest_us => {
                    latest_us = until_us;
                    reading = marked(until_us, mark, reading);
                }
                Standing::Until(_) => {}
            }
        }
        reading
    }
}

fn marked(until_us: u64, mark: health::Mark, reading: Reading) -> Reading {
    Reading { state: State::Marked { until_ms: until_us.div_ceil(1_000), mark }, share: LEAST_SHARE, ..reading }
}
