//! Claims deliveries that are due, runs them, and settles them together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    lease::LEASE,
    order::RunOrder,
    places::{MAX_BATCH, Places},
    run::{DeliveryRunner, RunReport},
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
    places: Arc<Places>,
    orders: mpsc::Receiver<RunOrder>,
    /// What the end of the node waits for.
    under_way: TaskTracker,
    /// When the queue was asked last what is due; in milliseconds, as the coarse clock has it.
    asked_ms: AtomicU64,
}

/// What the dispatcher waits for.
struct Pause {
    sleep: Duration,
    after: AfterPause,
}

/// Why something may be due after a pause. A run that starts or a table that is swapped ends the pause, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterPause {
    /// It is known what is due then.
    Due,
    /// Nothing is known to be due: only the queue knows what else has come.
    Unknown,
    /// There are too few places for what is due: the end of a run ends the pause.
    Places,
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
        let places = Arc::new(Places::new(limits.concurrency));
        Self { queue, runner: Arc::new(runner), clock, places, orders, under_way, asked_ms: AtomicU64::new(0) }
    }

    /// Runs what is due until the node stops, and settles what runs then.
    pub async fn run(mut self, stop: CancellationToken) {
        let (ended, endings) = mpsc::channel(MAX_BATCH);
        let settling = tokio::spawn(settle(self.queue.clone(), self.clock.clone(), endings));
        let mut runs = JoinSet::new();
        let (mut woken, mut swaps) = (self.queue.woken(), self.runner.live.swaps());
        let mut may_be_due = true;
        loop {
            let Pause { sleep, after } = self.step(may_be_due, &mut runs, &ended).await;
            may_be_due = true;
            tokio::select! {
                () = stop.cancelled() => break,
                // Where places are short something is due anyway.
                _ = woken.changed(), if after != AfterPause::Places => {}
                Some(order) = self.orders.recv() => self.start(order, &mut runs, &ended),
                _ = swaps.changed() => self.release().await,
                () = tokio::time::sleep(sleep) => may_be_due = after != AfterPause::Unknown,
                () = self.places.wait(&mut runs), if after == AfterPause::Places => {}
            }
        }
        // Runs that have begun have the grace period of the node to end, as requests have.
        drop(ended);
        while runs.join_next().await.is_some() {}
        let _ = settling.await;
    }

    /// Starts what is due. Returns what to wait for then.
    async fn step(&self, may_be_due: bool, runs: &mut JoinSet<()>, ended: &mpsc::Sender<Ending>) -> Pause {
        while runs.try_join_next().is_some() {}
        if !self.runner.live.table().is_loaded() {
            // The first table wakes it.
            return Pause { sleep: LONGEST_SLEEP, after: AfterPause::Unknown };
        }
        if !may_be_due {
            let pause = self.until_next().await;
            if !pause.sleep.is_zero() {
                return pause;
            }
        }
        let most = self.places.wanted();
        match self.start_due(most, runs, ended).await {
            // There may be more.
            Some(MAX_BATCH) => Pause { sleep: Duration::ZERO, after: AfterPause::Due },
            Some(started) if started == most => self.until_places().await,
            Some(_) => self.until_next().await,
            None => Pause { sleep: AWAY_WAIT, after: AfterPause::Due },
        }
    }

    /// Starts what is due, at most so many. Returns how many; none if the queue does not answer.
    async fn start_due(&self, most: usize, runs: &mut JoinSet<()>, ended: &mpsc::Sender<Ending>) -> Option<usize> {
        if most == 0 {
            return Some(0);
        }
        self.places.claims();
        let now_us = self.clock.now_us();
        let claimed = self.queue.claim(ClaimRequest { now_us, until_us: now_us + LEASE.as_micros() as i64, most }).await.ok()?;
        let started = claimed.len();
        for delivery in claimed {
            let claim = self.places.claim().await;
            let (places, runner, ended) = (self.places.clone(), self.runner.clone(), ended.clone());
            runs.spawn(self.under_way.track_future(async move {
                let settled = match places.run().await {
                    Some(_place) => runner.run(&delivery).await.0,
                    None => runner.put_back(&delivery),
                };
                places.ends();
                let _ = ended.send(Ending { settled, answer: None }).await;
                // Not before: where settling is slow, what is claimed must not grow.
                drop(claim);
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

    /// Waits for places. Asks what is due now and then all the same, to say that it is late.
    async fn until_places(&self) -> Pause {
        if coarse_ms().saturating_sub(self.asked_ms.load(Relaxed)) >= LONGEST_SLEEP.as_millis() as u64 {
            self.until_next().await;
        }
        Pause { sleep: LONGEST_SLEEP, after: AfterPause::Places }
    }

    /// Returns how long nothing is due.
    async fn until_next(&self) -> Pause {
        self.asked_ms.store(coarse_ms(), Relaxed);
        let horizon_us = self.clock.now_us() + LONGEST_SLEEP.as_micros() as i64;
        let Ok(next) = self.queue.next_due(horizon_us).await else { return Pause { sleep: AWAY_WAIT, after: AfterPause::Due } };
        self.tell_if_late(next);
        let wait = |due_us: i64| Duration::from_micros(due_us.saturating_sub(self.clock.now_us()).max(0) as u64);
        match next.map(wait).filter(|wait| *wait < LONGEST_SLEEP) {
            Some(sleep) => Pause { sleep, after: AfterPause::Due },
            None => Pause { sleep: LONGEST_SLEEP, after: AfterPause::Unknown },
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
