//! Events as they are listed, and how many deliveries and dead letters each topic has.

use sqlx::{AssertSqlSafe, FromRow};

use super::{CLAIMED, HELD, selection::Selection};
use crate::{
    execution::Emitter,
    function::topic::{NotATopic, Topic},
    id::{first_id_at, id_time_us},
    store::{
        Store, StoreError,
        batch::{Parameter, bind},
        columns::columns,
        database::read,
    },
};

/// Which events are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those about this.
    pub topic: Option<Topic>,
    /// Only those with this id.
    pub id: Option<String>,
    /// Only older ones than this, for the next page.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// An event without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Its place among all.
    pub seq: i64,
    /// As its emitter named it.
    pub id: String,
    /// What it is about.
    pub topic: Topic,
    /// Orders it among others.
    pub key: Option<String>,
    /// How many events led to it, itself among them.
    pub depth: u32,
    /// Who emitted it.
    pub by: Emitter,
}

impl EventRecord {
    /// Returns when it was committed, in microseconds since 1970.
    pub fn time_us(&self) -> i64 {
        id_time_us(self.seq)
    }
}

/// How many deliveries and dead letters a topic has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicCount {
    /// Which.
    pub topic: Topic,
    /// Those that wait for their time, for a place, or for another of their key.
    pub waiting: u64,
    /// Those of them that have failed before.
    pub retrying: u64,
    /// When the first of those that wait is due, in microseconds since 1970.
    pub oldest_due_us: Option<i64>,
    /// Those that run.
    pub running: u64,
    /// Those whose functions cannot run.
    pub held: u64,
    /// Dead letters.
    pub dead: u64,
}

impl Store {
    /// Returns events, the newest first.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<EventRecord>, StoreError> {
        let selection = Selection::default()
            .maybe("topic = ?", filter.topic.as_ref().map(|topic| topic.as_str().to_owned()))
            .maybe("id = ?", filter.id.clone())
            .maybe("seq < ?", filter.before);
        let (condition, parameters) = selection.end();
        let sql = format!("SELECT {} FROM events{condition} ORDER BY seq DESC LIMIT {}", columns!(event_head), filter.limit);
        let rows: Vec<HeadRow> = read!(self, pool => bind!(sqlx::query_as(AssertSqlSafe(sql)), parameters).fetch_all(pool))
            .map_err(StoreError::query("list events"))?;
        rows.into_iter().map(EventRecord::try_from).collect()
    }

    /// Counts the events that were committed at this time or later, in microseconds since 1970, as far as they are kept.
    pub async fn count_events(&self, since_us: i64) -> Result<u64, StoreError> {
        let count = "SELECT COUNT(*) FROM events WHERE seq >= $1";
        let (count,): (i64,) = read!(self, pool => sqlx::query_as(count).bind(first_id_at(since_us)).fetch_one(pool))
            .map_err(StoreError::query("count events"))?;
        Ok(count.unsigned_abs())
    }

    /// Returns the payload of an event, as JSON.
    pub async fn event_payload(&self, seq: i64) -> Result<Option<String>, StoreError> {
        read!(self, pool => sqlx::query_scalar("SELECT payload FROM events WHERE seq = $1").bind(seq).fetch_optional(pool))
            .map_err(StoreError::query("read an event"))
    }

    /// Counts the deliveries and the dead letters of every topic that has some.
    pub async fn topic_counts(&self) -> Result<Vec<TopicCount>, StoreError> {
        let number = |condition: &str| format!("CASE WHEN {condition} THEN 1 ELSE 0 END");
        let waits = format!("state NOT IN ({CLAIMED}, {HELD})");
        let sql = format!(
            "SELECT topic, SUM(waiting) AS waiting, SUM(retrying) AS retrying, MIN(waits_us) AS oldest_due_us, SUM(running) AS running,
                 SUM(held) AS held, SUM(dead) AS dead
             FROM (
                 SELECT event, {} AS waiting, {} AS retrying, CASE WHEN {waits} THEN due_us END AS waits_us, {} AS running, {} AS held, 0 AS dead
                 FROM deliveries WHERE event IS NOT NULL
                 UNION ALL
                 SELECT event, 0, 0, NULL, 0, 0, 1 FROM dead_letters WHERE event IS NOT NULL
             ) AS counted
             JOIN events ON events.seq = event
             GROUP BY topic
             ORDER BY topic",
            number(&waits),
            number(&format!("{waits} AND attempt > earlier")),
            number(&format!("state = {CLAIMED}")),
            number(&format!("state = {HELD}")),
        );
        let rows: Vec<TopicRow> =
            read!(self, pool => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(pool)).map_err(StoreError::query("count deliveries"))?;
        rows.into_iter().map(TopicCount::try_from).collect()
    }
}

#[derive(FromRow)]
struct TopicRow {
    topic: String,
    waiting: i64,
    retrying: i64,
    oldest_due_us: Option<i64>,
    running: i64,
    held: i64,
    dead: i64,
}

impl TryFrom<TopicRow> for TopicCount {
    type Error = StoreError;

    fn try_from(row: TopicRow) -> Result<Self, StoreError> {
        Ok(Self {
            topic: row.topic.parse().map_err(|error: NotATopic| StoreError::bad_row("events", &row.topic, error))?,
            waiting: row.waiting.unsigned_abs(),
            retrying: row.retrying.unsigned_abs(),
            oldest_due_us: row.oldest_due_us,
            running: row.running.unsigned_abs(),
            held: row.held.unsigned_abs(),
            dead: row.dead.unsigned_abs(),
        })
    }
}

#[derive(FromRow)]
struct HeadRow {
    seq: i64,
    id: String,
    topic: String,
    key: Option<String>,
    depth: i64,
    emitted_by: String,
}

impl TryFrom<HeadRow> for EventRecord {
    type Error = StoreError;

    fn try_from(row: HeadRow) -> Result<Self, StoreError> {
        let bad = |reason: &dyn ToString| StoreError::bad_row("events", row.seq, reason.to_string());
        Ok(Self {
            seq: row.seq,
            topic: row.topic.parse().map_err(|error: NotATopic| bad(&error))?,
            by: serde_json::from_str(&row.emitted_by).map_err(|error| bad(&error))?,
            id: row.id,
            key: row.key,
            depth: row.depth as u32,
        })
    }
}
