//! Brings what other programs emit by SQL to those who handle it.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{clock::SharedClock, live::Live, runner::Publisher};

/// The wait after the queue did not answer, or was full.
const AWAY_WAIT: Duration = Duration::from_secs(1);

/// Most events that are taken at once.
const BATCH: usize = 256;

/// Empties the inbox.
pub struct Inbox {
    /// Gets the events.
    pub publisher: Publisher,
    /// Says who handles them.
    pub live: Arc<Live>,
    /// Tells the time.
    pub clock: SharedClock,
    /// Tells that something may have been emitted. The database says so at once, to whoever listens; the queue says so when it looks what is due.
    pub emitted: watch::Receiver<u64>,
}

impl Inbox {
    /// Works until the node stops. Nothing is taken before its handlers are live.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut swaps, mut is_stuck) = (self.live.swaps(), false);
        let work = async {
            // The first word comes when the database is there.
            let _ = self.emitted.wait_for(|count| *count > 0).await;
            loop {
                let is_loaded = self.live.table().is_loaded();
                let is_taken = !is_loaded || self.take(&mut is_stuck).await;
                tokio::select! {
                    _ = self.emitted.changed() => {}
                    // Handlers that come later change nothing.
                    _ = swaps.changed(), if !is_loaded => {}
                    () = tokio::time::sleep(AWAY_WAIT), if !is_taken => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
    }

    /// Takes all that is there. Returns whether it could, and says once that it cannot.
    async fn take(&self, is_stuck: &mut bool) -> bool {
        loop {
            match self.publisher.publish_inbox(BATCH, self.clock.now_us()).await {
                Ok(0) => {
                    *is_stuck = false;
                    return true;
                }
                Ok(_) => {}
                Err(error) => {
                    if !std::mem::replace(is_stuck, true) {
                        tracing::warn!("events that SQL emitted wait: {error}");
                    }
                    return false;
                }
            }
        }
    }
}
