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
pub struct TickRuns(Mutex<HashMap<DeliveryId, Entry>>);

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
    /// A delivery begins to run. One of an event is not counted among them.
    pub fn begin(self: &Arc<Self>, delivery: &Delivery) -> TickRun {
        let stop = CancellationToken::new();
        if let (Receiver::Schedule(schedule), Load::Tick(tick)) = (&delivery.receiver, &delivery.load) {
            let entry = Entry { schedule: schedule.clone(), due_us: tick.due_us, stop: stop.clone() };
            self.entries().insert(delivery.id, entry);
        }
        TickRun { runs: self.clone(), delivery: delivery.id, stop }
    }

    /// Stops the runs of a schedule that were due before this time, in microseconds since 1970.
    pub fn stop_before(&self, schedule: &ScheduleId, due_us: i64) {
        for entry in self.entries().values().filter(|entry| entry.schedule == *schedule && entry.due_us < due_us) {
            entry.stop.cancel();
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<DeliveryId, Entry>> {
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
        self.runs.entries().remove(&self.delivery);
    }
}
