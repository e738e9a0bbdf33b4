//! Every request, or all tokens, that were ever counted on one rate limit.

use policy::limit::{Algorithm, Quota, QuotaStanding};

#[derive(Debug, Default)]
pub(super) struct CountBook {
    pub(super) kind: Option<(Algorithm, u64)>,
    /// When the window began, of those that begin with what is counted first.
    pub(super) began_ms: Option<u64>,
    pub(super) number: u64,
    pub(super) counted: Vec<Counted>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) attempt: u64,
    pub(super) at_ms: u64,
    pub(super) number: u64,
    pub(super) used: u64,
    pub(super) held: u64,
}

impl CountBook {
    pub(super) fn roll(&mut self, algorithm: Algorithm, quota: Option<Quota>, now_ms: u64) {
        let kind = quota.map(|quota| (algorithm, quota.window.nominal_ms()));
        if kind != self.kind {
            *self = Self { kind, number: self.number + 1, ..Self::default() };
        }
        if let Some((Algorithm::Fixed, window_ms)) = kind {
            self.began_ms = self.began_ms.filter(|began_ms| now_ms < began_ms + window_ms);
        }
    }

    pub(super) fn slice_ms(&self) -> u64 {
        match self.kind {
            Some((Algorithm::Rolling, window_ms)) => window_ms / 12,
            Some((Algorithm::Fixed, window_ms)) => window_ms,
            None => 1,
        }
    }

    /// When the slice began in which a count is.
    pub(super) fn slice_of(&self, one: &Counted) -> u64 {
        match self.kind {
            Some((Algorithm::Fixed, _)) => self.began_ms.unwrap_or_default(),
            _ => one.at_ms / self.slice_ms() * self.slice_ms(),
        }
    }

    pub(super) fn ends_ms(&self, one: &Counted) -> u64 {
        match self.kind {
            Some((Algorithm::Rolling, window_ms)) => self.slice_of(one) + self.slice_ms() + window_ms,
            _ => self.slice_of(one) + self.slice_ms(),
        }
    }

    /// What counts now.
    pub(super) fn counting(&self, now_ms: u64) -> impl Iterator<Item = &Counted> {
        let is_now = move |one: &&Counted| match self.kind {
            Some((Algorithm::Fixed, _)) => one.number == self.number && self.began_ms.is_some(),
            _ => now_ms < self.ends_ms(one),
        };
        self.counted.iter().filter(is_now)
    }

    pub(super) fn used(&self, now_ms: u64) -> u64 {
        self.counting(now_ms).map(|one| one.used).sum()
    }

    pub(super) fn count(&mut self, attempt: u64, used: u64, held: u64, at_ms: u64) {
        if self.began_ms.is_none() {
            (self.began_ms, self.number) = (Some(at_ms), self.number + 1);
        }
        self.counted.push(Counted { attempt, at_ms, number: self.number, used, held });
    }

    pub(super) fn settle(&mut self, attempt: u64, used: Option<u64>) {
        for one in self.counted.iter_mut().filter(|one| one.attempt == attempt) {
            one.used = used.unwrap_or(one.held);
            one.held = 0;
        }
    }

    pub(super) fn written(&self, attempt: u64) -> Option<(u64, u64, u64)> {
        let one = self.counted.iter().find(|one| one.attempt == attempt)?;
        Some((self.slice_of(one), self.slice_ms(), one.used))
    }

    pub(super) fn standing(&self, algorithm: Algorithm, quota: Option<Quota>, now_ms: u64) -> QuotaStanding {
        let mut then = Self { counted: self.counted.clone(), ..*self };
        then.roll(algorithm, quota, now_ms);
        let frees_at = then.counting(now_ms).filter(|one| one.used > 0).map(|one| then.ends_ms(one)).min();
        QuotaStanding {
            used: then.used(now_ms),
            held: then.counting(now_ms).map(|one| one.held).sum(),
            frees_in_ms: frees_at.map_or(0, |at| at - now_ms),
        }
    }
}
