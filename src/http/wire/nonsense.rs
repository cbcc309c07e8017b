//! Says in the log that clients send what is no HTTP. The server library answers that itself, with a status and nothing else.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::clock::coarse_ms;

/// Anybody may send nonsense, as much as they like: the log gets a line of it this often.
const SAY_AGAIN_MS: u64 = 10_000;

/// Nonsense that came, at one address.
#[derive(Default)]
pub struct Nonsense {
    /// When the log was told last; 0: never.
    said_ms: AtomicU64,
    /// What came since.
    unsaid: AtomicU64,
}

impl Nonsense {
    /// Counts one more, and tells the log if it was not told lately.
    pub fn came_from(&self, peer: SocketAddr, error: &hyper::Error) {
        let (now_ms, said_ms) = (coarse_ms(), self.said_ms.load(Ordering::Relaxed));
        let is_time = said_ms == 0 || now_ms.saturating_sub(said_ms) >= SAY_AGAIN_MS;
        if !is_time || self.said_ms.compare_exchange(said_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let more = match self.unsaid.swap(0, Ordering::Relaxed) {
            0 => String::new(),
            count => format!(" ({count} more since this was said last)"),
        };
        tracing::info!("what {} sent is no HTTP, and was refused: {error}{more}", peer.ip().to_canonical());
    }
}
