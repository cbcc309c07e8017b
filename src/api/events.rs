//! Events: topics, what was emitted, what waits, and what was given up.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    clock::rfc3339,
    execution::{Emitter, ExecutionId},
    function::{FunctionName, Version, handler::HandlerId, trigger_id::function_of},
    queue::PublishOutcome,
    store::queue::{DeadLetterRecord, DeliveryRecord, DeliveryState, EventRecord, FailedAttempt},
};

/// An event that was emitted just now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EmitAnswer {
    /// Its id.
    pub id: String,
    /// What became of it.
    pub outcome: PublishOutcome,
    /// The handlers that it goes to. One that is left out goes to none.
    pub handlers: Vec<String>,
}

impl EmitAnswer {
    /// Says that an event goes to these handlers; none: it is left out.
    pub fn of(id: String, handlers: Option<Vec<HandlerId>>) -> Self {
        let outcome = if handlers.is_some() { PublishOutcome::Kept } else { PublishOutcome::LeftOut };
        Self { id, outcome, handlers: handlers.iter().flatten().map(ToString::to_string).collect() }
    }

    /// Returns whether its topic has had its id within a day.
    pub fn is_left_out(&self) -> bool {
        self.outcome == PublishOutcome::LeftOut
    }
}

/// Every topic that is handled, or that has deliveries or dead letters.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TopicList {
    /// By name.
    pub topics: Vec<TopicStatus>,
}

/// A topic, or a pattern of topics that handlers take.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TopicStatus {
    /// The topic, or the pattern.
    pub topic: String,
    /// The live handlers that take it.
    pub handlers: Vec<String>,
    /// Deliveries that wait for their time, for a place, or for another of their key.
    pub waiting: u64,
    /// Those of them that have failed before.
    pub retrying: u64,
    /// When the first of those that wait is due. Past: so long it waits already. None: nothing waits.
    pub oldest_due: Option<String>,
    /// Deliveries that run.
    pub running: u64,
    /// Deliveries whose functions cannot run.
    pub held: u64,
    /// Dead letters.
    pub dead: u64,
}

/// What is in the queue, of events and schedules, and how much is emitted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EventStats {
    /// Deliveries that wait for their time, for a place, or for another of their key.
    pub waiting: u64,
    /// Those that wait and have failed before.
    pub retrying: u64,
    /// Deliveries that run.
    pub running: u64,
    /// Deliveries whose functions cannot run.
    pub held: u64,
    /// Dead letters.
    pub dead: u64,
    /// Since when the oldest delivery is due, in microseconds; none: nothing is due.
    pub overdue_us: Option<u64>,
    /// Events of the last 24 hours that are still kept.
    pub emitted: u64,
    /// Events a second, in the last minute.
    pub emitted_per_s: f64,
}

/// A page of events, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// What was emitted.
    pub events: Vec<EventSummary>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<String>,
}

/// An event without its payload.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EventSummary {
    /// As its emitter named it.
    pub id: String,
    /// What it is about.
    pub topic: String,
    /// When it was committed.
    pub time: String,
    /// Events of one key are handled one after the other.
    pub key: Option<String>,
    /// How many events led to it, itself among them.
    pub depth: u32,
    /// Who emitted it.
    pub emitted_by: Emitter,
}

impl From<EventRecord> for EventSummary {
    fn from(event: EventRecord) -> Self {
        let time = rfc3339(event.time_us());
        let EventRecord { id, topic, key, depth, by, .. } = event;
        Self { id, topic: topic.to_string(), time, key, depth, emitted_by: by }
    }
}

/// An event, and what becomes of it. A handler that is in neither list is done with it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EventDetail {
    /// The event itself.
    #[serde(flatten)]
    pub event: EventSummary,
    /// What waits or runs.
    pub deliveries: Vec<DeliveryStatus>,
    /// What was given up.
    pub dead: Vec<DeadLetterDetail>,
}

/// An event on its way to a handler.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeliveryStatus {
    /// Names it.
    pub id: String,
    /// The id of the handler.
    pub handler: String,
    /// How far it is.
    pub state: DeliveryState,
    /// When it is due; of one that runs, when another node may take it.
    pub due: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Those that did not end well.
    pub failed: Vec<AttemptFailure>,
}

impl DeliveryStatus {
    /// Says how far a delivery is.
    pub fn of(delivery: DeliveryRecord, failed: Vec<FailedAttempt>) -> Self {
        let DeliveryRecord { id, receiver, state, due_us, attempts, .. } = delivery;
        let failed = failed.into_iter().map(Into::into).collect();
        Self { id: id.to_string(), handler: receiver, state, due: rfc3339(due_us), attempts, failed }
    }
}

/// A page of what is in the queue, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeliveryPage {
    /// What waits, runs and is held.
    pub deliveries: Vec<QueuedDelivery>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<String>,
}

/// Something in the queue: an event on its way to a handler, or a due time of a schedule.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct QueuedDelivery {
    /// Names it.
    pub id: String,
    /// The function that it is for.
    pub function: FunctionName,
    /// The id of its handler, or of its schedule.
    pub receiver: String,
    /// The topic of its event; none: it is a due time of a schedule.
    pub topic: Option<String>,
    /// The id of its event.
    pub event: Option<String>,
    /// How far it is.
    pub state: DeliveryState,
    /// When it is due; of one that runs, when another node may take it.
    pub due: String,
    /// Attempts so far.
    pub attempts: u32,
}

impl From<DeliveryRecord> for QueuedDelivery {
    fn from(delivery: DeliveryRecord) -> Self {
        let DeliveryRecord { id, receiver, event, state, due_us, attempts } = delivery;
        let (topic, event) = event.map(|(topic, id)| (topic.to_string(), id)).unzip();
        Self { id: id.to_string(), function: function_of(&receiver), receiver, topic, event, state, due: rfc3339(due_us), attempts }
    }
}

/// An attempt that did not end well.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AttemptFailure {
    /// Which; the first is 1.
    pub attempt: u32,
    /// When it ended.
    pub time: String,
    /// The run, if there was one.
    pub execution: Option<ExecutionId>,
    /// The version of the function that ran.
    pub version: Option<Version>,
    /// Why, with file and line.
    pub error: String,
}

impl From<FailedAttempt> for AttemptFailure {
    fn from(FailedAttempt { attempt, time_us, execution, version, error }: FailedAttempt) -> Self {
        Self { attempt, time: rfc3339(time_us), execution, version, error }
    }
}

/// A page of dead letters, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterPage {
    /// What was given up.
    pub dead_letters: Vec<DeadLetter>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<String>,
}

/// Something that was given up.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// Names it.
    pub id: String,
    /// The function that did not manage it.
    pub function: FunctionName,
    /// The id of its handler, or of its schedule.
    pub receiver: String,
    /// The topic of its event; none: it was a due time of a schedule.
    pub topic: Option<String>,
    /// The id of its event.
    pub event: Option<String>,
    /// Ordered it among others.
    pub key: Option<String>,
    /// Attempts.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
    /// Why its last attempt failed, with file and line; none: nothing of it ran.
    pub last_error: Option<String>,
    /// When.
    pub time: String,
    /// The function is live in another version than the one that failed: it may be mended.
    pub has_changed: bool,
}

impl DeadLetter {
    /// Says what was given up. `live` finds the version of a function that is live.
    pub fn of(letter: DeadLetterRecord, live: impl FnOnce(&FunctionName) -> Option<Version>) -> Self {
        let DeadLetterRecord { id, receiver, event, key, attempts, reason, died_us, version, last_error } = letter;
        let function = function_of(&receiver);
        let has_changed = live(&function).zip(version).is_some_and(|(live, failed)| live != failed);
        let (topic, event) = event.map(|(topic, id)| (topic.to_string(), id)).unzip();
        Self {
            id: id.to_string(),
            function,
            receiver,
            topic,
            event,
            key,
            attempts,
            reason,
            last_error,
            time: rfc3339(died_us),
            has_changed,
        }
    }
}

/// Something that was given up, with every attempt.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterDetail {
    /// The dead letter itself.
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// The attempts.
    pub failed: Vec<AttemptFailure>,
}

/// Which dead letters are tried again, or thrown away. At least one key is there.
#[derive(Debug, Default, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterOrder {
    /// Only this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only those of this function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Only those of functions whose names begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Only those of events about this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Only those that were given up since then: a span (`2h`) or a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// All of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// So many are expected. Where there is another number nothing is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
}

/// What became of dead letters.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterChanges {
    /// So many are in the queue again, or gone.
    pub changed: u64,
}
