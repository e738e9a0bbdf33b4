//! The snapshot in force. Readers never wait; writers go one after the other.

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use policy::settings::Logging;
use policy::snapshot::{ApplyError, Change, Snapshot};

/// The snapshot in force, and the way to change it.
#[derive(Debug)]
pub struct Live {
    current: ArcSwap<Snapshot>,
    /// Replaced snapshots that a request may still hold. They are freed here, by a writer, never by the last reader.
    retired: Mutex<Vec<Arc<Snapshot>>>,
}

impl Live {
    /// Puts a snapshot in force.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self { current: ArcSwap::from_pointee(snapshot), retired: Mutex::default() }
    }

    /// The snapshot in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// What is written down of calls at this moment.
    #[must_use]
    pub fn logging(&self) -> Logging {
        self.current.load().settings().logging
    }

    /// Puts another snapshot in the place of the present one, whose price list it has: that is changed by itself.
    pub fn replace(&self, next: Snapshot) {
        let mut retired = self.retired.lock();
        let before = self.current.load_full();
        let catalog = Change::Catalog(Arc::clone(before.catalog()));
        let next = next.apply(catalog).unwrap_or(next);
        self.current.store(Arc::new(next));
        retired.push(before);
        retired.retain(|old| Arc::strong_count(old) > 1);
    }

    /// Applies changes in order, all or none, and returns the revision now in force.
    ///
    /// # Errors
    /// Those of the first change that contradicts what is there; then nothing is changed.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Result<u64, ApplyError> {
        let mut retired = self.retired.lock();
        let before = self.current.load_full();
        let after = changes.into_iter().try_fold((*before).clone(), |snapshot, change| snapshot.apply(change))?;
        let revision = after.revision();
        self.current.store(Arc::new(after));
        retired.push(before);
        retired.retain(|old| Arc::strong_count(old) > 1);
        Ok(revision)
    }
}

#[cfg(test)]
mod tests {
    use policy::snapshot::Team;

    use super::*;

    fn team(id: &str, customer: Option<&str>) -> Change {
        Change::PutTeam(Arc::new(Team {
            id: id.into(),
            name: id.into(),
            customer: customer.map(Into::into),
            limits: policy::limit::Limits::default(),
        }))
    }

    #[test]
    fn changes_apply_all_or_none() {
        let live = Live::new(Snapshot::default());
        assert_eq!(live.apply([team("a", None), team("b", None)]), Ok(2));
        let error = live.apply([team("c", None), team("d", Some("nobody"))]).unwrap_err();
        assert_eq!(error, ApplyError::NoSuchCustomer("nobody".into()));
        assert!(live.snapshot().team(&"c".into()).is_none());
        assert_eq!(live.snapshot().revision(), 2);
    }

    #[test]
    fn a_reader_keeps_its_snapshot_and_a_writer_frees_it() {
        let live = Live::new(Snapshot::default());
        let reader = live.snapshot();
        live.apply([team("a", None)]).unwrap();
        assert!(reader.team(&"a".into()).is_none());
        assert_eq!(Arc::strong_count(&reader), 2);
        drop(reader);
        live.apply([team("b", None)]).unwrap();
        live.apply([team("c", None)]).unwrap();
        assert!(live.retired.lock().len() <= 1);
    }
}
