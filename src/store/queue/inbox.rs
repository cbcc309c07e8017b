//! What other programs emitted by SQL, on its way into the queue.
//!
//! A row is seen when its transaction has ended, and goes when it is taken. So none is passed over, however long its transaction was open.

use std::{collections::HashSet, time::Duration};

use serde_json::Value;
use sqlx::{AssertSqlSafe, FromRow};

use super::publish::publish;
use crate::{
    execution::{Emitter, MAX_DELAY, MAX_PAYLOAD, NewEvent, is_id, must_be_readable},
    function::topic::Topic,
    id::Ids,
    queue::{InboxEntry, Publication},
    store::{Store, batch::json, columns::columns, database::read, transaction::EitherTransaction},
};

/// The bytes of payloads at which one transaction takes no further event.
const MAX_BYTES: usize = 1024 * 1024;

#[derive(FromRow)]
struct InboxRow {
    seq: i64,
    id: String,
    topic: String,
    key: Option<String>,
    payload: String,
    is_named: i64,
    due_us: i64,
}

impl InboxRow {
    /// The function checked all of this. Whoever owns the table may write without it.
    fn into_event(self, now_us: i64) -> Result<NewEvent, &'static str> {
        let topic = self.topic.parse().ok().filter(|topic: &Topic| !topic.is_own()).ok_or("its topic is none that others emit on")?;
        if !is_id(&self.id) || self.key.as_deref().is_some_and(|key| !is_id(key)) {
            return Err("its id or its key is too long, empty, or has control characters");
        }
        let is_json = serde_json::from_str::<Value>(&self.payload).is_ok() && must_be_readable(&self.payload).is_ok();
        if self.payload.len() > MAX_PAYLOAD || !is_json {
            return Err("its payload is too large, nested too deep, or no JSON");
        }
        let delay = Duration::from_micros(self.due_us.saturating_sub(now_us).max(0).unsigned_abs()).min(MAX_DELAY);
        let (payload, is_named) = (self.payload.into(), self.is_named != 0);
        Ok(NewEvent { id: self.id, is_named, topic, key: self.key, payload, delay, depth: 1, by: Emitter::Database })
    }
}

impl Store {
    /// Returns the earliest entries, as many as one transaction takes, and at most so many.
    pub(super) async fn inbox(&self, most: usize, now_us: i64) -> sqlx::Result<Vec<InboxEntry>> {
        let columns = columns!(inbox);
        // The first one always, whatever its size.
        let sql = format!(
            "SELECT seq, {columns} FROM (
                 SELECT seq, {columns}, SUM(octet_length(payload)) OVER (ORDER BY seq) - octet_length(payload) AS before
                 FROM (SELECT seq, {columns} FROM inbox ORDER BY seq LIMIT {most}) AS earliest
             ) AS summed WHERE before < {MAX_BYTES} ORDER BY seq"
        );
        let rows: Vec<InboxRow> = read!(self, pool => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(pool))?;
        Ok(rows.into_iter().map(|row| InboxEntry { seq: row.seq, event: row.into_event(now_us) }).collect())
    }

    /// Removes entries, and keeps their events, where no other node has taken them.
    pub(super) async fn take_from_inbox(&self, ids: &Ids, entries: &[(i64, Option<Publication>)], now_us: i64) -> sqlx::Result<()> {
        let mut transaction = EitherTransaction::begin(&self.database).await?;
        let rows = self.database.rows_of_json();
        // In one order for all, so that no two nodes wait for each other.
        let seqs: Vec<[i64; 1]> = entries.iter().map(|(seq, _)| [*seq]).collect();
        let lock = format!(
            "SELECT seq FROM inbox WHERE seq IN (SELECT CAST(value->>0 AS bigint) FROM {rows}) ORDER BY seq {}",
            self.database.skipping_locked()
        );
        let free: Vec<(i64,)> = transaction.fetch(lock, vec![json(&seqs).into()]).await?;
        let remove = format!("DELETE FROM inbox WHERE seq IN (SELECT CAST(value->>0 AS bigint) FROM {rows})");
        transaction.execute(remove, vec![json(&free).into()]).await?;
        let free: HashSet<i64> = free.into_iter().map(|(seq,)| seq).collect();
        let events = entries.iter().filter(|(seq, _)| free.contains(seq)).filter_map(|(_, publication)| publication.as_ref());
        publish(&self.database, &mut transaction, ids, events.collect(), now_us).await?;
        transaction.commit().await
    }
}
