//! Keeps events, each with a delivery for every handler that takes it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{BLOCKED, READY, refusal};
use crate::{
    id::Ids,
    queue::{Publication, PublishOutcome, QueueError},
    store::{
        Store, StoreError,
        batch::json,
        columns::columns,
        database::Database,
        gather::{Caller, Gathering},
        transaction::EitherTransaction,
    },
};

/// How long an id is remembered: a day, in microseconds.
const REMEMBERED_US: i64 = 24 * 3_600 * 1_000_000;
/// What one transaction keeps of several callers: bytes of payloads, where every event and every delivery counts as [`EVENT_BYTES`] more.
const MAX_GROUP: usize = 1024 * 1024;
const EVENT_BYTES: usize = 512;
/// What is said of a failure.
const WHAT: &str = "keep events";

/// What orders deliveries: of one receiver and one key, one runs after the other.
pub(super) type OrderKey = (String, String);

/// What one caller emits, at this time in microseconds since 1970.
pub(super) struct Emission {
    pub events: Vec<Publication>,
    pub now_us: i64,
}

/// What a caller hears: what became of each event.
type Answer = Result<Vec<PublishOutcome>, QueueError>;
/// Emissions of concurrent callers, which share transactions.
pub(super) type Emissions = Gathering<Emission, Answer>;

impl Emission {
    /// Returns what a transaction has to keep.
    fn bytes(&self) -> usize {
        self.events.iter().map(|one| one.event.payload.len() + EVENT_BYTES * (1 + one.handlers.len())).sum()
    }
}

/// Keeps what callers emit, some of them together, until nothing waits.
pub(super) async fn publish_groups(store: Store, ids: Arc<Ids>, emissions: Arc<Emissions>) {
    while let Some(callers) = emissions.next_group() {
        let (mut group, mut bytes) = (Vec::new(), 0);
        for caller in callers {
            let more = caller.question.bytes();
            if bytes + more > MAX_GROUP {
                store.publish_and_answer(&ids, std::mem::take(&mut group)).await;
                bytes = 0;
            }
            bytes += more;
            group.push(caller);
        }
        store.publish_and_answer(&ids, group).await;
    }
}

impl Store {
    /// Keeps the events of a group, or of each alone if the database refuses the group for what one of them holds.
    async fn publish_and_answer(&self, ids: &Ids, group: Vec<Caller<Emission, Answer>>) {
        if group.is_empty() {
            return;
        }
        match self.publish_events(ids, group.iter().map(|one| &one.question)).await.map_err(StoreError::query(WHAT)) {
            Err(error) if group.len() > 1 && !error.is_outage() => {
                for one in group {
                    Box::pin(self.publish_and_answer(ids, vec![one])).await;
                }
            }
            outcome => {
                let mut outcome = outcome.map(Vec::into_iter).map_err(|error| refusal(WHAT, &error));
                for one in group {
                    let events = one.question.events.len();
                    let answer = outcome.as_mut().map(|outcomes| outcomes.by_ref().take(events).collect());
                    let _ = one.answer.send(answer.map_err(|error| error.clone()));
                }
            }
        }
    }

    /// Keeps events, all or none, and makes their deliveries.
    async fn publish_events<'e>(
        &self,
        ids: &Ids,
        emissions: impl Iterator<Item = &'e Emission> + Clone,
    ) -> sqlx::Result<Vec<PublishOutcome>> {
        let now_us = emissions.clone().map(|one| one.now_us).max().unwrap_or_default();
        let events: Vec<&Publication> = emissions.flat_map(|one| &one.events).collect();
        let mut transaction = EitherTransaction::begin(&self.database).await?;
        let outcomes = publish(&self.database, &mut transaction, ids, events, now_us).await?;
        transaction.commit().await.map(|()| outcomes)
    }
}

/// The same within a transaction. Returns what became of each.
pub(super) async fn publish(
    database: &Database,
    transaction: &mut EitherTransaction,
    ids: &Ids,
    mut events: Vec<&Publication>,
    now_us: i64,
) -> sqlx::Result<Vec<PublishOutcome>> {
    // Before the ids, as settling has it: no two transactions wait for each other.
    let mut busy = lock_keys(database, transaction, order_keys(events.iter().copied())).await?;
    // Another node's clock may be ahead.
    busy.values().for_each(|last| ids.rise_above(*last));
    let outcomes = leave_out_known(database, transaction, &mut events, now_us).await?;
    if events.is_empty() {
        return Ok(outcomes);
    }
    let (mut rows, mut deliveries) = (Vec::new(), Vec::new());
    for Publication { event, handlers } in events {
        let seq = ids.next();
        rows.push((seq, &event.id, event.topic.as_str(), &event.key, event.depth, json(&event.by), &event.payload));
        let due_us = now_us + event.delay.as_micros() as i64;
        deliveries.extend(handlers.iter().map(|(handler, key)| (seq, handler.as_str(), key.as_deref(), due_us)));
    }
    let from = database.rows_of_json();
    let insert = format!(
        "INSERT INTO events ({}) SELECT CAST(value->>0 AS bigint), value->>1, value->>2, value->>3, CAST(value->>4 AS bigint), value->>5, value->>6 FROM {from}",
        columns!(events)
    );
    transaction.execute(insert, vec![json(&rows).into()]).await?;
    if deliveries.is_empty() {
        return Ok(outcomes);
    }
    let deliveries: Vec<_> = deliveries
        .into_iter()
        .map(|(event, handler, key, due_us)| {
            let is_first = key.is_none_or(|key| busy.insert((handler.to_owned(), key.to_owned()), 0).is_none());
            (ids.next(), event, handler, key, if is_first { READY } else { BLOCKED }, due_us)
        })
        .collect();
    let insert = format!(
        "INSERT INTO deliveries ({})
         SELECT CAST(value->>0 AS bigint), CAST(value->>1 AS bigint), value->>2, value->>3, 0, NULL,
             CAST(value->>4 AS bigint), CAST(value->>5 AS bigint), 0, 0 FROM {from}",
        columns!(deliveries)
    );
    transaction.execute(insert, vec![json(&deliveries).into()]).await?;
    Ok(outcomes)
}

/// Returns what orders the deliveries of events.
pub(super) fn order_keys<'a>(events: impl IntoIterator<Item = &'a Publication>) -> BTreeSet<OrderKey> {
    let handlers = events.into_iter().flat_map(|one| &one.handlers);
    handlers.filter_map(|(handler, key)| Some((handler.as_str().to_owned(), key.clone()?))).collect()
}

/// Leaves out events whose id their topic has had within a day, and remembers the ids of the others. Returns what becomes of each.
async fn leave_out_known(
    database: &Database,
    transaction: &mut EitherTransaction,
    events: &mut Vec<&Publication>,
    now_us: i64,
) -> sqlx::Result<Vec<PublishOutcome>> {
    // The order is the same for all, so that no two transactions wait for each other.
    let named: BTreeSet<(&str, &str)> =
        events.iter().filter(|one| one.event.is_named).map(|one| (one.event.topic.as_str(), one.event.id.as_str())).collect();
    if named.is_empty() {
        return Ok(vec![PublishOutcome::Kept; events.len()]);
    }
    let remember = format!(
        "INSERT INTO event_ids ({}) SELECT value->>0, value->>1, CAST($2 AS bigint) FROM {}
         ON CONFLICT (topic, id) DO UPDATE SET until_us = excluded.until_us WHERE event_ids.until_us <= $3
         RETURNING topic, id",
        columns!(event_ids),
        database.rows_of_json()
    );
    let new: Vec<(String, String)> =
        transaction.fetch(remember, vec![json(&named).into(), (now_us + REMEMBERED_US).into(), now_us.into()]).await?;
    let mut new: HashSet<(String, String)> = new.into_iter().collect();
    let outcome = |one: &&Publication| {
        // The second of one batch finds its id taken out.
        match !one.event.is_named || new.remove(&(one.event.topic.as_str().to_owned(), one.event.id.clone())) {
            true => PublishOutcome::Kept,
            false => PublishOutcome::LeftOut,
        }
    };
    let outcomes: Vec<PublishOutcome> = events.iter().map(outcome).collect();
    let mut of_each = outcomes.iter();
    events.retain(|_| of_each.next() == Some(&PublishOutcome::Kept));
    Ok(outcomes)
}

/// Makes these keys this transaction's until its end. Returns the last delivery of those that have some already.
pub(super) async fn lock_keys(
    database: &Database,
    transaction: &mut EitherTransaction,
    keys: BTreeSet<OrderKey>,
) -> sqlx::Result<HashMap<OrderKey, i64>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let keys = json(&keys);
    if let Database::Postgres { .. } = database {
        // In one order for all. Two keys may share a lock: then one waits for the other without need.
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended(value::text, 7)) FROM (SELECT value FROM json_array_elements(CAST($1 AS json)) AS value ORDER BY value::text) AS keys";
        transaction.execute(lock, vec![keys.clone().into()]).await?;
    }
    let find = format!(
        "SELECT value->>0, value->>1, (SELECT MAX(seq) FROM deliveries WHERE receiver = value->>0 AND key = value->>1) FROM {}",
        database.rows_of_json()
    );
    let found: Vec<(String, String, Option<i64>)> = transaction.fetch(find, vec![keys.into()]).await?;
    Ok(found.into_iter().filter_map(|(receiver, key, last)| Some(((receiver, key), last?))).collect())
}
