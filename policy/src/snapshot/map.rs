//! The persistent maps of a snapshot.

/// A map that is copied in no time, and shares with the copy what neither changes. What is in it is an operator's, so its hash
/// need not withstand callers; what is looked up is.
pub(super) type HashMap<K, V> =
    imbl::GenericHashMap<K, V, foldhash::quality::FixedState, imbl::shared_ptr::DefaultSharedPtr>;
