//! Brings what other programs emit by SQL to those who handle it.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{clock::SharedClock, live::Live, runner::Publisher};

/// Longest sleep: where the database says that something was emitted, it may say so while nobody listens.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The wait after the queue did not answer, or was full.
const AWAY_WAIT: Duration = Duration::from_secs(1);

/// Empties the inbox.
pub struct Inbox {
    /// Gets the events.
    pub publisher: Publisher,
    /// Says who handles them.
    pub live: Arc<Live>,
    /// Tells the time.
    pub clock: SharedClock,
    /// Tells that something may have been emitted.
    pub emitted: watch::Receiver<u64>,
}

impl Inbox {
    /// Works until the node stops. Nothing is taken before its handlers are live.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut swaps, mut is_stuck) = (self.live.swaps(), false);
        let work = async {
            loop {
                let is_loaded = self.live.table().is_loaded();
                let wait = if is_loaded { self.take(&mut is_stuck).await } else { LONGEST_SLEEP };
                tokio::select! {
                    _ = self.emitted.changed() => {}
                    // Handlers that come later change nothing.
                    _ = swaps.changed(), if !is_loaded => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
    }

    /// Takes all that is there. Returns how long to wait then. Says once that nothing can be taken.
    async fn take(&self, is_stuck: &mut bool) -> Duration {
        loop {
            match self.publisher.publish_inbox(self.clock.now_us()).await {
                Ok(taken) => {
                    *is_stuck = false;
                    if taken == 0 {
                        return LONGEST_SLEEP;
                    }
                }
                Err(error) => {
                    if !std::mem::replace(is_stuck, true) {
                        tracing::warn!("events that SQL emitted wait: {error}");
                    }
                    return AWAY_WAIT;
                }
            }
        }
    }
}
