//! How many deliveries may run, and how many may be claimed before there is a place for them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout,
};

use super::lease::PLACE_WAIT;

/// Deliveries of one claim, and attempts that are settled together.
pub const MAX_BATCH: usize = 128;
/// How long a claim waits for more places while more is due than there are, so that it is worth its transaction.
const GATHER: Duration = Duration::from_millis(2);

/// The places of the deliveries that run, and of those that are claimed ahead.
///
/// As many are claimed ahead as have ended since the claim before: where runs are short, one batch waits while the next is claimed and the last is
/// settled; where they are long, next to nothing waits.
pub struct Places {
    running: Arc<Semaphore>,
    /// What is claimed and not yet handed over to be settled.
    claimed: Arc<Semaphore>,
    /// Attempts that have ended since the last claim.
    ended: AtomicUsize,
    half: usize,
}

impl Places {
    /// Lets so many run at once.
    pub fn new(concurrency: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(concurrency)),
            claimed: Arc::new(Semaphore::new(concurrency + MAX_BATCH)),
            ended: AtomicUsize::new(0),
            half: (concurrency / 2).clamp(1, MAX_BATCH),
        }
    }

    /// Returns how many deliveries are worth a claim now.
    pub fn wanted(&self) -> usize {
        let wanted = self.running.available_permits() + self.ended.load(Relaxed);
        wanted.min(MAX_BATCH).min(self.claimed.available_permits())
    }

    /// Begins to count what ends anew.
    pub fn claims(&self) {
        self.ended.store(0, Relaxed);
    }

    /// Takes room for a delivery that is claimed, until it is handed over to be settled.
    pub async fn claim(&self) -> OwnedSemaphorePermit {
        self.claimed.clone().acquire_owned().await.expect("nobody closes it")
    }

    /// Waits for a place to run at. None: there is none for long.
    pub async fn run(&self) -> Option<OwnedSemaphorePermit> {
        timeout(PLACE_WAIT, self.running.clone().acquire_owned()).await.ok()?.ok()
    }

    /// Counts an attempt that has ended.
    pub fn ends(&self) {
        self.ended.fetch_add(1, Relaxed);
    }

    /// Waits until a claim is worth its transaction: half of the places are wanted, or some for a while.
    pub async fn wait(&self, runs: &mut JoinSet<()>) {
        while self.wanted() == 0 && runs.join_next().await.is_some() {}
        let half_are_free = async { while self.wanted() < self.half && runs.join_next().await.is_some() {} };
        let _ = timeout(GATHER, half_are_free).await;
    }
}
