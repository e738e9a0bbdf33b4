//! Waiting for changes, whoever made them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Registry;

/// Without a signal a change is seen so much later at most.
const POLL: Duration = Duration::from_millis(250);

/// Rings when there may be something new.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    rung: Mutex<u64>,
    condvar: Condvar,
}

/// Follows the changes of a registry.
#[derive(Debug)]
pub struct Changes {
    registry: Registry,
    signal: Arc<Signal>,
    heard: u64,
    /// The last revision that was told.
    revision: Option<u64>,
}

impl Signal {
    pub(crate) fn ring(&self) {
        *self.rung.lock() += 1;
        self.condvar.notify_all();
    }

    /// Waits until it was rung more often than so, or for a while.
    fn wait(&self, heard: &mut u64, most: Duration) {
        let mut rung = self.rung.lock();
        if *rung == *heard {
            self.condvar.wait_for(&mut rung, most);
        }
        *heard = *rung;
    }
}

impl Changes {
    pub(super) fn of(registry: &Registry) -> Self {
        let signal = registry.0.database.signal();
        Self { registry: registry.clone(), signal, heard: 0, revision: None }
    }

    /// Waits until there is something new, for so long at most. `true`: there is, so ask [`since`](Registry::since). The first time
    /// that is so at once: what happened before is not known here. While the database is out of reach nothing is new.
    pub fn wait(&mut self, most: Duration) -> bool {
        let mut left = most;
        loop {
            if let Ok(revision) = self.registry.revision()
                && self.revision.replace(revision) != Some(revision)
            {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            let nap = left.min(POLL);
            self.signal.wait(&mut self.heard, nap);
            left -= nap;
        }
    }
}
