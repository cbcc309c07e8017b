//! Forgets old executions: by age and by count.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Store;
use crate::clock::SharedClock;

/// How long executions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Older ones go.
    pub max_age: Duration,
    /// The oldest beyond so many go. There may be a twentieth more for a while.
    pub max_count: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_age: Duration::from_secs(30 * 24 * 3600), max_count: 1_000_000 }
    }
}

/// After a write, the longest until the next look.
const PERIOD: Duration = Duration::from_secs(600);
/// The fewest writes that are worth a look: it walks over every id that stays.
const WRITES: u64 = 10_000;

/// Looks for old executions after writes (`written` counts them) until the node stops. Without writes it sleeps without a timer.
pub async fn run(store: Store, settings: Settings, clock: SharedClock, mut written: watch::Receiver<u64>, shutdown: CancellationToken) {
    let many = WRITES.max(settings.max_count / 20);
    let mut pruned_at = *written.borrow();
    let rounds = async {
        // An error says that the journal is gone.
        while written.wait_for(|written: &u64| *written > pruned_at).await.is_ok() {
            let enough = written.wait_for(|written: &u64| *written >= pruned_at + many);
            // Both ways it is time to look.
            let _ = tokio::time::timeout(PERIOD, enough).await;
            pruned_at = *written.borrow();
            prune(&store, settings, clock.now_us()).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = rounds => {}
    }
}

async fn prune(store: &Store, settings: Settings, now_us: i64) {
    let max_age_us = i64::try_from(settings.max_age.as_micros()).unwrap_or(i64::MAX);
    match store.prune_executions(now_us.saturating_sub(max_age_us), settings.max_count).await {
        Ok(0) => {}
        Ok(removed) => tracing::debug!(removed, "{removed} old executions were removed"),
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "old executions were not removed; that is tried again"),
    }
}
