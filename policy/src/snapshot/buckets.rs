//! A set that is copied in no time, and shares with the copy what neither changes. There may be a million items in it, and it costs each
//! of them its own size and half of that again: in a hash trie as large most of a node is room.

use std::sync::Arc;

use imbl::Vector;

/// What is found by a hash. Small, and cheap to copy: a change copies a few of them.
pub(super) trait Item: Clone {
    /// Its hash, kept beside it, so that looking for an item looks at no other one.
    fn hash(&self) -> u32;
}

/// How many items there are for each bucket. A change copies those of one, and the addresses of 64 buckets.
const LOAD: usize = 12;
/// A bucket grows by so many.
const GROWTH: usize = 4;

/// Items by their hashes. Buckets are split and joined one at a time, as their number goes with that of the items (linear hashing), so
/// that no change touches them all.
#[derive(Clone, Debug)]
pub(super) struct Buckets<I> {
    buckets: Vector<Arc<Vec<I>>>,
    len: usize,
}

impl<I> Default for Buckets<I> {
    fn default() -> Self {
        Self { buckets: Vector::new(), len: 0 }
    }
}

impl<I: Item> Buckets<I> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &I> {
        self.buckets.iter().flat_map(|bucket| bucket.iter())
    }

    pub(super) fn find(&self, hash: u32, is_it: impl Fn(&I) -> bool) -> Option<&I> {
        self.buckets.get(place(hash, self.buckets.len()))?.iter().find(|item| item.hash() == hash && is_it(item))
    }

    /// Puts an item in the place of the one that it is said to be, which is given back.
    pub(super) fn put(&mut self, item: I, is_it: impl Fn(&I) -> bool) -> Option<I> {
        let hash = item.hash();
        if self.buckets.is_empty() {
            self.buckets.push_back(Arc::default());
        }
        let bucket = Arc::make_mut(self.buckets.get_mut(place(hash, self.buckets.len()))?);
        if let Some(old) = bucket.iter_mut().find(|old| old.hash() == hash && is_it(old)) {
            return Some(std::mem::replace(old, item));
        }
        push(bucket, item);
        self.len += 1;
        if self.len > self.buckets.len().saturating_mul(LOAD) {
            self.split();
        }
        None
    }

    pub(super) fn remove(&mut self, hash: u32, is_it: impl Fn(&I) -> bool) -> Option<I> {
        self.find(hash, &is_it)?;
        let bucket = Arc::make_mut(self.buckets.get_mut(place(hash, self.buckets.len()))?);
        let at = bucket.iter().position(|item| item.hash() == hash && is_it(item))?;
        let removed = bucket.swap_remove(at);
        self.len -= 1;
        // Half as many, so that coming and going about one number does not split and join each time.
        if self.len < self.buckets.len().saturating_sub(1).saturating_mul(LOAD / 2) {
            self.join();
        }
        Some(removed)
    }

    /// One bucket more: of those items that belong there now, which were all in one bucket.
    fn split(&mut self) {
        let last = self.buckets.len();
        let Some(bucket) = self.buckets.get_mut(sibling(last)) else { return };
        let items = std::mem::take(Arc::make_mut(bucket));
        let (moved, stay) = items.into_iter().partition(|item| place(item.hash(), last + 1) == last);
        *bucket = exact(stay);
        self.buckets.push_back(exact(moved));
    }

    /// One bucket less: its items go back to where they came from.
    fn join(&mut self) {
        let Some(gone) = self.buckets.pop_back() else { return };
        if let Some(bucket) = self.buckets.get_mut(sibling(self.buckets.len())) {
            let bucket = Arc::make_mut(bucket);
            gone.iter().for_each(|item| push(bucket, item.clone()));
        }
    }
}

/// Which of so many buckets a hash belongs to.
fn place(hash: u32, buckets: usize) -> usize {
    let hash = usize::try_from(hash).unwrap_or(usize::MAX);
    let round = buckets.next_power_of_two();
    let place = hash & (round - 1);
    if place < buckets { place } else { hash & (round / 2).saturating_sub(1) }
}

/// The bucket from which the last one was split, where so many stand before it.
fn sibling(last: usize) -> usize {
    last - (last + 1).next_power_of_two() / 2
}

fn push<I>(bucket: &mut Vec<I>, item: I) {
    if bucket.len() == bucket.capacity() {
        bucket.reserve_exact(GROWTH);
    }
    bucket.push(item);
}

fn exact<I>(mut items: Vec<I>) -> Arc<Vec<I>> {
    items.shrink_to(items.len().next_multiple_of(GROWTH));
    Arc::new(items)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// A name, what its hash is said to be, and what is known of it.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Named(u16, u32);

    impl Item for Named {
        fn hash(&self) -> u32 {
            hash(self.0)
        }
    }

    /// Every third name has the hash of another.
    fn hash(name: u16) -> u32 {
        let name = u32::from(name);
        (name - name % 3 % 2).wrapping_mul(0x9E37_79B1)
    }

    fn sorted(buckets: &Buckets<Named>) -> Vec<Named> {
        let mut all: Vec<_> = buckets.iter().cloned().collect();
        all.sort();
        all
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_and_copies_stay_as_they_were(
            steps in proptest::collection::vec((0..400_u16, proptest::option::weighted(0.6, 0..9_u32)), 1..900),
            copied_at in 0..900_usize,
        ) {
            let (mut buckets, mut model, mut copy) = (Buckets::default(), HashMap::new(), None);
            for (at, (name, put)) in steps.into_iter().enumerate() {
                if at == copied_at {
                    copy = Some((buckets.clone(), sorted(&buckets)));
                }
                let is_it = |one: &Named| one.0 == name;
                let (found, expected) = match put {
                    Some(value) => (buckets.put(Named(name, value), is_it), model.insert(name, value)),
                    None => (buckets.remove(hash(name), is_it), model.remove(&name)),
                };
                prop_assert_eq!(found.map(|one| one.1), expected);
                prop_assert_eq!(buckets.find(hash(name), is_it).map(|one| one.1), put);
                prop_assert_eq!(buckets.len(), model.len());
            }
            let mut expected: Vec<_> = model.into_iter().map(|(name, value)| Named(name, value)).collect();
            expected.sort();
            prop_assert_eq!(sorted(&buckets), expected);
            if let Some((copy, before)) = copy {
                prop_assert_eq!(sorted(&copy), before);
            }
        }
    }

    #[test]
    fn buckets_come_and_go_with_the_items_and_stay_small() {
        let mut buckets = Buckets::default();
        for name in 0..30_000 {
            buckets.put(Named(name, 0), |one| one.0 == name);
        }
        assert_eq!(buckets.buckets.len(), 30_000 / LOAD);
        let largest = |buckets: &Buckets<Named>| buckets.buckets.iter().map(|one| one.len()).max().unwrap();
        assert!(largest(&buckets) < 5 * LOAD, "{}", largest(&buckets));
        for name in 100..30_000 {
            buckets.remove(hash(name), |one| one.0 == name);
        }
        assert!(buckets.buckets.len() <= 2 * 100 / LOAD + 2, "{}", buckets.buckets.len());
        assert_eq!(sorted(&buckets), (0..100).map(|name| Named(name, 0)).collect::<Vec<_>>());
    }
}
