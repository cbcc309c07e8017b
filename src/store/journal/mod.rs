//! Takes finished executions from the request path, and brings them to the store in batches.
//!
//! A request only pushes onto a list. One task takes the list away, at most every `flush_interval`. With nothing to do it sleeps without a timer.
//!
//! While the store is away, batches wait in the [`spool`]. Later executions wait behind them, so the order stays. The store ignores ids that it
//! has, so a batch is not written twice if only the answer to it was lost.

mod delivery;
pub mod feed;
mod retry;
pub mod spool;
mod stats;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use delivery::Extent;
use feed::Feed;
use retry::Retry;
use spool::Spool;
use stats::Problems;
pub use stats::{JournalProblems, Stats, WriteTotals};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::Store;
use crate::{
    execution::Execution,
    stats::{Run, RunKey, RunTally},
};

/// The limits of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalSettings {
    /// Executions held in memory. New ones beyond this number are dropped and counted.
    pub queue: usize,
    /// Executions in one statement.
    pub batch: usize,
    /// The longest that an execution waits for others, to be written together with them.
    pub flush_interval: Duration,
    /// Bytes on disk for executions while the database is away. The oldest beyond them are dropped and counted.
    pub spool_bytes: u64,
    /// Bytes of kept requests held in memory. Executions beyond them lose their request, and are counted.
    pub capture_bytes: usize,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self { queue: 20_000, batch: 1_000, flush_interval: Duration::from_millis(100), spool_bytes: 64 << 20, capture_bytes: 32 << 20 }
    }
}

/// The folder of the spool, in the data folder.
pub const SPOOL: &str = "spool";
/// The journal of executions: a cheap handle to be cloned.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    settings: JournalSettings,
    queue: Mutex<Queue>,
    /// The queue is no longer empty.
    filled: Notify,
    /// The queue holds a whole batch.
    batch_is_full: Notify,
    /// A store came, perhaps after the spool had something.
    connected: Notify,
    store: Mutex<Option<Store>>,
    /// Locked during a delivery, so that batches go one after the other.
    retry: tokio::sync::Mutex<Retry>,
    /// Work on it blocks, so it is locked on threads that may block only.
    spool: Mutex<Spool>,
    spool_has_rows: AtomicBool,
    spooled_bytes: AtomicU64,
    spool_dropped: AtomicU64,
    spool_torn: AtomicU64,
    overflowed: AtomicU64,
    uncaptured: AtomicU64,
    refused: AtomicU64,
    is_away: AtomicBool,
    /// Why the database does not answer; none: it does, or is only slow.
    outage: watch::Sender<Option<String>>,
    written: watch::Sender<WriteTotals>,
    /// The node stops: what the store does not take at once goes to the spool.
    is_stopping: CancellationToken,
    on_written: OnceLock<OnWritten>,
    /// Gets executions when they are in the store, or on disk.
    feed: Feed,
    problems: Mutex<Problems>,
    /// What unrecorded runs come to, on its way to the store.
    uncounted: Mutex<PendingCounts>,
}

/// What unrecorded runs come to.
#[derive(Default)]
struct PendingCounts {
    tally: RunTally<RunKey>,
    /// Since when something waits.
    since: Option<Instant>,
}

/// Executions that wait, and the bytes of their kept requests; and runs that are only counted.
#[derive(Default)]
struct Queue {
    executions: Vec<Execution>,
    capture_bytes: usize,
    runs: Vec<Run>,
}

impl Queue {
    fn len(&self) -> usize {
        self.executions.len() + self.runs.len()
    }
}

/// Counts of unrecorded runs that wait in memory: so many functions and minutes. Those beyond are lost while the database is away.
const MAX_UNCOUNTED: usize = 10_000;
/// How long counts of unrecorded runs wait for others, so that a busy node does not write for each batch.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// Is called with the executions that have reached the store.
pub type OnWritten = Box<dyn Fn(&[Execution]) + Send + Sync>;

impl Shared {
    fn problems(&self) -> MutexGuard<'_, Problems> {
        self.problems.lock().expect("nothing panics while it holds the problems")
    }
}

impl Journal {
    /// Opens the journal with what an earlier process left in the spool of this data folder.
    pub fn open(data_dir: &Path, settings: JournalSettings) -> std::io::Result<Self> {
        let spool = Spool::open(data_dir.join(SPOOL), settings.spool_bytes)?;
        Ok(Self(Arc::new(Shared {
            settings,
            queue: Mutex::default(),
            filled: Notify::new(),
            batch_is_full: Notify::new(),
            connected: Notify::new(),
            store: Mutex::default(),
            retry: tokio::sync::Mutex::default(),
            spool_has_rows: AtomicBool::new(!spool.is_empty()),
            spooled_bytes: AtomicU64::new(spool.bytes()),
            spool_dropped: AtomicU64::new(spool.lost().dropped),
            spool_torn: AtomicU64::new(0),
            spool: Mutex::new(spool),
            overflowed: AtomicU64::new(0),
            uncaptured: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            is_away: AtomicBool::new(false),
            outage: watch::Sender::default(),
            written: watch::Sender::default(),
            is_stopping: CancellationToken::new(),
            on_written: OnceLock::new(),
            feed: Feed::default(),
            problems: Mutex::default(),
            uncounted: Mutex::default(),
        })))
    }

    /// Takes one execution. Never blocks. If the queue is full, the execution is dropped and counted.
    pub fn record(&self, mut execution: Execution) {
        self.queue(|queue| {
            if let Some(capture) = &execution.capture {
                let bytes = queue.capture_bytes + capture.size();
                if bytes > self.0.settings.capture_bytes {
                    self.0.uncaptured.fetch_add(1, Ordering::Relaxed);
                    (execution.capture, execution.captured) = (None, false);
                } else {
                    queue.capture_bytes = bytes;
                }
            }
            queue.executions.push(execution);
        });
    }

    /// Takes what is counted of an execution that is not recorded. Never blocks.
    pub fn count(&self, run: Run) {
        self.queue(|queue| queue.runs.push(run));
    }

    fn queue(&self, push: impl FnOnce(&mut Queue)) {
        let length = {
            let mut queue = self.0.queue.lock().expect("nothing panics while it holds the queue");
            if queue.len() >= self.0.settings.queue {
                self.0.overflowed.fetch_add(1, Ordering::Relaxed);
                return;
            }
            push(&mut queue);
            queue.len()
        };
        if length == 1 {
            self.0.filled.notify_one();
        }
        if length == self.0.settings.batch {
            self.0.batch_is_full.notify_one();
        }
    }

    /// Gives the journal its store. Until then executions go to the spool.
    pub fn connect(&self, store: Store) {
        *self.0.store.lock().expect("nothing panics while it holds the store") = Some(store);
        self.0.connected.notify_one();
    }

    /// Sets what is called with each batch that reaches the store. Only the first call has an effect.
    pub fn tell(&self, on_written: OnWritten) {
        let _ = self.0.on_written.set(on_written);
    }

    /// Returns the number of executions that reached the store, as a channel that tells of each change.
    pub fn written(&self) -> watch::Receiver<WriteTotals> {
        self.0.written.subscribe()
    }

    /// Returns why the database does not answer, as far as executions are brought there, as a channel that tells of each change.
    pub fn outage(&self) -> watch::Receiver<Option<String>> {
        self.0.outage.subscribe()
    }

    /// Returns the feed of written executions.
    pub fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// Delivers executions until the node stops, and then the last ones.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let retry_at = self.0.retry.lock().await.at();
            let counts_due = self.0.counts_due().filter(|_| retry_at.is_none());
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.0.connected.notified() => {}
                () = at(retry_at) => {}
                () = at(counts_due) => {}
                () = self.0.filled.notified() => tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = self.0.batch_is_full.notified() => {}
                    () = tokio::time::sleep(self.0.settings.flush_interval) => {}
                },
            }
            self.0.deliver(Extent::Regular).await;
        }
        self.flush().await;
    }

    /// Brings everything to the store within this time, and the rest to the spool.
    pub async fn close(&self, limit: Duration) {
        let mut flushing = std::pin::pin!(self.flush());
        if tokio::time::timeout(limit, &mut flushing).await.is_err() {
            self.0.is_stopping.cancel();
            flushing.await;
        }
    }

    /// Brings everything to the store now, or to the spool if the store is away.
    pub async fn flush(&self) {
        self.0.retry.lock().await.clear();
        self.0.deliver(Extent::Everything).await;
    }
}

/// Waits until a moment, or for ever where there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
