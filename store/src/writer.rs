//! The writer's thread: when the bookkeeper does what.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use tokio::time::Instant;

use crate::StoreError;
use crate::bookkeeper::Bookkeeper;

/// An end of an attempt waits for so long to be written.
const NAP: Duration = Duration::from_millis(5);
/// What is written reaches the disk after so long and a little more: a power cut loses no more than 200 ms.
const SYNC: Duration = Duration::from_millis(180);
/// The journal is folded after so long.
const FOLD: Duration = Duration::from_secs(1);
/// Whoever has nothing to do looks again after this.
const SLEEP: Duration = Duration::from_secs(1);

/// Something that somebody wants done.
pub(crate) type Wish = Box<dyn FnOnce(&mut Bookkeeper) + Send>;

/// Writes, syncs and folds until nobody can wish for anything any more; then for the last time.
pub(crate) fn run(mut bookkeeper: Bookkeeper, wishes: &Receiver<Wish>) -> Result<(), StoreError> {
    let mut pace = Pace::begin();
    loop {
        match wishes.try_recv() {
            Ok(wish) => wish(&mut bookkeeper),
            Err(TryRecvError::Disconnected) => return bookkeeper.close(),
            Err(TryRecvError::Empty) => wait(&bookkeeper, &mut pace),
        }
        // Wishes may come one upon the other: what is owed to calls goes on between them.
        work(&mut bookkeeper, &mut pace);
    }
}

/// When what is done now and then was done last.
struct Pace {
    synced: Instant,
    folded: Instant,
}

impl Pace {
    fn begin() -> Self {
        let now = Instant::now();
        Self { synced: now, folded: now }
    }
}

/// Whether so long has passed since then; then it has not any more.
fn is_time(last: &mut Instant, every: Duration) -> bool {
    let is_time = last.elapsed() >= every;
    if is_time {
        *last = Instant::now();
    }
    is_time
}

/// Waits for something to do.
fn wait(bookkeeper: &Bookkeeper, pace: &mut Pace) {
    let bell = &bookkeeper.journal().bell;
    if !bookkeeper.is_idle() {
        bell.nap(NAP);
        return;
    }
    bell.sleep(SLEEP, || bookkeeper.is_idle());
    // What comes now is not to be synced and folded alone.
    *pace = Pace::begin();
}

fn work(bookkeeper: &mut Bookkeeper, pace: &mut Pace) {
    bookkeeper.pen().go_on(is_time(&mut pace.synced, SYNC));
    if (is_time(&mut pace.folded, FOLD) || bookkeeper.pen().is_segment_full())
        && let Err(error) = bookkeeper.fold()
    {
        bookkeeper.journal().counts.fold_failures.fetch_add(1, Ordering::Relaxed);
        bookkeeper.pen().note(Err(error));
    }
}
