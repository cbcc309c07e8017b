//! The journal loses nothing that it promised to keep, keeps the order, and writes each execution once.

use std::{sync::Arc, time::Duration};

use picloud::{
    clock::Clock,
    execution::Execution,
    id::{ExecutionId, first_id_at},
    store::{ExecutionFilter, Journal, JournalSettings, Retention, Store, journal::Stats, queue::QueueLimits, retention},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::kit::{
    proxy::Proxy,
    store::{Fresh, NOW_US, execution, ids, on_both, until},
};

on_both! {
    what_is_recorded_reaches_the_store
    shutting_down_brings_the_last_ones_home
    a_store_that_comes_late_gets_everything_in_order
    one_bad_execution_does_not_take_the_others_along
    old_executions_go_after_new_ones_came
    old_executions_go_when_they_are_too_many_bytes
}

/// A journal that runs.
struct Running {
    journal: Journal,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(folder: &TempDir, settings: JournalSettings) -> Self {
        let journal = Journal::open(folder.path(), settings).unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(journal.clone().run(shutdown.clone()));
        Self { journal, shutdown, task }
    }

    fn record(&self, ids: std::ops::Range<i64>) {
        ids.map(execution).for_each(|execution| self.journal.record(execution));
    }

    async fn stop(self) -> Stats {
        self.shutdown.cancel();
        self.task.await.unwrap();
        self.journal.stats()
    }

    async fn until_written(&self, count: u64) {
        until("all are written", async || self.journal.stats().written >= count).await;
    }

    async fn until_spooled(&self) {
        until("the queue is in the spool", async || self.journal.stats().spooled_bytes > 0 && self.journal.stats().queued == 0).await;
    }
}

async fn all(store: &Store) -> Vec<i64> {
    let newest_first = store.executions(&ExecutionFilter { limit: 1_000_000, ..ExecutionFilter::default() }).await.unwrap();
    let mut ids = ids(&newest_first);
    ids.reverse();
    ids
}

async fn what_is_recorded_reaches_the_store(fresh: Fresh) {
    let store = fresh.open().await;
    let running = Running::start(&fresh.folder, JournalSettings::default());
    running.journal.connect(store.clone());
    running.record(0..1);
    running.until_written(1).await;
    running.record(1..5000);
    running.until_written(5000).await;
    assert_eq!(all(&store).await, (0..5000).collect::<Vec<_>>());
    assert_eq!(running.stop().await, Stats { written: 5000, ..Stats::default() });
}

async fn shutting_down_brings_the_last_ones_home(fresh: Fresh) {
    let store = fresh.open().await;
    let running =
        Running::start(&fresh.folder, JournalSettings { flush_interval: Duration::from_secs(3600), ..JournalSettings::default() });
    running.journal.connect(store.clone());
    running.record(0..10);
    assert_eq!(running.stop().await.written, 10);
    assert_eq!(all(&store).await, (0..10).collect::<Vec<_>>());
}

async fn a_store_that_comes_late_gets_everything_in_order(fresh: Fresh) {
    let running = Running::start(&fresh.folder, JournalSettings::default());
    running.record(0..1500);
    running.until_spooled().await;
    let stats = running.stop().await;
    assert_eq!((stats.written, stats.dropped), (0, 0));
    // The next process finds them, and new ones go behind them.
    let running = Running::start(&fresh.folder, JournalSettings::default());
    running.record(1500..3000);
    let store = fresh.open().await;
    running.journal.connect(store.clone());
    running.until_written(3000).await;
    assert_eq!(all(&store).await, (0..3000).collect::<Vec<_>>());
    assert_eq!(running.stop().await, Stats { written: 3000, ..Stats::default() });
    assert_eq!(std::fs::read_dir(fresh.folder.path().join("spool")).unwrap().count(), 0);
}

async fn one_bad_execution_does_not_take_the_others_along(fresh: Fresh) {
    let store = fresh.open().await;
    if fresh.url == "sqlite" {
        // Postgres refuses a NUL in a text by itself.
        let pool = sqlx::SqlitePool::connect(fresh.sqlite_file().to_str().unwrap()).await.unwrap();
        sqlx::query("CREATE TRIGGER refuse BEFORE INSERT ON executions WHEN instr(NEW.path, 'bad') BEGIN SELECT RAISE(ABORT, 'no'); END")
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    }
    let running = Running::start(&fresh.folder, JournalSettings::default());
    running.journal.connect(store.clone());
    running.record(0..20);
    running.journal.record(Execution { path: "/bad\0".into(), ..execution(20) });
    running.record(21..40);
    running.until_written(39).await;
    running.record(40..41);
    assert_eq!(running.stop().await, Stats { written: 40, refused: 1, ..Stats::default() });
    assert_eq!(all(&store).await, (0..41).filter(|id| *id != 20).collect::<Vec<_>>());
}

struct Stopped;
impl Clock for Stopped {
    fn now_us(&self) -> i64 {
        NOW_US
    }
}

async fn old_executions_go_after_new_ones_came(fresh: Fresh) {
    let store = fresh.open().await;
    let running = Running::start(&fresh.folder, JournalSettings::default());
    running.journal.connect(store.clone());
    let settings = Retention { max_age: Duration::from_secs(60), max_count: 100, max_bytes: u64::MAX };
    let (written, shutdown) = (running.journal.written(), running.shutdown.clone());
    let retention = tokio::spawn(retention::run(store.clone(), settings, QueueLimits::default(), Arc::new(Stopped), written, shutdown));
    running.journal.record(Execution { id: ExecutionId(first_id_at(NOW_US - 61_000_000)), ..execution(0) });
    running.record(0..999);
    running.until_written(1_000).await;
    until("the old ones are gone", async || all(&store).await.len() <= 105).await;
    let left = all(&store).await;
    assert!(left.len() >= 100, "{}", left.len());
    assert_eq!(left, (999 - left.len() as i64..999).collect::<Vec<_>>());
    running.stop().await;
    retention.await.unwrap();
}

async fn old_executions_go_when_they_are_too_many_bytes(fresh: Fresh) {
    let store = fresh.open().await;
    let running = Running::start(&fresh.folder, JournalSettings::default());
    running.journal.connect(store.clone());
    let settings = Retention { max_bytes: 200_000, ..Retention::default() };
    let (written, shutdown) = (running.journal.written(), running.shutdown.clone());
    let retention = tokio::spawn(retention::run(store.clone(), settings, QueueLimits::default(), Arc::new(Stopped), written, shutdown));
    let path = "/".repeat(2_000);
    (0..1_000).for_each(|id| running.journal.record(Execution { path: path.as_str().into(), ..execution(id) }));
    running.until_written(1_000).await;
    until("the old ones are gone", async || all(&store).await.len() <= 100).await;
    let left = all(&store).await;
    assert!(left.len() >= 80, "{}", left.len());
    assert_eq!(left, (1_000 - left.len() as i64..1_000).collect::<Vec<_>>());
    running.stop().await;
    retention.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_postgres_loses_nothing() {
    let fresh = Fresh::postgres().await;
    let (proxy, url) = Proxy::before(&fresh.url).await;
    let running = Running::start(&fresh.folder, JournalSettings::default());
    running.journal.connect(Store::open(&url, fresh.folder.path()).await.unwrap());
    running.record(0..100);
    running.until_written(100).await;
    for outage in 0..3 {
        let from = 100 + outage * 3000;
        proxy.cut();
        running.record(from..from + 1500);
        running.until_spooled().await;
        running.record(from + 1500..from + 2000);
        proxy.restore();
        running.record(from + 2000..from + 3000);
        running.until_written(from as u64 + 3000).await;
    }
    until("the spool is empty", async || running.journal.stats().spooled_bytes == 0).await;
    // A batch whose answer was lost counts once.
    assert_eq!(running.stop().await, Stats { written: 9100, ..Stats::default() });
    assert_eq!(all(&fresh.open().await).await, (0..9100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_queue_drops_and_counts() {
    let folder = TempDir::new().unwrap();
    let journal = Journal::open(folder.path(), JournalSettings { queue: 10, ..JournalSettings::default() }).unwrap();
    (0..25).map(execution).for_each(|execution| journal.record(execution));
    assert_eq!(journal.stats(), Stats { queued: 10, dropped: 15, ..Stats::default() });
}

#[tokio::test]
async fn a_full_spool_drops_the_oldest_and_counts() {
    let fresh = Fresh::sqlite();
    let running = Running::start(&fresh.folder, JournalSettings { spool_bytes: 100_000, ..JournalSettings::default() });
    running.record(0..2000);
    running.until_spooled().await;
    let store = fresh.open().await;
    running.journal.connect(store.clone());
    until("the spool is empty", async || running.journal.stats().spooled_bytes == 0).await;
    let stats = running.stop().await;
    assert!(stats.dropped > 0 && stats.written + stats.dropped == 2000, "{stats:?}");
    assert_eq!(all(&store).await, (stats.dropped as i64..2000).collect::<Vec<_>>());
}
