//! Claims deliveries that are due, runs them, and settles them together.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    order::RunOrder,
    run::{DeliveryRunner, LEASE_US},
};
use crate::{
    clock::SharedClock,
    queue::{ClaimRequest, Settlement, SharedQueue},
};

/// What the dispatcher may do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispatchLimits {
    /// Deliveries that run at once.
    pub concurrency: usize,
}

impl Default for DispatchLimits {
    fn default() -> Self {
        Self { concurrency: 64 }
    }
}

/// Deliveries of one claim, and attempts that are settled together.
const MAX_BATCH: usize = 50;
/// Longest sleep: the clock may be set, and another program may have written into the database.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The wait after the queue did not answer.
const AWAY_WAIT: Duration = Duration::from_secs(1);

/// Runs what is due.
pub struct Dispatcher {
    queue: SharedQueue,
    runner: Arc<DeliveryRunner>,
    clock: SharedClock,
    places: Arc<Semaphore>,
    orders: mpsc::Receiver<RunOrder>,
}

impl Dispatcher {
    /// Makes it; nothing runs yet.
    pub fn new(queue: SharedQueue, runner: DeliveryRunner, orders: mpsc::Receiver<RunOrder>, limits: DispatchLimits) -> Self {
        let clock = runner.clock.clone();
        Self { queue, runner: Arc::new(runner), clock, places: Arc::new(Semaphore::new(limits.concurrency)), orders }
    }

    /// Runs what is due until the node stops, and settles what runs then.
    pub async fn run(mut self, stop: CancellationToken) {
        let (ended, endings) = mpsc::channel(MAX_BATCH);
        let settling = tokio::spawn(settle(self.queue.clone(), self.clock.clone(), endings));
        let mut runs = JoinSet::new();
        let (mut woken, mut swaps) = (self.queue.woken(), self.runner.live.swaps());
        loop {
            let sleep = match self.start_due(&mut runs, &ended).await {
                // There may be more.
                Some(started) if started == MAX_BATCH => Duration::ZERO,
                Some(_) => self.until_next().await,
                None => AWAY_WAIT,
            };
            tokio::select! {
                () = stop.cancelled() => break,
                _ = woken.changed() => {}
                Some(order) = self.orders.recv() => self.start(order, &mut runs, &ended),
                _ = swaps.changed() => self.release().await,
                () = tokio::time::sleep(sleep) => {}
                Some(_) = runs.join_next(), if !runs.is_empty() => {}
            }
        }
        // Runs that have begun end with the grace period of the node, as requests do.
        drop(ended);
        while runs.join_next().await.is_some() {}
        let _ = settling.await;
    }

    /// Starts what is due, as much as there are places for. Returns how many; none if the queue does not answer.
    async fn start_due(&self, runs: &mut JoinSet<()>, ended: &mpsc::Sender<Settlement>) -> Option<usize> {
        let most = self.places.available_permits().min(MAX_BATCH);
        if most == 0 || !self.runner.live.table().is_loaded() {
            return Some(0);
        }
        let now_us = self.clock.now_us();
        let claimed = self.queue.claim(ClaimRequest { now_us, until_us: now_us + LEASE_US, most }).await.ok()?;
        let started = claimed.len();
        for delivery in claimed {
            let place = self.places.clone().acquire_owned().await.expect("nobody closes it");
            let (runner, ended) = (self.runner.clone(), ended.clone());
            runs.spawn(async move {
                let (settled, _) = runner.run(&delivery).await;
                drop(place);
                let _ = ended.send(settled).await;
            });
        }
        Some(started)
    }

    /// Starts what somebody waits for. It needs no place: whoever asked is counted where it asked.
    fn start(&self, order: RunOrder, runs: &mut JoinSet<()>, ended: &mpsc::Sender<Settlement>) {
        let (runner, ended) = (self.runner.clone(), ended.clone());
        runs.spawn(async move {
            let (settled, report) = runner.run(&order.delivery).await;
            let _ = ended.send(settled).await;
            // Nobody hears it who has left.
            let _ = order.answer.send(report);
        });
    }

    /// Returns how long nothing is due.
    async fn until_next(&self) -> Duration {
        if self.places.available_permits() == 0 {
            return LONGEST_SLEEP;
        }
        match self.queue.next_due().await {
            Ok(None) => LONGEST_SLEEP,
            Ok(Some(due_us)) => {
                let wait = Duration::from_micros(due_us.saturating_sub(self.clock.now_us()).max(0) as u64);
                wait.min(LONGEST_SLEEP)
            }
            Err(_) => AWAY_WAIT,
        }
    }

    /// Lets what waited for functions be claimed, that are live now.
    async fn release(&self) {
        let table = self.runner.live.table();
        let receivers = table.triggers().receivers();
        // The queue has logged why not; the next swap or start tries again.
        let _ = self.queue.release(receivers, self.clock.now_us()).await;
    }
}

/// Settles what ends, together as much as has ended meanwhile. What cannot be settled is tried until its lease ends.
async fn settle(queue: SharedQueue, clock: SharedClock, mut endings: mpsc::Receiver<Settlement>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while endings.recv_many(&mut batch, MAX_BATCH).await > 0 {
        while queue.settle(batch.clone(), clock.now_us()).await.is_err() {
            tokio::time::sleep(AWAY_WAIT).await;
        }
        batch.clear();
    }
}
