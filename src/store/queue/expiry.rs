//! Removes events, dead letters and ids of events whose time is over.

use sqlx::FromRow;

use super::{MAX_TICKS, QueueLimits};
use crate::{
    id::first_id_at,
    store::{Store, StoreError, batch::json, database::read, executions::signed, transaction::EitherTransaction},
};

/// Rows that one statement removes.
const SLICE: i64 = 2_000;

#[derive(FromRow)]
struct Oldest {
    seq: i64,
}

impl Store {
    /// Removes what is older than it is kept, and the oldest beyond what is kept. Returns how many events and dead letters.
    pub async fn prune_queue(&self, limits: QueueLimits, now_us: i64) -> Result<u64, StoreError> {
        let before = |age: std::time::Duration| now_us.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        let dead = self.prune_dead_letters(before(limits.dead_max_age), limits.dead_max_count).await?;
        let events = self.prune_events(before(limits.max_age), limits.max_count).await?;
        let ids = "DELETE FROM event_ids WHERE (topic, id) IN (SELECT topic, id FROM event_ids WHERE until_us <= $1 LIMIT $2)";
        while self.remove(ids, &[now_us, SLICE]).await? == SLICE.unsigned_abs() {}
        let ticks = "
            DELETE FROM ticks WHERE (schedule, due_us) IN (
                SELECT schedule, due_us FROM (
                    SELECT schedule, due_us, ROW_NUMBER() OVER (PARTITION BY schedule ORDER BY due_us DESC) AS place FROM ticks
                ) AS placed WHERE place > $1 LIMIT $2
            )";
        while self.remove(ticks, &[MAX_TICKS.into(), SLICE]).await? == SLICE.unsigned_abs() {}
        Ok(dead + events)
    }

    async fn prune_events(&self, before_us: i64, max_count: u64) -> Result<u64, StoreError> {
        let too_many: Option<i64> = read!(self, pool => sqlx::query_scalar("SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET $1")
                .bind(signed(max_count))
                .fetch_optional(pool))
        .map_err(StoreError::query("count events"))?;
        let keep_from = first_id_at(before_us.max(0)).max(too_many.map_or(0, |seq| seq + 1));
        // Of an event that something waits for, nothing is removed.
        let delete = "
            DELETE FROM events WHERE seq IN (
                SELECT seq FROM events
                WHERE seq < $1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.event = events.seq)
                    AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE dead_letters.event = events.seq)
                ORDER BY seq LIMIT $2
            )";
        let mut removed = 0;
        loop {
            let slice = self.remove(delete, &[keep_from, SLICE]).await?;
            removed += slice;
            if slice < SLICE.unsigned_abs() {
                return Ok(removed);
            }
        }
    }

    async fn prune_dead_letters(&self, before_us: i64, max_count: u64) -> Result<u64, StoreError> {
        let too_many: Option<i64> =
            read!(self, pool => sqlx::query_scalar("SELECT died_us FROM dead_letters ORDER BY died_us DESC LIMIT 1 OFFSET $1")
                .bind(signed(max_count))
                .fetch_optional(pool))
            .map_err(StoreError::query("count dead letters"))?;
        let keep_from = before_us.max(too_many.map_or(0, |died_us| died_us + 1));
        let mut removed = 0;
        loop {
            let slice = self.remove_dead_letters(keep_from).await.map_err(StoreError::query("remove dead letters"))?;
            removed += slice;
            if slice < SLICE.unsigned_abs() {
                return Ok(removed);
            }
        }
    }

    async fn remove_dead_letters(&self, keep_from_us: i64) -> sqlx::Result<u64> {
        let mut transaction = EitherTransaction::begin(&self.database).await?;
        let find = "SELECT seq FROM dead_letters WHERE died_us < $1 ORDER BY died_us LIMIT $2";
        let oldest: Vec<Oldest> = transaction.fetch(find, vec![keep_from_us.into(), SLICE.into()]).await?;
        if oldest.is_empty() {
            return Ok(0);
        }
        let seqs: Vec<[i64; 1]> = oldest.iter().map(|one| [one.seq]).collect();
        for (table, column) in [("attempts", "delivery"), ("dead_letters", "seq")] {
            let from = self.database.rows_of_json();
            let delete = format!("DELETE FROM {table} WHERE {column} IN (SELECT CAST(value->>0 AS bigint) FROM {from})");
            transaction.execute(delete, vec![json(&seqs).into()]).await?;
        }
        transaction.commit().await?;
        Ok(seqs.len() as u64)
    }
}
