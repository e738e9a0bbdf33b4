//! What stands on the fullest budgets, looked at beside the threads that serve calls, and not too often.

use std::sync::Arc;

use engine::ledger::BudgetReport;
use tokio::sync::Mutex;
use tokio::task;

/// What a look brings: the fullest budgets, and how many there are in all.
pub(crate) type Found = (Vec<BudgetReport>, usize);

/// So many budgets are looked at for each page; of more, the last look counts for a while.
const FEW: usize = 10_000;
/// How long it counts.
const COUNTS_US: u64 = 1_000_000;

/// The last look at the budgets.
#[derive(Debug, Default)]
pub(crate) struct Budgets {
    last: Mutex<Option<Look>>,
}

#[derive(Debug)]
struct Look {
    at_us: u64,
    found: Arc<Found>,
}

impl Look {
    fn still_counts(&self, now_us: u64) -> bool {
        self.found.1 > FEW && now_us.saturating_sub(self.at_us) < COUNTS_US
    }
}

impl Budgets {
    /// What stands on them now, or stood a moment ago. `look` goes through all of them, on a thread where that holds nobody up;
    /// whoever asks meanwhile waits for it rather than having another look.
    pub(crate) async fn at(&self, now_us: u64, look: impl FnOnce() -> Found + Send + 'static) -> Arc<Found> {
        let mut last = self.last.lock().await;
        if let Some(look) = last.as_ref().filter(|look| look.still_counts(now_us)) {
            return Arc::clone(&look.found);
        }
        // A look that fails shows nothing, rather than what is long past.
        let found = Arc::new(task::spawn_blocking(look).await.unwrap_or_default());
        *last = Some(Look { at_us: now_us, found: Arc::clone(&found) });
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Budgets of which there are so many, and how often they were looked at.
    async fn looks(count: usize, times_us: &[u64]) -> Vec<usize> {
        let (budgets, looks) = (Budgets::default(), Arc::new(AtomicUsize::new(0)));
        let mut seen = Vec::new();
        for now_us in times_us {
            let looks = Arc::clone(&looks);
            let look = {
                let looks = Arc::clone(&looks);
                move || {
                    looks.fetch_add(1, Ordering::Relaxed);
                    (Vec::new(), count)
                }
            };
            assert_eq!(budgets.at(*now_us, look).await.1, count);
            seen.push(looks.load(Ordering::Relaxed));
        }
        seen
    }

    #[tokio::test]
    async fn many_budgets_are_looked_at_once_a_second() {
        assert_eq!(looks(FEW + 1, &[5, 5, 1_000_004, 1_000_005, 2_000_004, 2_000_005]).await, [1, 1, 1, 2, 2, 3]);
        assert_eq!(looks(FEW + 1, &[5, 0]).await, [1, 1], "whoever waited asked before the look");
    }

    #[tokio::test]
    async fn few_budgets_are_looked_at_for_each_page() {
        assert_eq!(looks(FEW, &[5, 5, 6]).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_look_that_fails_shows_nothing() {
        let budgets = Budgets::default();
        assert_eq!(budgets.at(0, || panic!("a test's")).await.1, 0);
        assert_eq!(budgets.at(0, || (Vec::new(), 7)).await.1, 7);
    }
}
