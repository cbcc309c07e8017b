//! Dead letters: what was given up, until somebody has it tried again or throws it away.

use std::collections::BTreeSet;

use serde_json::json as value;
use sqlx::{AssertSqlSafe, FromRow};

use super::{
    BLOCKED, READY,
    publish::{OrderKey, lock_keys},
    selection::{FunctionSelection, Selection},
};
use crate::{
    audit::{Action, Actor},
    function::{
        Version,
        topic::{NotATopic, Topic},
        trigger_id::function_of,
    },
    queue::DeliveryId,
    store::{
        Store, StoreError, audit,
        batch::{Parameter, bind, json},
        columns::columns,
        database::{Database, read},
        transaction::EitherTransaction,
    },
};

/// Dead letters that one transaction changes.
const SLICE: u32 = 1_000;

/// Which dead letters are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Only this one.
    pub id: Option<DeliveryId>,
    /// Only those of this event.
    pub event: Option<i64>,
    /// Only those of these functions.
    pub functions: FunctionSelection,
    /// Only those of events about this.
    pub topic: Option<Topic>,
    /// Only those that were given up at this time or later, in microseconds since 1970.
    pub since_us: Option<i64>,
    /// Only those that were given up until then.
    pub until_us: Option<i64>,
    /// Only older ones than this, for the next page.
    pub before: Option<DeliveryId>,
    /// At most so many.
    pub limit: u32,
}

impl DeadLetterFilter {
    fn selection(&self) -> Selection {
        Selection::default()
            .maybe("seq = ?", self.id.map(|id| id.0))
            .maybe("event = ?", self.event)
            .of(&self.functions)
            .maybe("event IN (SELECT seq FROM events WHERE topic = ?)", self.topic.as_ref().map(|topic| topic.as_str().to_owned()))
            .maybe("died_us >= ?", self.since_us)
            .maybe("died_us <= ?", self.until_us)
            .maybe("seq < ?", self.before.map(|id| id.0))
    }
}

/// What became of dead letters that somebody changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterOutcome {
    /// So many were changed.
    Changed(u64),
    /// There are so many, and another number was expected. None was changed.
    OtherCount(u64),
}

/// Something that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterRecord {
    /// The id of its delivery.
    pub id: DeliveryId,
    /// The id of its handler, or of its schedule.
    pub receiver: String,
    /// The topic and the id of its event; none: it was a due time of a schedule.
    pub event: Option<(Topic, String)>,
    /// Ordered it among others.
    pub key: Option<String>,
    /// Attempts.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
    /// When, in microseconds since 1970.
    pub died_us: i64,
    /// The version of the function that failed last.
    pub version: Option<Version>,
    /// Why it failed then, with file and line.
    pub last_error: Option<String>,
}

impl Store {
    /// Returns dead letters, the newest deliveries first.
    pub async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRecord>, StoreError> {
        let (condition, parameters) = filter.selection().end();
        let sql = format!(
            "SELECT {}, (SELECT topic FROM events WHERE events.seq = event) AS topic, (SELECT id FROM events WHERE events.seq = event) AS event_id,
                 (SELECT version FROM attempts WHERE delivery = dead_letters.seq ORDER BY attempts.attempt DESC LIMIT 1) AS version,
                 (SELECT error FROM attempts WHERE delivery = dead_letters.seq ORDER BY attempts.attempt DESC LIMIT 1) AS last_error
             FROM dead_letters{condition} ORDER BY seq DESC LIMIT {}",
            columns!(dead_letters),
            filter.limit
        );
        let rows: Vec<DeadRow> = read!(self, pool => bind!(sqlx::query_as(AssertSqlSafe(sql)), parameters).fetch_all(pool))
            .map_err(StoreError::query("list dead letters"))?;
        rows.into_iter().map(DeadLetterRecord::try_from).collect()
    }

    /// Counts dead letters.
    pub async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        let (count,): (i64,) = read!(self, pool => sqlx::query_as("SELECT COUNT(*) FROM dead_letters").fetch_one(pool))
            .map_err(StoreError::query("count dead letters"))?;
        Ok(count.unsigned_abs())
    }

    /// Puts dead letters back into the queue, if there are as many as are expected. Their numbers of attempts go on, and they may have as many as if
    /// they were new. What is given up again meanwhile stays dead.
    pub async fn retry_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        expected: Option<u64>,
        actor: &Actor,
        now_us: i64,
    ) -> Result<DeadLetterOutcome, StoreError> {
        let changed = self.change_dead_letters(filter, expected, (actor, Action::EventRetry), now_us).await;
        changed.map_err(StoreError::query("put dead letters back"))
    }

    /// Throws dead letters away, if there are as many as are expected.
    pub async fn discard_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        expected: Option<u64>,
        actor: &Actor,
        now_us: i64,
    ) -> Result<DeadLetterOutcome, StoreError> {
        let changed = self.change_dead_letters(filter, expected, (actor, Action::EventDiscard), now_us).await;
        changed.map_err(StoreError::query("throw dead letters away"))
    }

    async fn change_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        mut expected: Option<u64>,
        (actor, action): (&Actor, Action),
        now_us: i64,
    ) -> sqlx::Result<DeadLetterOutcome> {
        let filter = DeadLetterFilter { until_us: Some(filter.until_us.unwrap_or(now_us)), ..filter.clone() };
        let mut changed = 0;
        loop {
            let mut transaction = EitherTransaction::begin(&self.database).await?;
            if let Some(expected) = expected.take() {
                let there = count(&mut transaction, &filter).await?;
                if there != expected {
                    // To drop the transaction would close the connection.
                    transaction.commit().await?;
                    return Ok(DeadLetterOutcome::OtherCount(there));
                }
            }
            let found = find(&self.database, &mut transaction, &filter).await?;
            if found.is_empty() {
                transaction.commit().await?;
                return Ok(DeadLetterOutcome::Changed(changed));
            }
            if action == Action::EventRetry {
                requeue(&self.database, &mut transaction, &found, now_us).await?;
            }
            let seqs: Vec<[i64; 1]> = found.iter().map(|one| [one.seq]).collect();
            let mut left = vec![("dead_letters", "seq")];
            if action == Action::EventDiscard {
                left.push(("attempts", "delivery"));
            }
            for (table, column) in left {
                let from = self.database.rows_of_json();
                let delete = format!("DELETE FROM {table} WHERE {column} IN (SELECT CAST(value->>0 AS bigint) FROM {from})");
                transaction.execute(delete, vec![json(&seqs).into()]).await?;
            }
            let detail = value!({ "dead_letters": found.len(), "function": function_of(&found[0].receiver), "delivery": DeliveryId(found[0].seq).to_string() });
            transaction.execute(audit::INSERT, audit::values(&actor.does(action, now_us, detail))).await?;
            transaction.commit().await?;
            changed += found.len() as u64;
        }
    }
}

/// Counts the dead letters that are meant.
async fn count(transaction: &mut EitherTransaction, filter: &DeadLetterFilter) -> sqlx::Result<u64> {
    let (condition, parameters) = filter.selection().end();
    let counts: Vec<(i64,)> = transaction.fetch(format!("SELECT COUNT(*) FROM dead_letters{condition}"), parameters).await?;
    Ok(counts.first().map_or(0, |(count,)| count.unsigned_abs()))
}

/// What is needed of a dead letter that is to be changed.
#[derive(FromRow)]
struct FoundLetter {
    seq: i64,
    receiver: String,
    key: Option<String>,
}

/// Finds some dead letters, and makes their rows this transaction's.
async fn find(database: &Database, transaction: &mut EitherTransaction, filter: &DeadLetterFilter) -> sqlx::Result<Vec<FoundLetter>> {
    let (condition, parameters) = filter.selection().end();
    let lock = match database {
        Database::Postgres { .. } => "FOR UPDATE",
        Database::Sqlite { .. } => "",
    };
    let sql = format!("SELECT {} FROM dead_letters{condition} ORDER BY seq LIMIT {SLICE} {lock}", columns!(delivery_load));
    transaction.fetch(sql, parameters).await
}

/// Makes deliveries of dead letters again. Of one key, one runs after the other.
async fn requeue(database: &Database, transaction: &mut EitherTransaction, found: &[FoundLetter], now_us: i64) -> sqlx::Result<()> {
    let keys: BTreeSet<OrderKey> = found.iter().filter_map(|one| Some((one.receiver.clone(), one.key.clone()?))).collect();
    let mut busy = lock_keys(database, transaction, keys).await?;
    let rows: Vec<(i64, i64)> = found
        .iter()
        .map(|FoundLetter { seq, receiver, key }| {
            let is_first = key.as_ref().is_none_or(|key| busy.insert((receiver.clone(), key.clone()), *seq).is_none());
            (*seq, if is_first { READY } else { BLOCKED })
        })
        .collect();
    let from = database.rows_of_json();
    let insert = format!(
        "INSERT INTO deliveries ({})
         SELECT {}, CAST(value->>1 AS bigint), CAST($2 AS bigint), 0, attempt
         FROM dead_letters JOIN (SELECT value FROM {from}) AS found ON seq = CAST(value->>0 AS bigint)",
        columns!(deliveries),
        columns!(delivery_load)
    );
    transaction.execute(insert, vec![json(&rows).into(), now_us.into()]).await.map(drop)
}

#[derive(FromRow)]
struct DeadRow {
    seq: i64,
    receiver: String,
    key: Option<String>,
    attempt: i64,
    reason: String,
    died_us: i64,
    topic: Option<String>,
    event_id: Option<String>,
    version: Option<String>,
    last_error: Option<String>,
}

impl TryFrom<DeadRow> for DeadLetterRecord {
    type Error = StoreError;

    fn try_from(row: DeadRow) -> Result<Self, StoreError> {
        let bad = |reason: &dyn ToString| StoreError::bad_row("dead_letters", row.seq, reason.to_string());
        let topic = row.topic.map(|topic| topic.parse::<Topic>()).transpose().map_err(|error: NotATopic| bad(&error))?;
        Ok(Self {
            id: DeliveryId(row.seq),
            event: topic.zip(row.event_id),
            key: row.key,
            attempts: row.attempt as u32,
            version: row.version.map(|version| version.parse()).transpose().map_err(|error| bad(&error))?,
            receiver: row.receiver,
            reason: row.reason,
            died_us: row.died_us,
            last_error: row.last_error,
        })
    }
}
