//! One route's circuit: closed, open, tried by one call, closed again.

use super::fade::{WHOLE, returned_share};

/// So many failures in a row open it.
const FAILURES_IN_A_ROW: u32 = 5;

/// So does half of the attempts of the last ten seconds, if they are at least so many.
const FEWEST_ATTEMPTS: u32 = 20;

/// How long it is open before it is tried: doubled for each failed try.
const FIRST_WAIT_US: u64 = 250_000;

/// The longest that it is open between two tries, and the longest that one call may keep others from trying. A vendor
/// that is back is found within this time, plus the time it takes to answer.
const LONGEST_WAIT_US: u64 = 2_000_000;

/// How long traffic takes to come back.
const RETURN_US: u64 = 2_000_000;

/// Which try a call is. Later ones are greater; those of one opening follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Probe(u64);

/// What a call that wants to use the route hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The circuit is closed.
    Free,
    /// The circuit is open, and this call is the one that tries.
    Probe(Probe),
    /// The circuit is open.
    Refused,
}

/// What a reader is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Closed; how much of its traffic it gets, in thousandths.
    Closed(u16),
    /// Open, and due to be tried.
    Due,
    /// Open, or being tried, until then.
    OpenUntil(u64),
}

/// One route's circuit.
#[derive(Clone, Debug)]
pub(super) struct Circuit {
    phase: Phase,
    /// How often the wait was doubled.
    doublings: u32,
    latest_probe: Probe,
    seed: u64,
    recent: Recent,
    failures_in_a_row: u32,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed {
        /// Since when; what began before says nothing about now. `None`: it was never open.
        since_us: Option<u64>,
        /// The call that closed it by its first content: its end may still show that it was too early.
        on_trust: Option<Probe>,
    },
    Open {
        until_us: u64,
        /// The first probe of this opening is the next one after this.
        after: Probe,
        /// The call that tries it, and until when no other may.
        trying: Option<(Probe, u64)>,
    },
}

impl Circuit {
    /// Closed. The seed decides how much earlier than others it is tried.
    pub(super) const fn new(seed: u64) -> Self {
        let phase = Phase::Closed { since_us: None, on_trust: None };
        let recent = Recent::NONE;
        Self { phase, doublings: 0, latest_probe: Probe(0), seed, recent, failures_in_a_row: 0 }
    }

    /// A call wants to use the route.
    pub(super) fn enter(&mut self, now_us: u64) -> Entry {
        let due = self.position(now_us) == Position::Due;
        match &mut self.phase {
            Phase::Closed { .. } => Entry::Free,
            Phase::Open { trying, .. } if due => {
                self.latest_probe = Probe(self.latest_probe.0.wrapping_add(1));
                *trying = Some((self.latest_probe, now_us.saturating_add(LONGEST_WAIT_US)));
                Entry::Probe(self.latest_probe)
            }
            Phase::Open { .. } => Entry::Refused,
        }
    }

    /// Where it stands.
    pub(super) fn position(&self, now_us: u64) -> Position {
        match self.phase {
            Phase::Closed { since_us: None, .. } => Position::Closed(WHOLE),
            Phase::Closed { since_us: Some(since_us), .. } => {
                Position::Closed(returned_share(now_us.saturating_sub(since_us), RETURN_US))
            }
            Phase::Open { until_us, trying, .. } => {
                let until_us = trying.map_or(until_us, |(_, until_us)| until_us);
                if now_us < until_us { Position::OpenUntil(until_us) } else { Position::Due }
            }
        }
    }

    /// A call got through: content came, or an answer that does not blame the route.
    pub(super) fn reached(&mut self, probe: Option<Probe>, now_us: u64) {
        if let Phase::Open { after, .. } = self.phase
            && probe.is_some_and(|probe| probe > after)
        {
            self.phase = Phase::Closed { since_us: Some(now_us), on_trust: probe };
            self.failures_in_a_row = 0;
            self.recent = Recent::NONE;
        }
    }

    /// A call ended well.
    pub(super) fn succeeded(&mut self, probe: Option<Probe>, began_us: u64, now_us: u64) {
        self.reached(probe, now_us);
        if let Phase::Closed { since_us, on_trust } = &mut self.phase
            && is_news(*since_us, probe, *on_trust, began_us)
        {
            *on_trust = None;
            self.failures_in_a_row = 0;
            self.recent.count(false, now_us);
        }
    }

    /// A call failed in a way that blames the route.
    pub(super) fn failed(&mut self, probe: Option<Probe>, began_us: u64, now_us: u64) {
        match self.phase {
            Phase::Closed { on_trust, .. } if on_trust.is_some() && probe == on_trust => self.open(now_us),
            Phase::Closed { since_us, on_trust } if is_news(since_us, probe, on_trust, began_us) => {
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                self.recent.count(true, now_us);
                if self.failures_in_a_row >= FAILURES_IN_A_ROW || self.recent.is_half_failed(now_us) {
                    self.open(now_us);
                }
            }
            Phase::Open { trying: Some((trying, _)), .. } if probe == Some(trying) => self.open(now_us),
            Phase::Closed { .. } | Phase::Open { .. } => {}
        }
    }

    /// A call ended without a word about the route: another may try it.
    pub(super) fn gave_up(&mut self, probe: Option<Probe>) {
        if let Phase::Open { trying, .. } = &mut self.phase
            && probe.is_some()
            && trying.map(|(probe, _)| probe) == probe
        {
            *trying = None;
        }
    }

    fn open(&mut self, now_us: u64) {
        let (is_relapse, after) = match self.phase {
            Phase::Closed { since_us, .. } => {
                (since_us.is_some_and(|since_us| now_us.saturating_sub(since_us) < RETURN_US), self.latest_probe)
            }
            Phase::Open { after, .. } => (true, after),
        };
        self.doublings = if is_relapse { self.doublings.saturating_add(1) } else { 0 };
        let wait_us = FIRST_WAIT_US.checked_shl(self.doublings.min(8)).unwrap_or(LONGEST_WAIT_US).min(LONGEST_WAIT_US);
        let until_us = now_us.saturating_add(wait_us - self.jitter(wait_us));
        self.phase = Phase::Open { until_us, after, trying: None };
    }

    /// Up to an eighth of the wait: routes that failed together are not all tried together.
    fn jitter(&self, wait_us: u64) -> u64 {
        let mixed = (self.seed ^ u64::from(self.doublings)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        mixed % (wait_us / 8)
    }
}

/// Whether a call began when the circuit stood as it does now. One that hung through an outage says nothing about after.
fn is_news(since_us: Option<u64>, probe: Option<Probe>, on_trust: Option<Probe>, began_us: u64) -> bool {
    since_us.is_none_or(|since_us| began_us >= since_us) || (probe.is_some() && probe == on_trust)
}

/// The attempts of the last ten seconds, by the second.
#[derive(Clone, Copy, Debug)]
struct Recent {
    seconds: [Second; 10],
}

#[derive(Clone, Copy, Debug)]
struct Second {
    /// Which second of the clock.
    number: u64,
    attempts: u32,
    failures: u32,
}

impl Recent {
    const NONE: Self = Self { seconds: [Second { number: 0, attempts: 0, failures: 0 }; 10] };

    fn count(&mut self, has_failed: bool, now_us: u64) {
        let number = now_us / 1_000_000;
        let place = usize::try_from(number % 10).unwrap_or_default();
        if let Some(second) = self.seconds.get_mut(place) {
            if second.number != number {
                *second = Second { number, attempts: 0, failures: 0 };
            }
            second.attempts = second.attempts.saturating_add(1);
            second.failures = second.failures.saturating_add(u32::from(has_failed));
        }
    }

    fn is_half_failed(&self, now_us: u64) -> bool {
        let now = now_us / 1_000_000;
        let recent = self.seconds.iter().filter(|second| now.saturating_sub(second.number) < 10);
        let (attempts, failures) = recent.fold((0_u32, 0_u32), |(attempts, failures), second| {
            (attempts.saturating_add(second.attempts), failures.saturating_add(second.failures))
        });
        attempts >= FEWEST_ATTEMPTS && failures.saturating_mul(2) >= attempts
    }
}

#[cfg(test)]
mod tests;
