//! Takes finished executions from the request path and brings them to the store in batches.
//!
//! A request only pushes onto a list. One task takes the list away at most every `flush_interval`; with nothing to do it sleeps without a
//! timer. While the store is away batches wait in the [`spool`](super::spool), and what comes later waits behind them, so order is kept;
//! the store ignores ids that it has, so a batch that arrived although its answer was lost is not there twice.

use std::{
    mem,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Store, StoreError,
    feed::Feed,
    spool::{Batch, Spool},
};
use crate::{blocking, clock::monotonic, execution::Execution};

/// How the journal works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Executions held in memory; beyond it new ones are dropped and counted.
    pub queue: usize,
    /// Executions in one statement.
    pub batch: usize,
    /// The longest that an execution waits for others to go with it.
    pub flush_interval: Duration,
    /// Bytes on disk for executions while the database is away; beyond it the oldest are dropped and counted.
    pub spool_bytes: u64,
    /// Bytes of requests, kept to be run again, that are held in memory; beyond it executions go without and are counted.
    pub capture_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { queue: 20_000, batch: 1_000, flush_interval: Duration::from_millis(100), spool_bytes: 64 << 20, capture_bytes: 32 << 20 }
    }
}

/// What the journal has done, and what waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// In memory.
    pub queued: u64,
    /// On disk, because the database is or was away.
    pub spooled_bytes: u64,
    /// In the store.
    pub written: u64,
    /// Lost, because the queue or the spool was full.
    pub dropped: u64,
    /// Refused by the store, each for itself.
    pub refused: u64,
    /// Lines of the spool that a killed process left unfinished.
    pub torn: u64,
    /// The database did not take what it was given last.
    pub is_away: bool,
    /// Recorded without their request, which was to be kept, because too many waited.
    pub uncaptured: u64,
}

/// Executions that reached the store since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// So many.
    pub executions: u64,
    /// Their bytes there, about.
    pub bytes: u64,
}

/// The folder of the spool, in the data folder.
pub const SPOOL: &str = "spool";
/// Shortest and longest wait between two attempts to reach a store that is away.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How long the store may take for a batch that is nowhere else yet. Longer, and the batch goes to the spool, so that neither it nor the
/// queue behind it has to wait in memory.
const FIRST_LIMIT: Duration = Duration::from_millis(500);
/// How long the store may take for a batch that is in the spool.
const REPLAY_LIMIT: Duration = Duration::from_secs(10);

/// The journal of executions: a cheap handle to be cloned.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    settings: Settings,
    queue: Mutex<Queue>,
    /// The queue is no longer empty.
    filled: Notify,
    /// The queue holds a whole batch.
    batch_is_full: Notify,
    /// A store came, perhaps after the spool had something.
    connected: Notify,
    store: Mutex<Option<Store>>,
    /// Held by whoever brings executions away, so that batches go one after the other.
    writer: tokio::sync::Mutex<Writer>,
    /// Blocking: used on the blocking pool only.
    spool: Mutex<Spool>,
    spool_has_rows: AtomicBool,
    spooled_bytes: AtomicU64,
    spool_dropped: AtomicU64,
    spool_torn: AtomicU64,
    overflowed: AtomicU64,
    uncaptured: AtomicU64,
    refused: AtomicU64,
    is_away: AtomicBool,
    written: watch::Sender<Written>,
    /// The node ends: what the store does not take at once goes to the spool.
    hurry: CancellationToken,
    on_written: OnceLock<OnWritten>,
    /// Hears of executions when they are in the store, or on disk.
    feed: Feed,
    troubles: Mutex<Troubles>,
}

/// Executions that wait, and the bytes of their requests.
#[derive(Default)]
struct Queue {
    executions: Vec<Execution>,
    capture_bytes: usize,
}

/// Is told which executions have reached the store.
pub type OnWritten = Box<dyn Fn(&[Execution]) + Send + Sync>;

/// What keeps executions from the store just now.
#[derive(Debug, Clone, Default)]
struct Troubles {
    /// Why the store did not take the last batch.
    store: Option<String>,
    /// Why the spool did not take the last one that the store did not.
    spool: Option<String>,
}

/// When to try the store again while it is away.
struct Writer {
    retry_at: Option<Instant>,
    delay: Duration,
}

impl Writer {
    fn wait_longer(&mut self) {
        self.retry_at = Some(monotonic() + self.delay);
        self.delay = (self.delay * 2).min(RETRY.1);
    }
}

impl Journal {
    /// Opens the journal with what an earlier process left in the spool of this data folder.
    pub fn open(data_dir: &Path, settings: Settings) -> std::io::Result<Self> {
        let spool = Spool::open(data_dir.join(SPOOL), settings.spool_bytes)?;
        Ok(Self(Arc::new(Shared {
            settings,
            queue: Mutex::default(),
            filled: Notify::new(),
            batch_is_full: Notify::new(),
            connected: Notify::new(),
            store: Mutex::default(),
            writer: tokio::sync::Mutex::new(Writer { retry_at: None, delay: RETRY.0 }),
            spool_has_rows: AtomicBool::new(!spool.is_empty()),
            spooled_bytes: AtomicU64::new(spool.bytes()),
            spool_dropped: AtomicU64::new(spool.lost().dropped),
            spool_torn: AtomicU64::new(0),
            spool: Mutex::new(spool),
            overflowed: AtomicU64::new(0),
            uncaptured: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            is_away: AtomicBool::new(false),
            written: watch::Sender::default(),
            hurry: CancellationToken::new(),
            on_written: OnceLock::new(),
            feed: Feed::default(),
            troubles: Mutex::default(),
        })))
    }

    /// Takes one execution. Never blocks; when the queue is full the execution is dropped and counted.
    pub fn record(&self, mut execution: Execution) {
        let length = {
            let mut queue = self.0.queue.lock().expect("nothing panics while it holds the queue");
            if queue.executions.len() >= self.0.settings.queue {
                self.0.overflowed.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if let Some(capture) = &execution.capture {
                let bytes = queue.capture_bytes + capture.size();
                if bytes > self.0.settings.capture_bytes {
                    self.0.uncaptured.fetch_add(1, Ordering::Relaxed);
                    execution.capture = None;
                } else {
                    queue.capture_bytes = bytes;
                }
            }
            queue.executions.push(execution);
            queue.executions.len()
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

    /// Has this told of each batch that reaches the store; to be called once.
    pub fn tell(&self, on_written: OnWritten) {
        let _ = self.0.on_written.set(on_written);
    }

    /// Returns how many executions reached the store, and says when it becomes more.
    pub fn written(&self) -> watch::Receiver<Written> {
        self.0.written.subscribe()
    }

    /// Returns what tells executions when they have been written.
    pub fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// Returns what has been done and what waits.
    pub fn stats(&self) -> Stats {
        Stats {
            queued: self.0.queue.lock().expect("nothing panics while it holds the queue").executions.len() as u64,
            spooled_bytes: self.0.spooled_bytes.load(Ordering::Relaxed),
            written: self.0.written.borrow().executions,
            dropped: self.0.overflowed.load(Ordering::Relaxed) + self.0.spool_dropped.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
            torn: self.0.spool_torn.load(Ordering::Relaxed),
            is_away: self.0.is_away.load(Ordering::Relaxed),
            uncaptured: self.0.uncaptured.load(Ordering::Relaxed),
        }
    }

    /// Returns what keeps executions from the store just now, a sentence each; empty if nothing does.
    pub fn problems(&self) -> Vec<String> {
        let troubles = self.0.troubles.lock().expect("nothing panics while it holds the troubles").clone();
        let mut problems = Vec::new();
        let bytes = self.0.spooled_bytes.load(Ordering::Relaxed);
        if bytes > 0 {
            let why = troubles.store.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            problems.push(format!("{bytes} bytes of executions wait on disk for the database{why}"));
        }
        if let Some(why) = troubles.spool {
            problems.push(format!("executions are lost: the database does not take them, and the spool neither: {why}"));
        }
        problems
    }

    /// Brings executions away until the node stops, and then the last ones.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let retry_at = self.0.writer.lock().await.retry_at.map(tokio::time::Instant::from_std);
            let retry = async {
                match retry_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.0.connected.notified() => {}
                () = retry => {}
                () = self.0.filled.notified() => tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = self.0.batch_is_full.notified() => {}
                    () = tokio::time::sleep(self.0.settings.flush_interval) => {}
                },
            }
            self.0.bring_away().await;
        }
        self.flush().await;
    }

    /// Brings everything to the store within this time, and what is left then to the spool.
    pub async fn close(&self, limit: Duration) {
        let mut flushing = std::pin::pin!(self.flush());
        if tokio::time::timeout(limit, &mut flushing).await.is_err() {
            self.0.hurry.cancel();
            flushing.await;
        }
    }

    /// Brings everything to the store now, or to the spool if the store is away.
    pub async fn flush(&self) {
        self.0.writer.lock().await.retry_at = None;
        self.0.bring_away().await;
    }
}

impl Shared {
    async fn bring_away(self: &Arc<Self>) {
        let mut writer = self.writer.lock().await;
        let store = self.store.lock().expect("nothing panics while it holds the store").clone();
        let Some(store) = store else { return self.spool(self.take_queue(), 0).await };
        if self.spool_has_rows.load(Ordering::Relaxed) && !self.replay(&store, &mut writer).await {
            return self.spool(self.take_queue(), 0).await;
        }
        let executions = self.take_queue();
        let mut written = 0;
        for batch in executions.chunks(self.settings.batch) {
            if let Err((outage, before_it)) = self.append(&store, batch, FIRST_LIMIT).await {
                self.put_off(&mut writer, &outage);
                self.feed.tell(&executions, written..written + before_it);
                return self.spool(executions, written + before_it).await;
            }
            self.feed.tell(&executions, written..written + batch.len());
            written += batch.len();
        }
        self.catch_up(&mut writer, written > 0);
    }

    /// Nothing waits any more: there is nothing to try again for.
    fn catch_up(&self, writer: &mut Writer, has_written: bool) {
        let was_away = writer.retry_at.take().is_some();
        writer.delay = RETRY.0;
        if has_written {
            let troubles = mem::take(&mut *self.troubles());
            if was_away || troubles.store.is_some() {
                tracing::info!("the database is back; every execution that was kept is in it");
            }
        }
    }

    fn troubles(&self) -> MutexGuard<'_, Troubles> {
        self.troubles.lock().expect("nothing panics while it holds the troubles")
    }

    /// Brings the spool to the store, and what comes meanwhile behind it. Returns whether the spool is empty.
    async fn replay(self: &Arc<Self>, store: &Store, writer: &mut Writer) -> bool {
        if writer.retry_at.is_some_and(|at| monotonic() < at) {
            return false;
        }
        // What is brought must still be the oldest when the store comes back, which may take a while; meanwhile a full spool drops those.
        if writer.retry_at.is_some() && !self.spooling_meanwhile(self.is_back(store)).await {
            writer.wait_longer();
            return false;
        }
        let limit = self.settings.batch;
        let mut has_written = false;
        loop {
            let batch = match self.on_spool(move |spool| spool.oldest(limit)).await {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "cannot read the spool of executions; they stay there for now");
                    writer.wait_longer();
                    return false;
                }
            };
            let append = self.append(store, &batch.executions, REPLAY_LIMIT);
            if let Err((error, _)) = self.spooling_meanwhile(append).await {
                self.put_off(writer, &error);
                return false;
            }
            has_written = true;
            self.advance(batch).await;
            // Nothing is before what came meanwhile. Through the spool it would never end while requests come.
            if !self.spool_has_rows.load(Ordering::Relaxed) {
                break;
            }
            self.spool(self.take_queue(), 0).await;
        }
        self.catch_up(writer, has_written);
        true
    }

    async fn is_back(&self, store: &Store) -> bool {
        tokio::select! {
            () = self.hurry.cancelled() => false,
            answers = store.answers() => answers,
        }
    }

    /// Waits for the store; the queue goes behind it at the usual pace.
    async fn spooling_meanwhile<T>(self: &Arc<Self>, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = tokio::time::sleep(self.settings.flush_interval) => self.spool(self.take_queue(), 0).await,
            }
        }
    }

    fn put_off(&self, writer: &mut Writer, outage: &Outage) {
        if self.troubles().store.replace(outage.to_string()).is_none() {
            tracing::warn!(error = %outage, "the database is away; executions wait in the spool");
        }
        writer.wait_longer();
    }

    /// Appends to the store; rows that it refuses for themselves are gone. After an outage says how many are settled one way or the other.
    async fn append(&self, store: &Store, executions: &[Execution], limit: Duration) -> Result<(), (Outage, usize)> {
        match self.try_append(store, executions, limit).await {
            Ok(()) => return Ok(()),
            Err(Failed::Outage(outage)) => return Err((outage, 0)),
            Err(Failed::Refused(_)) => {}
        }
        for (settled, execution) in executions.iter().enumerate() {
            match self.try_append(store, std::slice::from_ref(execution), limit).await {
                Ok(()) => {}
                Err(Failed::Outage(outage)) => return Err((outage, settled)),
                Err(Failed::Refused(error)) => self.refuse(execution, &error),
            }
        }
        Ok(())
    }

    fn refuse(&self, execution: &Execution, error: &StoreError) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let (id, function) = (execution.id, &execution.function);
        let error = error.explained();
        tracing::error!(execution.id = %id, function.name = %function, error, "the database refuses execution `{id}`; it is not recorded");
    }

    async fn try_append(&self, store: &Store, executions: &[Execution], limit: Duration) -> Result<(), Failed> {
        let answer = async {
            tokio::select! {
                biased;
                () = self.hurry.cancelled() => Err(Outage::Stopping),
                answer = tokio::time::timeout(limit, store.append_executions(executions)) => {
                    answer.map_err(|_| Outage::TimedOut(limit))
                }
            }
        };
        let appended = match answer.await {
            Ok(Ok(bytes)) => {
                self.written.send_modify(|written| {
                    written.executions += executions.len() as u64;
                    written.bytes += bytes;
                });
                if let Some(tell) = self.on_written.get() {
                    tell(executions);
                }
                Ok(())
            }
            Ok(Err(error)) if error.is_outage() => Err(Failed::Outage(Outage::Store(error))),
            Ok(Err(error)) => Err(Failed::Refused(error)),
            Err(outage) => Err(Failed::Outage(outage)),
        };
        self.is_away.store(matches!(appended, Err(Failed::Outage(_))), Ordering::Relaxed);
        appended
    }

    fn take_queue(&self) -> Arc<Vec<Execution>> {
        let mut queue = self.queue.lock().expect("nothing panics while it holds the queue");
        // As much room as was needed this time, so that requests rarely wait for a list that grows.
        let room = queue.executions.len().min(self.settings.batch);
        queue.capture_bytes = 0;
        Arc::new(mem::replace(&mut queue.executions, Vec::with_capacity(room)))
    }

    /// Brings executions to the spool, but for so many at the beginning.
    async fn spool(self: &Arc<Self>, executions: Arc<Vec<Execution>>, from: usize) {
        if executions.len() == from {
            return;
        }
        let spooled = executions.clone();
        let appended = self.on_spool(move |spool| spool.append(&spooled[from..])).await;
        let mut troubles = self.troubles();
        let was_losing = mem::replace(&mut troubles.spool, appended.err().map(|error| error.to_string()));
        match (&was_losing, &troubles.spool) {
            (None, Some(error)) => tracing::error!(error, "cannot write the spool; executions are lost"),
            (Some(_), None) => tracing::info!("the spool can be written again"),
            _ => {}
        }
        drop(troubles);
        self.feed.tell(&executions, from..executions.len());
    }

    async fn advance(self: &Arc<Self>, batch: Batch) {
        if let Err(error) = self.on_spool(move |spool| spool.advance(&batch)).await {
            tracing::error!(%error, "cannot remove a file of the spool that is in the database already");
        }
    }

    /// Works on the spool's files on a thread that may block.
    async fn on_spool<T: Send + 'static>(self: &Arc<Self>, work: impl FnOnce(&mut Spool) -> T + Send + 'static) -> T {
        let shared = self.clone();
        let done = blocking::run(move || {
            let mut spool = shared.spool.lock().expect("nothing panics while it holds the spool");
            let done = work(&mut spool);
            shared.spool_has_rows.store(!spool.is_empty(), Ordering::Relaxed);
            shared.spooled_bytes.store(spool.bytes(), Ordering::Relaxed);
            shared.spool_dropped.store(spool.lost().dropped, Ordering::Relaxed);
            shared.spool_torn.store(spool.lost().torn, Ordering::Relaxed);
            done
        });
        done.await.expect("work on the spool does not panic, and nobody aborts it")
    }
}

/// Why the store could not take anything just now.
#[derive(Debug, thiserror::Error)]
enum Outage {
    #[error("{}", .0.explained())]
    Store(StoreError),
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the node stops")]
    Stopping,
}

enum Failed {
    Outage(Outage),
    Refused(StoreError),
}
