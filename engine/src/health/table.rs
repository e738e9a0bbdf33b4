//! Shared entries found by their hash; bounded.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

const SHARDS: u64 = 64;

type Shard<T> = RwLock<HashMap<u64, Arc<T>, BuildHasherDefault<AlreadyHashed>>>;

/// Entries by their hash, each shared by whoever asks for it.
#[derive(Debug)]
pub(super) struct Table<T> {
    shards: Box<[Shard<T>]>,
    len: AtomicUsize,
    room: usize,
}

impl<T> Table<T> {
    pub(super) fn with_room_for(room: usize) -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), len: AtomicUsize::new(0), room }
    }

    /// What an entry says; `None` where there is none.
    pub(super) fn with<R>(&self, hash: u64, ask: impl FnOnce(&T) -> R) -> Option<R> {
        self.shard(hash)?.read().get(&hash).map(|entry| ask(entry))
    }

    /// The entry, made where there is none. Without room for it, it is nobody else's and ends with its user.
    pub(super) fn find_or_insert(&self, hash: u64, make: impl FnOnce() -> T) -> Arc<T> {
        let Some(shard) = self.shard(hash) else {
            return Arc::new(make());
        };
        if let Some(entry) = shard.read().get(&hash) {
            return Arc::clone(entry);
        }
        let mut shard = shard.write();
        if let Some(entry) = shard.get(&hash) {
            return Arc::clone(entry);
        }
        let made = Arc::new(make());
        if self.take_place() {
            shard.insert(hash, Arc::clone(&made));
        }
        made
    }

    pub(super) fn all(&self) -> Vec<Arc<T>> {
        let shards = self.shards.iter();
        shards.flat_map(|shard| shard.read().values().cloned().collect::<Vec<_>>()).collect()
    }

    /// Drops entries. One that is told to be in use elsewhere has other owners than this table.
    pub(super) fn retain(&self, keep: impl Fn(bool, &T) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.write();
            let before = shard.len();
            shard.retain(|_, entry| keep(Arc::strong_count(entry) > 1, entry));
            self.len.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
    }

    fn take_place(&self) -> bool {
        let one_more = |len: usize| (len < self.room).then_some(len + 1);
        self.len.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    fn shard(&self, hash: u64) -> Option<&Shard<T>> {
        // The maps below use the hash's lowest and highest bits.
        self.shards.get(usize::try_from((hash >> 32) % SHARDS).unwrap_or_default())
    }
}

/// The keys are hashes already.
#[derive(Debug, Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
