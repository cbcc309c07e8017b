//! Removes old executions and their kept requests, by age, by count and by bytes; old events and dead letters; and keys whose time is over.
//! Rolls up what executions come to.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Store, StoreError, database::read, executions::signed, journal::WriteTotals, queue::QueueLimits};
use crate::{clock::SharedClock, id::first_id_at};

/// How long executions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Executions that are older are removed.
    pub max_age: Duration,
    /// The oldest executions beyond this number are removed. There may be a twentieth more for a while.
    pub max_count: u64,
    /// The oldest executions beyond these bytes are removed; logs and kept requests count. There may be a twentieth more for a while.
    pub max_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { max_age: Duration::from_secs(30 * 24 * 3600), max_count: 1_000_000, max_bytes: 1 << 30 }
    }
}

/// The longest time between a write and the next look for old executions.
const PERIOD: Duration = Duration::from_secs(600);

/// Removes old executions after writes (`written` counts them), and keys after their end, until the node stops. With nothing to remove it sleeps
/// without a timer.
pub async fn run(
    store: Store,
    retention: Retention,
    queue: QueueLimits,
    clock: SharedClock,
    mut written: watch::Receiver<WriteTotals>,
    shutdown: CancellationToken,
) {
    // A look walks over every id that stays. After this many writes, that is twenty ids a write.
    let many = (retention.max_count / 20).max(1);
    let mut pruned_at = *written.borrow();
    let counted = written.clone();
    let rounds = async {
        // An error means that the journal is gone.
        while written.wait_for(|written: &WriteTotals| written.executions > pruned_at.executions).await.is_ok() {
            let enough = written.wait_for(|written: &WriteTotals| {
                written.executions >= pruned_at.executions + many || written.bytes >= pruned_at.bytes + retention.max_bytes / 20
            });
            // Whether enough was written or the time is over, it is time to look.
            let _ = tokio::time::timeout(PERIOD, enough).await;
            pruned_at = *written.borrow();
            prune(&store, retention, clock.now_us()).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = async { tokio::join!(rounds, remove_ended_keys(&store, &clock), prune_queue(&store, queue, &clock), roll_up(&store, &clock, counted)) } => {}
    }
}

/// Rolls up counts, some minutes after runs were counted.
async fn roll_up(store: &Store, clock: &SharedClock, mut written: watch::Receiver<WriteTotals>) {
    let mut rolled_at = written.borrow().counted;
    // An error means that the journal is gone.
    while written.wait_for(|written: &WriteTotals| written.counted > rolled_at).await.is_ok() {
        tokio::time::sleep(PERIOD).await;
        rolled_at = written.borrow().counted;
        match store.roll_up_stats(clock.now_us()).await {
            Ok(rows) => tracing::debug!(rows, "{rows} rows of counts were rolled up"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "counts were not rolled up; that is tried again"),
        }
    }
}

/// Removes old events and dead letters, every ten minutes.
async fn prune_queue(store: &Store, limits: QueueLimits, clock: &SharedClock) {
    loop {
        match store.prune_queue(limits, clock.now_us()).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "{removed} old events and dead letters were removed"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "old events were not removed; that is tried again"),
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Removes keys whose time is over, some minutes after that.
async fn remove_ended_keys(store: &Store, clock: &SharedClock) {
    loop {
        let next = remove_ended(store, clock.now_us()).await;
        let next_end = async {
            match next {
                Some(end_us) => {
                    tokio::time::sleep(Duration::from_micros(end_us.saturating_sub(clock.now_us()).max(0).unsigned_abs())).await
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = next_end => {}
            () = store.kv.has_ends.notified() => {}
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Removes them, and returns when the next one is over. After an error that is now, so that it is tried again.
async fn remove_ended(store: &Store, now_us: i64) -> Option<i64> {
    let removed = async {
        let removed = store.kv_remove_ended(now_us).await?;
        Ok::<_, StoreError>((removed, store.kv_next_end().await?))
    };
    match removed.await {
        Ok((removed, next)) => {
            if removed > 0 {
                tracing::debug!(removed, "{removed} keys whose time is over were removed");
            }
            next
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "keys whose time is over were not removed; that is tried again");
            Some(now_us)
        }
    }
}

/// Rows that one statement removes. SQLite has one writer at a time, so a large clean-up must let others write between its slices.
const SLICE: i64 = 2_000;

impl Store {
    /// Removes executions requested before this time (microseconds since 1970), and the oldest beyond `max_count` and `max_bytes`.
    ///
    /// Returns the number of removed executions.
    pub async fn prune_executions(&self, before_us: i64, max_count: u64, max_bytes: u64) -> Result<u64, StoreError> {
        let too_many: Option<i64> = read!(self, pool => sqlx::query_scalar("SELECT id FROM executions ORDER BY id DESC LIMIT 1 OFFSET $1")
                .bind(signed(max_count))
                .fetch_optional(pool))
        .map_err(StoreError::query("count executions"))?;
        let within = self.first_within(signed(max_bytes)).await?;
        let keep_from = first_id_at(before_us).max(too_many.map_or(0, |id| id + 1)).max(within.unwrap_or(0));
        let (mut from, mut removed) = (i64::MIN, 0);
        loop {
            // A slice begins where the last one ended. Removed rows may still be in the index, and a search from its beginning would walk
            // over them again.
            let next: Option<i64> = read!(self, pool => sqlx::query_scalar(
                "SELECT id FROM executions WHERE id >= $1 ORDER BY id LIMIT 1 OFFSET $2",
            )
            .bind(from)
            .bind(SLICE)
            .fetch_optional(pool))
            .map_err(StoreError::query("find old executions"))?;
            let next = next.filter(|id| *id < keep_from);
            let to = next.unwrap_or(keep_from);
            // Requests go first, so that no request outlives its execution.
            self.remove("DELETE FROM captures WHERE id >= $1 AND id < $2", &[from, to]).await?;
            removed += self.remove("DELETE FROM executions WHERE id >= $1 AND id < $2", &[from, to]).await?;
            if next.is_none() {
                break;
            }
            from = to;
        }
        if removed > 0 {
            self.forget_sizes(keep_from).await?;
        }
        Ok(removed)
    }
}

async fn prune(store: &Store, retention: Retention, now_us: i64) {
    let max_age_us = i64::try_from(retention.max_age.as_micros()).unwrap_or(i64::MAX);
    match store.prune_executions(now_us.saturating_sub(max_age_us), retention.max_count, retention.max_bytes).await {
        Ok(0) => {}
        Ok(removed) => tracing::debug!(removed, "{removed} old executions were removed"),
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "old executions were not removed; that is tried again"),
    }
}
