//! Forgets old executions, and the requests that were kept of them: by age and by count.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Database, Store, StoreError, append::signed, read};
use crate::clock::{SharedClock, first_id_at};

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

/// Rows that one statement removes, so that a big clean-up lets writers in between: SQLite has one writer at a time.
const SLICE: i64 = 2_000;

impl Store {
    /// Removes executions asked for before this time (microseconds since 1970), and the oldest beyond so many. Returns how many went.
    pub async fn prune_executions(&self, before_us: i64, max_count: u64) -> Result<u64, StoreError> {
        let too_many: Option<i64> = read!(self, pool => sqlx::query_scalar("SELECT id FROM executions ORDER BY id DESC LIMIT 1 OFFSET $1")
                .bind(signed(max_count))
                .fetch_optional(pool))
        .map_err(StoreError::query("count executions"))?;
        let keep_from = first_id_at(before_us).max(too_many.map_or(0, |id| id + 1));
        let (mut from, mut removed) = (i64::MIN, 0);
        loop {
            // A slice begins where the last one ended: what was removed may still be in the index, and would be walked over again.
            let next: Option<i64> = read!(self, pool => sqlx::query_scalar(
                "SELECT id FROM executions WHERE id >= $1 ORDER BY id LIMIT 1 OFFSET $2",
            )
            .bind(from)
            .bind(SLICE)
            .fetch_optional(pool))
            .map_err(StoreError::query("find old executions"))?;
            let next = next.filter(|id| *id < keep_from);
            let to = next.unwrap_or(keep_from);
            // First, so that nothing is kept of an execution that is gone.
            self.remove("DELETE FROM captures WHERE id >= $1 AND id < $2", from, to).await?;
            removed += self.remove("DELETE FROM executions WHERE id >= $1 AND id < $2", from, to).await?;
            if next.is_none() {
                return Ok(removed);
            }
            from = to;
        }
    }

    async fn remove(&self, sql: &'static str, from: i64, to: i64) -> Result<u64, StoreError> {
        match &self.database {
            Database::Postgres(pool) => sqlx::query(sql).bind(from).bind(to).execute(pool).await.map(|done| done.rows_affected()),
            Database::Sqlite { writer, .. } => sqlx::query(sql).bind(from).bind(to).execute(writer).await.map(|done| done.rows_affected()),
        }
        .map_err(StoreError::query("remove old executions"))
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
