//! Runs of schedules that an operator asks for. Each is a delivery, so that it is not lost with the node; whoever asked gets its outcome.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{lease::LEASE, run::RunReport};
use crate::{
    clock::SharedClock,
    function::schedule::ScheduleId,
    queue::{Delivery, QueueError, SharedQueue, Tick},
};

/// Orders that wait for the dispatcher. Those who bring more wait themselves.
const MAX_ORDERS: usize = 16;

/// A delivery that somebody waits for.
pub struct RunOrder {
    pub(super) delivery: Delivery,
    /// Gets none if there was nothing to run.
    pub(super) answer: oneshot::Sender<Option<RunReport>>,
}

/// Takes orders to run schedules now. Cheap to clone.
#[derive(Clone)]
pub struct RunOrders {
    queue: SharedQueue,
    clock: SharedClock,
    orders: mpsc::Sender<RunOrder>,
}

impl RunOrders {
    /// Makes it, and what the dispatcher takes orders from.
    pub fn new(queue: SharedQueue, clock: SharedClock) -> (Self, mpsc::Receiver<RunOrder>) {
        let (orders, taken) = mpsc::channel(MAX_ORDERS);
        (Self { queue, clock, orders }, taken)
    }

    /// Runs a schedule now, with this JSON in place of its own input. Returns none if it is not live any more. The run goes on if whoever asked
    /// leaves, and comes again if the node does not live to settle it.
    pub async fn run(&self, schedule: ScheduleId, input: Option<Box<str>>) -> Result<Option<RunReport>, QueueError> {
        let now_us = self.clock.now_us();
        let tick = Tick { due_us: now_us, missed: 0, is_manual: true, input };
        let delivery = self.queue.start_now(schedule, tick, now_us + LEASE.as_micros() as i64).await?;
        let (answer, report) = oneshot::channel();
        let stopped = || QueueError(Arc::from("the node stops, and the run comes again when its lease has ended"));
        self.orders.send(RunOrder { delivery, answer }).await.map_err(|_| stopped())?;
        report.await.map_err(|_| stopped())
    }
}
