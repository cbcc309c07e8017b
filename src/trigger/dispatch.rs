//! Claims deliveries that are due, runs them, and settles them together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    order::RunOrder,
    run::{DeliveryRunner, LEASE, RunReport},
};
use crate::{
    clock::{SharedClock, coarse_ms, monotonic, rfc3339},
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
/// How late the oldest delivery may be before the node says so.
const LATE: Duration = Duration::from_secs(60);

/// An attempt that has ended, and who hears of it when it is settled.
struct Ending {
    settled: Settlement,
    answer: Option<(oneshot::Sender<Option<RunReport>>, Option<RunReport>)>,
}

/// Runs what is due.
pub struct Dispatcher {
    queue: SharedQueue,
    runner: Arc<DeliveryRunner>,
    clock: SharedClock,
    places: Arc<Semaphore>,
    orders: mpsc::Receiver<RunOrder>,
    /// What the end of the node waits for.
    under_way: TaskTracker,
    /// When the queue was asked last what is due; in milliseconds, as the coarse clock has it.
    asked_ms: AtomicU64,
}

/// How long nothing is due.
struct Pause {
    sleep: Duration,
    /// Something may be due for which there was no place: the end of a run ends the pause.
    needs_places: bool,
}

impl Dispatcher {
    /// Makes it; nothing runs yet. What runs is tracked here.
    pub fn new(
        queue: SharedQueue,
        runner: DeliveryRunner,
        orders: mpsc::Receiver<RunOrder>,
        limits: DispatchLimits,
        under_way: TaskTracker,
    ) -> Self {
        let clock = runner.clock.clone();
        let places = Arc::new(Semaphore::new(limits.concurrency));
        Self { queue, runner: Arc::new(runner), clock, places, orders, under_way, asked_ms: AtomicU64::new(0) }
    }

    /// Takes over what ran when the node before ended, which had the database alone as this one has. Waits until the database answers.
    async fn take_over(&self) {
        while self.queue.take_over(self.clock.now_us()).await.is_err() {
            tokio::time::sleep(AWAY_WAIT).await;
        }
    }

    /// Runs what is due until the node stops, and settles what runs then.
    pub async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.take_over() => {}
            () = stop.cancelled() => return,
        }
        let (ended, endings) = mpsc::channel(MAX_BATCH);
        let settling = tokio::spawn(settle(self.queue.clone(), self.clock.clone(), endings));
        let mut runs = JoinSet::new();
        let (mut woken, mut swaps) = (self.queue.woken(), self.runner.live.swaps());
        loop {
            let Pause { sleep, needs_places } = self.step(&mut runs, &ended).await;
            tokio::select! {
                () = stop.cancelled() => break,
                _ = woken.changed() => {}
                Some(order) = self.orders.recv() => self.start(order, &mut runs, &ended),
                _ = swaps.changed() => self.release().await,
                () = tokio::time::sleep(sleep) => {}
                Some(_) = runs.join_next(), if needs_places && !runs.is_empty() => {}
            }
        }
        // Runs that have begun have the grace period of the node to end, as requests have.
        drop(ended);
        while runs.join_next().await.is_some() {}
        let _ = settling.await;
    }

    /// Starts what is due. Returns how long nothing else is.
    async fn step(&self, runs: &mut JoinSet<()>, ended: &mpsc::Sender<Ending>) -> Pause {
        while runs.try_join_next().is_some() {}
        if !self.runner.live.table().is_loaded() {
            // The first table wakes it.
            return Pause { sleep: LONGEST_SLEEP, needs_places: false };
        }
        let most = self.places.available_permits().min(MAX_BATCH);
        match self.start_due(most, runs, ended).await {
            // There may be more.
            Some(MAX_BATCH) => Pause { sleep: Duration::ZERO, needs_places: false },
            Some(started) => Pause { sleep: self.until_next().await, needs_places: started == most },
            None => Pause { sleep: AWAY_WAIT, needs_places: false },
        }
    }

    /// Starts what is due, at most so many. Returns how many; none if the queue does not answer.
    async fn start_due(&self, most: usize, runs: &mut JoinSet<()>, ended: &mpsc::Sender<Ending>) -> Option<usize> {
        if most == 0 {
            return Some(0);
        }
        let now_us = self.clock.now_us();
        let claimed = self.queue.claim(ClaimRequest { now_us, until_us: now_us + LEASE.as_micros() as i64, most }).await.ok()?;
        let started = claimed.len();
        for delivery in claimed {
            let place = self.places.clone().acquire_owned().await.expect("nobody closes it");
            let (runner, ended) = (self.runner.clone(), ended.clone());
            runs.spawn(self.under_way.track_future(async move {
                let (settled, _) = runner.run(&delivery).await;
                drop(place);
                let _ = ended.send(Ending { settled, answer: None }).await;
            }));
        }
        Some(started)
    }

    /// Starts what somebody waits for. It needs no place: whoever asked is counted where it asked.
    fn start(&self, order: RunOrder, runs: &mut JoinSet<()>, ended: &mpsc::Sender<Ending>) {
        let (runner, ended) = (self.runner.clone(), ended.clone());
        runs.spawn(self.under_way.track_future(async move {
            let (settled, report) = runner.run(&order.delivery).await;
            let _ = ended.send(Ending { settled, answer: Some((order.answer, report)) }).await;
        }));
    }

    /// Returns how long nothing is due.
    async fn until_next(&self) -> Duration {
        let now_ms = coarse_ms();
        if self.places.available_permits() == 0 && now_ms.saturating_sub(self.asked_ms.load(Relaxed)) < LONGEST_SLEEP.as_millis() as u64 {
            return LONGEST_SLEEP;
        }
        self.asked_ms.store(now_ms, Relaxed);
        let next = self.queue.next_due().await;
        if let Ok(next) = &next {
            self.tell_if_late(*next);
        }
        match next {
            Ok(None) => LONGEST_SLEEP,
            Ok(Some(due_us)) => {
                let wait = Duration::from_micros(due_us.saturating_sub(self.clock.now_us()).max(0) as u64);
                wait.min(LONGEST_SLEEP)
            }
            Err(_) => AWAY_WAIT,
        }
    }

    /// Says in the status of the node that deliveries are late, or that they are no longer.
    fn tell_if_late(&self, next_due_us: Option<i64>) {
        let is_late = |due_us: &i64| self.clock.now_us().saturating_sub(*due_us) > LATE.as_micros() as i64;
        let late = next_due_us.filter(is_late).map(|due_us| {
            format!(
                "events and schedules are late: the oldest has been due since {}; `picloud events topics` shows what waits",
                rfc3339(due_us)
            )
        });
        if self.runner.live.status().late != late {
            self.runner.live.set_status(|status| status.late.clone_from(&late));
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

/// Settles what ends, together as much as has ended meanwhile. What cannot be settled is tried for as long as a lease: then it is another's.
async fn settle(queue: SharedQueue, clock: SharedClock, mut endings: mpsc::Receiver<Ending>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while endings.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let began = monotonic();
        let (settled, answers): (Vec<Settlement>, Vec<_>) = batch.drain(..).map(|ending| (ending.settled, ending.answer)).unzip();
        while queue.settle(settled.clone(), clock.now_us()).await.is_err() && began.elapsed() < LEASE {
            tokio::time::sleep(AWAY_WAIT).await;
        }
        for (answer, report) in answers.into_iter().flatten() {
            // Nobody hears it who has left.
            let _ = answer.send(report);
        }
    }
}
