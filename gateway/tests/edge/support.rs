//! A gateway as a process of its own, fake providers behind it, and clients in front of it. Everything listens on port 0.

pub(crate) mod config;
pub(crate) mod database;
pub(crate) mod leaver;
pub(crate) mod limits;
pub(crate) mod lines;
pub(crate) mod money;
pub(crate) mod prices;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod scene;
pub(crate) mod sse;
pub(crate) mod stub;
pub(crate) mod targets;
pub(crate) mod wire;

use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// Reached only when something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The SHA-256 of bytes in hex, as the books have it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits for something that must not take for ever.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it hangs")
}
