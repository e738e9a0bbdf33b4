//! The writer's thread: when the bookkeeper does what.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use crate::StoreError;
use crate::bookkeeper::Bookkeeper;
use crate::pen::NAPS_TO_SYNC;

/// An end of an attempt waits for so long to be written.
const NAP: Duration = Duration::from_millis(5);
/// The journal is folded after so many: about a second.
const NAPS_TO_FOLD: u64 = 200;
/// Whoever has nothing to do looks again after this.
const SLEEP: Duration = Duration::from_secs(1);

/// Something that somebody wants done.
pub(crate) type Wish = Box<dyn FnOnce(&mut Bookkeeper) + Send>;

/// Writes, syncs and folds until nobody can wish for anything any more; then for the last time.
pub(crate) fn run(mut bookkeeper: Bookkeeper, wishes: &Receiver<Wish>) -> Result<(), StoreError> {
    let mut naps = 0;
    loop {
        match wishes.try_recv() {
            Ok(wish) => wish(&mut bookkeeper),
            Err(TryRecvError::Disconnected) => return bookkeeper.close(),
            Err(TryRecvError::Empty) => {
                let is_over = wait(&bookkeeper);
                naps += u64::from(is_over);
                work(&mut bookkeeper, |every| is_over && naps.is_multiple_of(every));
            }
        }
    }
}

/// Waits for something to do. Says whether a nap is over.
fn wait(bookkeeper: &Bookkeeper) -> bool {
    let bell = &bookkeeper.journal().bell;
    if !bookkeeper.is_idle() {
        return bell.nap(NAP);
    }
    bell.sleep(SLEEP, || bookkeeper.is_idle());
    false
}

fn work(bookkeeper: &mut Bookkeeper, is_time: impl Fn(u64) -> bool) {
    bookkeeper.pen().go_on(is_time(NAPS_TO_SYNC));
    if (is_time(NAPS_TO_FOLD) || bookkeeper.pen().is_segment_full())
        && let Err(error) = bookkeeper.fold()
    {
        bookkeeper.journal().counts.fold_failures.fetch_add(1, Ordering::Relaxed);
        bookkeeper.pen().note(Err(error));
    }
}
