//! The queue in the node's own database: what waits to be run without a caller.
//!
//! The table of deliveries is small: what is settled leaves it in the transaction that settles it. No transaction is open while a script runs.

mod claim;
mod dead;
mod expiry;
mod inbox;
mod limits;
mod lookup;
mod paused;
mod publish;
mod schedules;
mod selection;
mod settle;
mod waiting;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

pub use self::{
    dead::{DeadLetterFilter, DeadLetterRecord},
    limits::{QueueLimits, QueueSizes},
    lookup::{EventFilter, EventRecord, TopicCount},
    selection::FunctionSelection,
    waiting::{DeliveryFilter, DeliveryRecord, DeliveryState, FailedAttempt},
};
use self::{
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
    /// Counts what may have become due.
    woken: watch::Sender<u64>,
}

impl StoredQueue {
    /// Keeps the queue in this database.
    pub fn new(store: watch::Receiver<Option<Store>>, ids: Arc<Ids>, limits: QueueLimits) -> Self {
        Self { store, ids, room: Room::new(limits.max_waiting), emissions: Arc::default(), woken: watch::Sender::default() }
    }

    fn store(&self) -> Result<Store, QueueError> {
        self.store.borrow().clone().ok_or_else(|| QueueError("the database is away".into()))
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

    async fn publish(&self, events: Vec<Publication>, now_us: i64) -> Result<Vec<PublishOutcome>, QueueError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let store = self.store()?;
        let start = || drop(tokio::spawn(publish_groups(store, self.ids.clone(), self.emissions.clone())));
        let kept = self.emissions.ask(Emission { events, now_us }, start).await;
        // The task is only gone before its time when the process ends.
        let outcomes = kept.unwrap_or_else(|| Err(failed("keep events")(sqlx::Error::PoolClosed)))?;
        self.wake();
        Ok(outcomes)
    }

    async fn inbox(&self, now_us: i64) -> Result<Vec<InboxEntry>, QueueError> {
        self.store()?.inbox(now_us).await.map_err(failed("read what SQL emitted"))
    }

    async fn take_from_inbox(&self, entries: Vec<(i64, Option<Publication>)>, now_us: i64) -> Result<(), QueueError> {
        self.store()?.take_from_inbox(&self.ids, &entries, now_us).await.map_err(failed("keep what SQL emitted"))?;
        self.wake();
        Ok(())
    }

    async fn claim(&self, claim: ClaimRequest) -> Result<Vec<Delivery>, QueueError> {
        self.store()?.claim_deliveries(&claim).await.map_err(failed("claim deliveries"))
    }

    async fn settle(&self, settled: Vec<Settlement>, now_us: i64) -> Result<Vec<DeliveryId>, QueueError> {
        let settled = self.store()?.settle_deliveries(&self.ids, settled, now_us).await.map_err(failed("settle deliveries"))?;
        if settled.may_make_due {
            self.wake();
        }
        Ok(settled.stale)
    }

    async fn next_due(&self) -> Result<Option<i64>, QueueError> {
        self.store()?.next_due().await.map_err(failed("ask what is due"))
    }

    async fn release(&self, receivers: Vec<Receiver>, now_us: i64) -> Result<u64, QueueError> {
        let released = self.store()?.release_deliveries(&receivers, now_us).await.map_err(failed("release deliveries"))?;
        if released > 0 {
            self.wake();
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
        let outcomes = self.store()?.advance_schedules(&self.ids, &steps).await.map_err(failed("make due times deliveries"))?;
        self.wake();
        Ok(outcomes)
    }

    fn wake(&self) {
        self.woken.send_modify(|count| *count += 1);
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
