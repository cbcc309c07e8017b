//! Seam 5: what runs without a caller waits here. Plain data, so that another queue can take the place of the node's own database.
//!
//! An event becomes one delivery for each handler that takes it; a due time of a schedule is one delivery. A delivery is claimed for a time, the
//! lease. Whoever has claimed it settles it before the lease ends; after that it may be claimed again.

use std::{fmt, str::FromStr, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::{
    execution::{Emitter, ExecutionId, NewEvent},
    function::{
        Version,
        handler::HandlerId,
        schedule::{Overlap, ScheduleId},
        topic::Topic,
    },
    id::{TimeIdError, id_text, parse_id},
};

/// Names a delivery. It rises with the time of its making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub i64);

impl FromStr for DeliveryId {
    type Err = TimeIdError;

    fn from_str(text: &str) -> Result<Self, TimeIdError> {
        parse_id(text).map(Self)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&id_text(self.0)).unwrap_or_default())
    }
}

/// An event with the handlers that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// What happened.
    pub event: NewEvent,
    /// Who is told, each with the key that orders its deliveries.
    pub handlers: Vec<(HandlerId, Option<String>)>,
}

/// An event that another program emitted by SQL, and that waits to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its place among all.
    pub seq: i64,
    /// The event, or why it is none.
    pub event: Result<NewEvent, &'static str>,
}

/// What became of an event that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PublishOutcome {
    /// It is kept.
    Kept,
    /// It is left out: its topic has had an event with its id within a day.
    LeftOut,
}

/// Who a delivery is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Receiver {
    /// A handler of events.
    Handler(HandlerId),
    /// A schedule.
    Schedule(ScheduleId),
}

impl Receiver {
    /// Returns the handler with this id.
    pub fn handler(id: String) -> Self {
        Self::Handler(HandlerId::of(id))
    }

    /// Returns the schedule with this id.
    pub fn schedule(id: String) -> Self {
        Self::Schedule(ScheduleId::of(id))
    }

    /// Returns the id of the handler or the schedule as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Handler(id) => id.as_str(),
            Self::Schedule(id) => id.as_str(),
        }
    }
}

/// Something to run, claimed for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which.
    pub id: DeliveryId,
    /// Who it is for.
    pub receiver: Receiver,
    /// This attempt; the first is 1.
    pub attempt: u32,
    /// Attempts before whose lease ended unsettled: the node went, or hung.
    pub lost: u32,
    /// When its lease ends, in microseconds since 1970. This tells the claim from others of the delivery, also from one of the same attempt.
    pub until_us: i64,
    /// Attempts that it had when it was put back as a dead letter. They do not count among those that it may have.
    pub earlier: u32,
    /// What it brings.
    pub load: Load,
}

/// What a delivery brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// An event.
    Event(Box<StoredEvent>),
    /// A due time of a schedule.
    Tick(Tick),
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// As its emitter named it.
    pub id: String,
    /// What it is about.
    pub topic: Topic,
    /// Orders it among others.
    pub key: Option<String>,
    /// JSON.
    pub payload: Box<str>,
    /// When it was committed, in microseconds since 1970.
    pub emitted_us: i64,
    /// By whom.
    pub by: Emitter,
    /// How many events led to it, itself among them.
    pub depth: u32,
}

/// A due time of a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The due time, in microseconds since 1970. A delivery that is tried again has another one.
    #[serde(default)]
    pub due_us: i64,
    /// Due times before it that passed, and that it stands for.
    #[serde(default)]
    pub missed: u32,
    /// Somebody asked for it.
    #[serde(default)]
    pub is_manual: bool,
    /// What the run gets in place of the schedule's own input, as JSON.
    #[serde(default)]
    pub input: Option<Box<str>>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which attempt.
    pub attempt: u32,
    /// When the lease ends, as the claim has it: whoever has lost it settles nothing.
    pub until_us: i64,
    /// The run, if there was one.
    pub execution: Option<ExecutionId>,
    /// The version of the function that ran.
    pub version: Option<Version>,
    /// Why it failed, if it did: with its file and line.
    pub error: Option<String>,
    /// How it goes on.
    pub end: End,
    /// What the run emitted, committed with its end.
    pub emitted: Vec<Publication>,
}

/// How a delivery goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is done.
    Done,
    /// It is tried again at this time, in microseconds since 1970.
    Retry(i64),
    /// It is given up, for this reason.
    Dead(String),
    /// It is tried at this time, in microseconds since 1970: the node had no place for it. The attempt does not count.
    Later(i64),
    /// It waits until its function can run. The attempt does not count.
    Held,
}

/// A schedule that is live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRule {
    /// Which.
    pub id: ScheduleId,
    /// What its times follow from.
    pub expression: String,
}

/// How far a schedule is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleProgress {
    /// Which.
    pub id: ScheduleId,
    /// The last due time that was dealt with, or when it began, in microseconds since 1970.
    pub last_us: i64,
    /// Somebody paused it.
    pub paused: Option<Pause>,
}

/// Somebody paused a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// When, in microseconds since 1970.
    pub since_us: i64,
    /// Why, if they said so.
    pub reason: Option<String>,
}

/// What became of a due time of a schedule. Without a run and an error it was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickRecord {
    /// When it was due, in microseconds since 1970.
    pub due_us: i64,
    /// Its run; none: it never began.
    pub execution: Option<ExecutionId>,
    /// Why its last attempt failed.
    pub error: Option<String>,
}

impl TickRecord {
    /// Returns whether it was left out.
    pub fn is_left_out(&self) -> bool {
        self.execution.is_none() && self.error.is_none()
    }
}

/// A step of a schedule.
#[derive(Debug, Clone)]
pub struct Advance {
    /// Which.
    pub schedule: ScheduleId,
    /// How far it was, in microseconds since 1970: somebody else who moved it first has made the delivery.
    pub from_us: i64,
    /// How far it is then.
    pub to_us: i64,
    /// The delivery; none: the due time is left out.
    pub tick: Option<Tick>,
    /// What becomes of it while the run before goes on.
    pub overlap: Overlap,
    /// How many may wait, where the overlap is to wait.
    pub most_waiting: usize,
}

/// What became of a due time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TickOutcome {
    /// It is a delivery.
    Made,
    /// It is a delivery, in the place of those that waited and were due at these times, in microseconds since 1970.
    Replaces(Vec<i64>),
    /// It is left out: the run before goes on.
    Overlaps,
    /// It is left out, as was asked.
    LeftOut,
    /// Another node has dealt with it.
    Overtaken,
}

/// A claim of deliveries.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The time, in microseconds since 1970.
    pub now_us: i64,
    /// When the leases end.
    pub until_us: i64,
    /// Most deliveries.
    pub most: usize,
}

/// The queue does not answer, or refuses. What was asked may have been done all the same, if only the answer was lost.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct QueueError(pub Arc<str>);

/// Keeps what is to be run.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Refuses so many deliveries if the queue would be longer than it may be with them.
    async fn must_have_room(&self, deliveries: u64) -> Result<(), QueueError>;

    /// Takes room for the first of these numbers of deliveries, and returns how many fit: one at least where the queue is empty. Refuses if none
    /// does.
    async fn make_room(&self, deliveries: &[u64]) -> Result<usize, QueueError>;

    /// Keeps events, all or none. Of two with one topic and one id within a day, the second is left out. Returns what became of each.
    async fn publish(&self, events: Vec<Publication>, now_us: i64) -> Result<Vec<PublishOutcome>, QueueError>;

    /// Returns the earliest events of the inbox, where other programs emit: as many as are well taken at once, and at most so
    /// many. None: it is empty.
    async fn inbox(&self, most: usize, now_us: i64) -> Result<Vec<InboxEntry>, QueueError>;

    /// Takes entries out of the inbox, by their places, and keeps their events, all or none. What has no publication is thrown away, and what
    /// somebody else has taken is left out.
    async fn take_from_inbox(&self, entries: Vec<(i64, Option<Publication>)>, now_us: i64) -> Result<(), QueueError>;

    /// Claims what is due, the earliest first.
    async fn claim(&self, claim: ClaimRequest) -> Result<Vec<Delivery>, QueueError>;

    /// Settles attempts, each with what it emitted. Returns those whose lease was another's by then.
    async fn settle(&self, settled: Vec<Settlement>, now_us: i64) -> Result<Vec<DeliveryId>, QueueError>;

    /// Returns when something is due next, in microseconds since 1970; none: nothing is, up to this time.
    async fn next_due(&self, until_us: i64) -> Result<Option<i64>, QueueError>;

    /// Makes these the schedules that there are, and returns how far each is. New ones, and those with another expression, begin now: what they
    /// missed before is not theirs.
    async fn schedules(&self, live: Vec<ScheduleRule>, now_us: i64) -> Result<Vec<ScheduleProgress>, QueueError>;

    /// Moves schedules past due times, each of another schedule, and makes those deliveries. Returns what became of each.
    async fn advance(&self, steps: Vec<Advance>) -> Result<Vec<TickOutcome>, QueueError>;

    /// Makes a delivery of a schedule that is claimed already, for whoever asked for it. The schedule does not move.
    async fn start_now(&self, schedule: ScheduleId, tick: Tick, until_us: i64) -> Result<Delivery, QueueError>;

    /// Tells that something may have become due.
    fn wake(&self);

    /// Returns a channel that tells when something may have become due. A hint: it may miss what others do.
    fn woken(&self) -> watch::Receiver<u64>;

    /// Lets what waited for these receivers be claimed again: their functions can run now.
    async fn release(&self, receivers: Vec<Receiver>, now_us: i64) -> Result<u64, QueueError>;
}

/// A queue that the parts of a node share.
pub type SharedQueue = Arc<dyn Queue>;
