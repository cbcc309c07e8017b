//! Runs of schedules that are under way on this node, so that the next due time can take their place.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::{
    function::schedule::ScheduleId,
    queue::{Delivery, DeliveryId, Load, Receiver},
};

/// The runs of schedules that are under way; as many as the dispatcher has begun.
#[derive(Default)]
pub struct TickRuns(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    runs: HashMap<DeliveryId, Entry>,
    /// The last due time of each schedule whose runs replace one another, in microseconds since 1970.
    last_us: HashMap<ScheduleId, i64>,
}

struct Entry {
    schedule: ScheduleId,
    due_us: i64,
    stop: CancellationToken,
}

/// One that is under way until this is dropped.
pub struct TickRun {
    runs: Arc<TickRuns>,
    delivery: DeliveryId,
    stop: CancellationToken,
}

impl TickRuns {
    /// A delivery begins to run. One of an event is not counted among them. One that was replaced while it waited for its place is stopped at once.
    pub fn begin(self: &Arc<Self>, delivery: &Delivery) -> TickRun {
        let stop = CancellationToken::new();
        if let (Receiver::Schedule(schedule), Load::Tick(tick)) = (&delivery.receiver, &delivery.load) {
            let mut entries = self.entries();
            if entries.last_us.get(schedule).is_some_and(|last_us| tick.due_us < *last_us) {
                stop.cancel();
            }
            entries.runs.insert(delivery.id, Entry { schedule: schedule.clone(), due_us: tick.due_us, stop: stop.clone() });
        }
        TickRun { runs: self.clone(), delivery: delivery.id, stop }
    }

    /// Stops the runs of a schedule that were due before this time, in microseconds since 1970, and those that begin later.
    pub fn stop_before(&self, schedule: &ScheduleId, due_us: i64) {
        let mut entries = self.entries();
        for entry in entries.runs.values().filter(|entry| entry.schedule == *schedule && entry.due_us < due_us) {
            entry.stop.cancel();
        }
        entries.last_us.insert(schedule.clone(), due_us);
    }

    /// Forgets the due times of schedules that are gone, or whose runs do not replace one another any more.
    pub fn keep_only(&self, is_replaced: impl Fn(&ScheduleId) -> bool) {
        self.entries().last_us.retain(|schedule, _| is_replaced(schedule));
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TickRun {
    /// Waits until another run takes its place.
    pub fn replaced(&self) -> WaitForCancellationFuture<'_> {
        self.stop.cancelled()
    }
}

impl Drop for TickRun {
    fn drop(&mut self) {
        self.runs.entries().runs.remove(&self.delivery);
    }
}
