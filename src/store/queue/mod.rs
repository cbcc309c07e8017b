//! The queue in the node's own database: what waits to be run without a caller.
//!
//! The table of deliveries is small: what is settled leaves it in the transaction that settles it. No transaction is open while a script runs.

mod claim;
mod dead;
mod expiry;
mod floor;
mod inbox;
mod limits;
mod lookup;
mod paused;
mod publish;
mod schedules;
mod selection;
mod settle;
mod ticks;
mod waiting;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

pub use self::{
    claim::NodeEnd,
    dead::{DeadLetterFilter, DeadLetterOutcome, DeadLetterRecord},
    limits::{QueueLimits, QueueSizes},
    lookup::{EventFilter, EventRecord, TopicCount},
    selection::FunctionSelection,
    ticks::MAX_TICKS,
    waiting::{DeliveryFilter, DeliveryRecord, DeliveryState, FailedAttempt},
};
use self::{
    floor::Floor,
    limits::Room,
    publish::{Emission, Emissions, publish_groups},
};
use super::{Store, StoreError, database::Database};
use crate::{
    function::schedule::ScheduleId,
    id::Ids,
    queue::{
        Advance, ClaimRequest, Delivery, DeliveryId, InboxEntry, Publication, PublishOutcome, Queue, QueueError, Receiver,
        ScheduleProgress, ScheduleRule, Settlement, Tick, TickOutcome,
    },
};

/// The states of a delivery. What is below [`BLOCKED`] has a time at which it may be claimed.
const READY: i64 = 0;
const CLAIMED: i64 = 1;
const BLOCKED: i64 = 2;
const HELD: i64 = 3;

/// A queue in the database of the node, once that has been reached.
pub struct StoredQueue {
    store: watch::Receiver<Option<Store>>,
    ids: Arc<Ids>,
    room: Room,
    emissions: Arc<Emissions>,
    floor: Floor,
    /// Counts what may have become due.
    woken: watch::Sender<u64>,
    /// Counts what SQL may have emitted.
    sql_emitted: watch::Sender<u64>,
}

impl StoredQueue {
    /// Keeps the queue in this database. Where a look finds what SQL emitted, it tells so there.
    pub fn new(store: watch::Receiver<Option<Store>>, ids: Arc<Ids>, limits: QueueLimits, sql_emitted: watch::Sender<u64>) -> Self {
        Self {
            store,
            ids,
            room: Room::new(limits.max_waiting),
            emissions: Arc::default(),
            floor: Floor::default(),
            woken: watch::Sender::default(),
            sql_emitted,
        }
    }

    fn store(&self) -> Result<Store, QueueError> {
        self.store.borrow().clone().ok_or_else(|| QueueError("the database is away".into()))
    }

    /// Something is due at this time that was not, or later.
    fn made_due(&self, due_us: i64) {
        self.floor.lower(due_us);
        self.woken.send_modify(|count| *count += 1);
    }

    /// Passes on what came of a change. One whose answer was lost may have made anything due.
    fn sure<T>(&self, outcome: Result<T, QueueError>) -> Result<T, QueueError> {
        outcome.inspect_err(|_| self.floor.lower(i64::MIN))
    }
}

/// Returns what others are told. What the database says is for the log.
fn failed(what: &'static str) -> impl Fn(sqlx::Error) -> QueueError {
    move |error| refusal(what, &StoreError::query(what)(error))
}

fn refusal(what: &'static str, error: &StoreError) -> QueueError {
    tracing::warn!("the queue does not answer: {}", error.explained());
    QueueError(format!("cannot {what}: the database is away").into())
}

#[async_trait]
impl Queue for StoredQueue {
    async fn must_have_room(&self, deliveries: u64) -> Result<(), QueueError> {
        match deliveries {
            0 => Ok(()),
            wanted => self.room.take(wanted, &self.store()?).await,
        }
    }

    async fn make_room(&self, deliveries: &[u64]) -> Result<usize, QueueError> {
        self.room.take_first(deliveries, &self.store()?).await
    }

    async fn publish(&self, events: Vec<Publication>, now_us: i64) -> Result<Vec<PublishOutcome>, QueueError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let store = self.store()?;
        let start = || drop(tokio::spawn(publish_groups(store, self.ids.clone(), self.emissions.clone())));
        let kept = self.emissions.ask(Emission { events, now_us }, start).await;
        // The task is only gone before its time when the process ends.
        let outcomes = self.sure(kept.unwrap_or_else(|| Err(failed("keep events")(sqlx::Error::PoolClosed))))?;
        self.made_due(now_us);
        Ok(outcomes)
    }

    async fn inbox(&self, most: usize, now_us: i64) -> Result<Vec<InboxEntry>, QueueError> {
        self.store()?.inbox(most, now_us).await.map_err(failed("read what SQL emitted"))
    }

    async fn take_from_inbox(&self, entries: Vec<(i64, Option<Publication>)>, now_us: i64) -> Result<(), QueueError> {
        self.sure(self.store()?.take_from_inbox(&self.ids, &entries, now_us).await.map_err(failed("keep what SQL emitted")))?;
        self.made_due(now_us);
        Ok(())
    }

    async fn claim(&self, claim: ClaimRequest) -> Result<Vec<Delivery>, QueueError> {
        self.sure(self.store()?.claim_deliveries(&claim, &self.floor).await.map_err(failed("claim deliveries")))
    }

    async fn settle(&self, settled: Vec<Settlement>, now_us: i64) -> Result<Vec<DeliveryId>, QueueError> {
        let settled = self.store()?.settle_deliveries(&self.ids, settled, now_us).await.map_err(failed("settle deliveries"));
        let settled = self.sure(settled)?;
        if let Some(due_us) = settled.due_us {
            self.made_due(due_us);
        }
        Ok(settled.stale)
    }

    async fn next_due(&self, until_us: i64) -> Result<Option<i64>, QueueError> {
        let looked = self.store()?.next_due(self.floor.start_us(until_us), until_us).await;
        let (due_us, has_inbox) = looked.map_err(failed("ask what is due"))?;
        if has_inbox {
            self.sql_emitted.send_modify(|count| *count += 1);
        }
        Ok(due_us)
    }

    async fn release(&self, receivers: Vec<Receiver>, now_us: i64) -> Result<u64, QueueError> {
        let released = self.sure(self.store()?.release_deliveries(&receivers, now_us).await.map_err(failed("release deliveries")))?;
        if released > 0 {
            self.made_due(now_us);
        }
        Ok(released)
    }

    async fn schedules(&self, live: Vec<ScheduleRule>, now_us: i64) -> Result<Vec<ScheduleProgress>, QueueError> {
        self.store()?.set_schedules(&live, now_us).await.map_err(failed("keep schedules"))
    }

    async fn start_now(&self, schedule: ScheduleId, tick: Tick, until_us: i64) -> Result<Delivery, QueueError> {
        self.store()?.start_delivery(&self.ids, schedule, tick, until_us).await.map_err(failed("run a schedule now"))
    }

    async fn advance(&self, steps: Vec<Advance>) -> Result<Vec<TickOutcome>, QueueError> {
        let outcomes = self.store()?.advance_schedules(&self.ids, &steps).await.map_err(failed("make due times deliveries"));
        let outcomes = self.sure(outcomes)?;
        if let Some(due_us) = steps.iter().map(|step| step.to_us).min() {
            self.made_due(due_us);
        }
        Ok(outcomes)
    }

    fn wake(&self) {
        self.made_due(i64::MIN);
    }

    fn woken(&self) -> watch::Receiver<u64> {
        self.woken.subscribe()
    }
}

impl Database {
    /// Returns what ends a query whose rows this transaction changes: on Postgres other transactions leave them out meanwhile.
    fn skipping_locked(&self) -> &'static str {
        match self {
            Self::Postgres { .. } => "FOR UPDATE SKIP LOCKED",
            // The transaction is the only one that writes.
            Self::Sqlite { .. } => "",
        }
    }
}
