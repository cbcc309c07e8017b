//! The key lists of maps.

use std::sync::atomic::AtomicU64;

/// Where a place in a script found a key the last time. Threads share it.
#[derive(Debug, Default)]
pub struct Cache(AtomicU64);
