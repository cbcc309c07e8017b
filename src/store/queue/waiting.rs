//! Deliveries that are in the queue, for operators: looked at, tried at once, thrown away.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, FromRow};
use utoipa::ToSchema;

use super::{
    BLOCKED, CLAIMED, HELD, READY,
    publish::{OrderKey, lock_keys},
    selection::{FunctionSelection, Selection},
    settle::unblock,
};
use crate::{
    audit::Record,
    execution::ExecutionId,
    function::{Version, topic::Topic},
    queue::DeliveryId,
    store::{
        Store, StoreError, audit,
        batch::{Parameter, bind},
        columns::columns,
        database::read,
        transaction::EitherTransaction,
    },
};

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It waits for its time, or for a place.
    Waiting,
    /// It runs.
    Running,
    /// It waits for another of its key.
    Blocked,
    /// It waits until its function can run.
    Held,
}

/// Which deliveries are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only those of these functions.
    pub functions: FunctionSelection,
    /// Only those of events about this.
    pub topic: Option<Topic>,
    /// Only older ones than this, for the next page.
    pub before: Option<DeliveryId>,
    /// At most so many.
    pub limit: u32,
}

/// A delivery that is in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Which.
    pub id: DeliveryId,
    /// The id of its handler, or of its schedule.
    pub receiver: String,
    /// The topic and the id of its event; none: it is a due time of a schedule.
    pub event: Option<(Topic, String)>,
    /// How far it is.
    pub state: DeliveryState,
    /// When it is due, in microseconds since 1970; of one that runs, when its lease ends.
    pub due_us: i64,
    /// Attempts so far.
    pub attempts: u32,
}

/// An attempt that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Which; the first is 1.
    pub attempt: u32,
    /// When it ended, in microseconds since 1970.
    pub time_us: i64,
    /// The run, if there was one.
    pub execution: Option<ExecutionId>,
    /// The version of the function that ran.
    pub version: Option<Version>,
    /// Why, with file and line.
    pub error: String,
}

impl Store {
    /// Returns the deliveries of an event that are in the queue, in their order.
    pub async fn deliveries_of(&self, event: i64) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.deliveries(Selection::default().and("event = ?", event), "seq").await
    }

    /// Returns deliveries that are in the queue, the newest first.
    pub async fn queued_deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRecord>, StoreError> {
        let selection = Selection::default()
            .of(&filter.functions)
            .maybe("event IN (SELECT seq FROM events WHERE topic = ?)", filter.topic.as_ref().map(|topic| topic.as_str().to_owned()))
            .maybe("seq < ?", filter.before.map(|id| id.0));
        self.deliveries(selection, &format!("seq DESC LIMIT {}", filter.limit)).await
    }

    /// Returns a delivery that is in the queue.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError> {
        Ok(self.deliveries(Selection::default().and("seq = ?", id.0), "seq").await?.pop())
    }

    async fn deliveries(&self, selection: Selection, order: &str) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (condition, parameters) = selection.end();
        let sql = format!(
            "SELECT {}, (SELECT topic FROM events WHERE events.seq = event) AS topic, (SELECT id FROM events WHERE events.seq = event) AS event_id
             FROM deliveries{condition} ORDER BY {order}",
            columns!(deliveries)
        );
        let rows: Vec<QueuedRow> = read!(self, pool => bind!(sqlx::query_as(AssertSqlSafe(sql)), parameters).fetch_all(pool))
            .map_err(StoreError::query("read deliveries"))?;
        rows.into_iter().map(DeliveryRecord::try_from).collect()
    }

    /// Returns the attempts of a delivery, or of a dead letter, that did not end well, in their order.
    pub async fn failed_attempts(&self, id: DeliveryId) -> Result<Vec<FailedAttempt>, StoreError> {
        let rows: Vec<AttemptRow> = read!(self, pool => sqlx::query_as(concat!("SELECT ", columns!(attempts), " FROM attempts WHERE delivery = $1 ORDER BY attempt"))
            .bind(id.0)
            .fetch_all(pool))
        .map_err(StoreError::query("read attempts"))?;
        rows.into_iter().map(FailedAttempt::try_from).collect()
    }

    /// Makes a delivery due that waits for its time. Returns whether there is one.
    pub async fn hasten_delivery(&self, id: DeliveryId, record: &Record) -> Result<bool, StoreError> {
        let work = async {
            let mut transaction = EitherTransaction::begin(&self.database).await?;
            let update = format!("UPDATE deliveries SET due_us = $2 WHERE seq = $1 AND state = {READY}");
            if transaction.execute(update, vec![id.0.into(), record.time_us.into()]).await? == 0 {
                return Ok(false);
            }
            transaction.execute(audit::INSERT, audit::values(record)).await?;
            transaction.commit().await.map(|()| true)
        };
        work.await.map_err(StoreError::query("make a delivery due"))
    }

    /// Throws a delivery away that does not run. Returns whether there was one.
    pub async fn discard_delivery(&self, id: DeliveryId, record: &Record) -> Result<bool, StoreError> {
        let work = async {
            let mut transaction = EitherTransaction::begin(&self.database).await?;
            let find = "SELECT receiver, key FROM deliveries WHERE seq = $1 AND key IS NOT NULL";
            let keys: Vec<OrderKey> = transaction.fetch(find, vec![id.0.into()]).await?;
            let keys: BTreeSet<OrderKey> = keys.into_iter().collect();
            // Before the row: whoever settles another of the key has the key, and lets this one go.
            lock_keys(&self.database, &mut transaction, keys.clone()).await?;
            let delete = format!("DELETE FROM deliveries WHERE seq = $1 AND state <> {CLAIMED}");
            if transaction.execute(delete, vec![id.0.into()]).await? == 0 {
                return Ok(false);
            }
            transaction.execute("DELETE FROM attempts WHERE delivery = $1", vec![id.0.into()]).await?;
            unblock(&self.database, &mut transaction, &keys).await?;
            transaction.execute(audit::INSERT, audit::values(record)).await?;
            transaction.commit().await.map(|()| true)
        };
        work.await.map_err(StoreError::query("throw a delivery away"))
    }
}

#[derive(FromRow)]
struct QueuedRow {
    seq: i64,
    receiver: String,
    state: i64,
    due_us: i64,
    attempt: i64,
    topic: Option<String>,
    event_id: Option<String>,
}

impl TryFrom<QueuedRow> for DeliveryRecord {
    type Error = StoreError;

    fn try_from(row: QueuedRow) -> Result<Self, StoreError> {
        let state = match row.state {
            READY => DeliveryState::Waiting,
            CLAIMED => DeliveryState::Running,
            BLOCKED => DeliveryState::Blocked,
            HELD => DeliveryState::Held,
            other => return Err(StoreError::bad_row("deliveries", row.seq, format!("`{other}` is no state"))),
        };
        let topic = row.topic.map(|topic| topic.parse::<Topic>()).transpose();
        let topic = topic.map_err(|error| StoreError::bad_row("events", row.seq, error))?;
        Ok(Self {
            id: DeliveryId(row.seq),
            receiver: row.receiver,
            event: topic.zip(row.event_id),
            state,
            due_us: row.due_us,
            attempts: row.attempt as u32,
        })
    }
}

#[derive(FromRow)]
struct AttemptRow {
    delivery: i64,
    attempt: i64,
    time_us: i64,
    execution: Option<i64>,
    version: Option<String>,
    error: String,
}

impl TryFrom<AttemptRow> for FailedAttempt {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> Result<Self, StoreError> {
        let version = row.version.map(|version| version.parse()).transpose();
        Ok(Self {
            version: version.map_err(|error| StoreError::bad_row("attempts", row.delivery, error))?,
            attempt: row.attempt as u32,
            time_us: row.time_us,
            execution: row.execution.map(ExecutionId),
            error: row.error,
        })
    }
}
