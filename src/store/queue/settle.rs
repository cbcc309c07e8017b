//! Settles attempts: what is done or given up leaves the table of deliveries in the same transaction, and what the run emitted comes in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::FromRow;

use super::{
    BLOCKED, CLAIMED, HELD, READY,
    publish::{OrderKey, lock_keys, order_keys, publish},
    ticks::{TickRow, keep_ticks},
};
use crate::{
    id::Ids,
    queue::{DeliveryId, End, Publication, Settlement, Tick},
    store::{
        Store,
        batch::{json, without_zeros},
        columns::columns,
        database::Database,
        transaction::EitherTransaction,
    },
};

/// What came of settling attempts.
pub(super) struct SettleOutcome {
    /// Those whose lease was another's by then; nothing of them is settled.
    pub stale: Vec<DeliveryId>,
    /// When the first of what waits now is due, that did not wait or could not be claimed; in microseconds since 1970.
    pub due_us: Option<i64>,
}

impl Store {
    /// Settles attempts.
    pub(super) async fn settle_deliveries(&self, ids: &Ids, settled: Vec<Settlement>, now_us: i64) -> sqlx::Result<SettleOutcome> {
        let settled: Vec<Settlement> = settled.into_iter().map(Settlement::storable).collect();
        let mut transaction = EitherTransaction::begin(&self.database).await?;
        let mut settling = Settling { database: &self.database, transaction: &mut transaction, now_us };
        let keys = settling.keys(&settled).await?;
        let is_held = |one: &Settlement| keys.get(&one.delivery).is_some_and(|load| load.due_us == one.until_us);
        let (settled, stale): (Vec<_>, Vec<_>) = settled.into_iter().partition(is_held);
        settling.note_failures(&settled).await?;
        let gone: BTreeSet<OrderKey> =
            settled.iter().filter(|one| one.end.is_final()).filter_map(|one| keys[&one.delivery].order_key()).collect();
        // All at once and in one order, with those of what is emitted: no two transactions wait for each other.
        let emitted = order_keys(settled.iter().flat_map(|one| &one.emitted));
        lock_keys(settling.database, settling.transaction, gone.union(&emitted).cloned().collect()).await?;
        settling.note_runs(&settled, &keys).await?;
        settling.bury(&settled).await?;
        settling.remove(&settled).await?;
        settling.put_back(&settled).await?;
        let unblocked = unblock(settling.database, settling.transaction, &gone).await?;
        let emitted: Vec<&Publication> = settled.iter().flat_map(|one| &one.emitted).collect();
        let put_back = settled.iter().filter_map(|one| one.end.due_us());
        let due_us = put_back.chain(unblocked).chain((!emitted.is_empty()).then_some(now_us)).min();
        publish(&self.database, &mut transaction, ids, emitted, now_us).await?;
        transaction.commit().await?;
        Ok(SettleOutcome { stale: stale.into_iter().map(|one| one.delivery).collect(), due_us })
    }
}

impl Settlement {
    /// Returns it with what its script said as a database takes it.
    fn storable(self) -> Self {
        let end = match self.end {
            End::Dead(reason) => End::Dead(without_zeros(reason)),
            end => end,
        };
        Self { error: self.error.map(without_zeros), end, ..self }
    }
}

impl End {
    /// Returns whether the delivery leaves the queue.
    fn is_final(&self) -> bool {
        matches!(self, Self::Done | Self::Dead(_))
    }

    /// Returns when the delivery may be claimed again, in microseconds since 1970.
    fn due_us(&self) -> Option<i64> {
        match self {
            Self::Retry(at_us) | Self::Later(at_us) => Some(*at_us),
            Self::Done | Self::Dead(_) | Self::Held => None,
        }
    }
}

/// What tells a claimed delivery from others.
#[derive(FromRow)]
struct LoadRow {
    seq: i64,
    receiver: String,
    event: Option<i64>,
    key: Option<String>,
    tick: Option<String>,
    /// When its lease ends.
    due_us: i64,
}

impl LoadRow {
    /// Returns what orders it.
    fn order_key(&self) -> Option<OrderKey> {
        Some((self.receiver.clone(), self.key.clone()?))
    }
}

/// The transaction that settles.
struct Settling<'a> {
    database: &'a Database,
    transaction: &'a mut EitherTransaction,
    now_us: i64,
}

impl Settling<'_> {
    /// Finds the deliveries that are claimed still, and takes their rows.
    async fn keys(&mut self, settled: &[Settlement]) -> sqlx::Result<HashMap<DeliveryId, LoadRow>> {
        // The state is a value among others: as a condition of its own it makes Postgres look for whatever is claimed.
        let claimed: BTreeSet<(i64, i64)> = settled.iter().map(|one| (one.delivery.0, CLAIMED)).collect();
        let lock = match self.database {
            Database::Postgres { .. } => "ORDER BY seq FOR UPDATE",
            Database::Sqlite { .. } => "",
        };
        let find = format!(
            "SELECT {}, due_us FROM deliveries
             WHERE (seq, state) IN (SELECT CAST(value->>0 AS bigint), CAST(value->>1 AS bigint) FROM {}) {lock}",
            columns!(delivery_load),
            self.database.rows_of_json()
        );
        let rows: Vec<LoadRow> = self.transaction.fetch(find, vec![json(&claimed).into()]).await?;
        Ok(rows.into_iter().map(|row| (DeliveryId(row.seq), row)).collect())
    }

    /// Writes down what failed.
    async fn note_failures(&mut self, settled: &[Settlement]) -> sqlx::Result<()> {
        let failed = settled.iter().filter(|one| !matches!(one.end, End::Done | End::Later(_) | End::Held));
        let row = |one: &'_ Settlement| {
            let version = one.version.map(|version| version.to_string());
            Some((one.delivery.0, one.attempt, one.execution.map(|id| id.0), version, one.error.clone()?))
        };
        let rows: Vec<_> = failed.filter_map(row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let insert = format!(
            "INSERT INTO attempts ({})
             SELECT CAST(value->>0 AS bigint), CAST(value->>1 AS bigint), CAST($2 AS bigint), CAST(value->>2 AS bigint), value->>3, value->>4 FROM {}",
            columns!(attempts),
            self.database.rows_of_json()
        );
        self.transaction.execute(insert, vec![json(&rows).into(), self.now_us.into()]).await.map(drop)
    }

    /// Writes down what became of due times.
    async fn note_runs(&mut self, settled: &[Settlement], loads: &HashMap<DeliveryId, LoadRow>) -> sqlx::Result<()> {
        // In one order for all, so that no two transactions wait for each other.
        let mut ticks = BTreeMap::new();
        for one in settled.iter().filter(|one| !matches!(one.end, End::Later(_) | End::Held)) {
            let load = &loads[&one.delivery];
            let has_run = one.execution.is_some() || one.error.is_some();
            if load.event.is_none() && has_run {
                let tick: Tick = load.tick.as_deref().and_then(|tick| serde_json::from_str(tick).ok()).unwrap_or_default();
                let receiver = load.receiver.as_str();
                ticks.insert((receiver, tick.due_us), TickRow::new(receiver, tick.due_us, one.execution, one.error.as_deref()));
            }
        }
        let ticks: Vec<TickRow> = ticks.into_values().collect();
        keep_ticks(self.database, self.transaction, &ticks).await
    }

    /// Makes dead letters of what is given up.
    async fn bury(&mut self, settled: &[Settlement]) -> sqlx::Result<()> {
        let dead: Vec<(i64, &str)> = settled
            .iter()
            .filter_map(|one| match &one.end {
                End::Dead(reason) => Some((one.delivery.0, reason.as_str())),
                _ => None,
            })
            .collect();
        if dead.is_empty() {
            return Ok(());
        }
        let insert = format!(
            "INSERT INTO dead_letters ({})
             SELECT {}, value->>1, CAST($2 AS bigint)
             FROM deliveries JOIN (SELECT value FROM {}) AS dead ON seq = CAST(value->>0 AS bigint)",
            columns!(dead_letters),
            columns!(delivery_load),
            self.database.rows_of_json()
        );
        self.transaction.execute(insert, vec![json(&dead).into(), self.now_us.into()]).await.map(drop)
    }

    /// Removes what is done or given up. The failures of a dead letter stay with it.
    async fn remove(&mut self, settled: &[Settlement]) -> sqlx::Result<()> {
        let of = |is_wanted: fn(&Settlement) -> bool| -> Vec<[i64; 1]> {
            settled.iter().filter(|one| is_wanted(one)).map(|one| [one.delivery.0]).collect()
        };
        // A first attempt comes after no failure.
        let (gone, done) = (of(|one| one.end.is_final()), of(|one| one.end == End::Done && one.attempt > 1));
        for (table, column, rows) in [("deliveries", "seq", gone), ("attempts", "delivery", done)] {
            if !rows.is_empty() {
                let from = self.database.rows_of_json();
                let delete = format!("DELETE FROM {table} WHERE {column} IN (SELECT CAST(value->>0 AS bigint) FROM {from})");
                self.transaction.execute(delete, vec![json(&rows).into()]).await?;
            }
        }
        Ok(())
    }

    /// Puts back what is tried again, and what waits for its function.
    async fn put_back(&mut self, settled: &[Settlement]) -> sqlx::Result<()> {
        let rows: Vec<(i64, i64, i64, i64)> = settled
            .iter()
            .filter_map(|one| match one.end {
                End::Retry(at_us) => Some((one.delivery.0, READY, at_us, 0)),
                End::Later(at_us) => Some((one.delivery.0, READY, at_us, 1)),
                End::Held => Some((one.delivery.0, HELD, self.now_us, 1)),
                End::Done | End::Dead(_) => None,
            })
            .collect();
        for (seq, state, due_us, uncounted) in rows {
            let update = "UPDATE deliveries SET state = $2, due_us = $3, attempt = attempt - $4 WHERE seq = $1";
            self.transaction.execute(update, vec![seq.into(), state.into(), due_us.into(), uncounted.into()]).await?;
        }
        Ok(())
    }
}

/// Lets the next of each key be claimed, where nothing of that key is under way. Returns when the first of those was due.
pub(super) async fn unblock(
    database: &Database,
    transaction: &mut EitherTransaction,
    keys: &BTreeSet<OrderKey>,
) -> sqlx::Result<Option<i64>> {
    if keys.is_empty() {
        return Ok(None);
    }
    let update = format!(
        "UPDATE deliveries SET state = {READY}
         WHERE state = {BLOCKED} AND seq IN (
             SELECT (SELECT MIN(seq) FROM deliveries WHERE receiver = value->>0 AND key = value->>1) FROM (SELECT value FROM {}) AS keys
             WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE receiver = value->>0 AND key = value->>1 AND state <> {BLOCKED})
         )
         RETURNING due_us",
        database.rows_of_json()
    );
    let unblocked: Vec<(i64,)> = transaction.fetch(update, vec![json(keys).into()]).await?;
    Ok(unblocked.into_iter().map(|(due_us,)| due_us).min())
}
