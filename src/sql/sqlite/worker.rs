//! A thread with a connection. It does one piece of work after the other, and ends when nobody can give it any more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    thread::Builder,
    time::Instant,
};

use tokio::{sync::oneshot, time::timeout_at};

use super::connection::{Connection, FileOptions};
use crate::{blocking, clock::monotonic};

/// Operations of SQLite's machine after which it looks whether it should stop: some microseconds.
const OPERATIONS: i32 = 1_000;

type Work = Box<dyn FnOnce(&Connection) + Send>;

/// A connection on a thread of its own.
pub struct Worker {
    work: Sender<Work>,
    /// Set when the thread has ended before its time.
    has_ended: AtomicBool,
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
pub enum NoWorker {
    /// The file cannot be opened.
    #[error(transparent)]
    File(#[from] rusqlite::Error),
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Thread(std::io::Error),
    /// The thread ended.
    #[error("the thread of the database ended")]
    Ended,
}

/// Tells a piece of work that nobody waits for it.
#[derive(Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Returns whether nobody waits any more.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Cancels when whoever waits goes.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Worker {
    /// Opens a file on a new thread.
    pub async fn start(options: FileOptions) -> Result<Self, NoWorker> {
        let (sender, work) = mpsc::channel::<Work>();
        let (opened, is_open) = oneshot::channel();
        let run = move || {
            let connection = match options.open() {
                Ok(connection) => connection,
                Err(error) => return drop(opened.send(Err(error))),
            };
            if opened.send(Ok(())).is_ok() {
                work.into_iter().for_each(|work| work(&connection));
            }
        };
        blocking::spawn(Builder::new().name("sql".into()), run).map_err(|(_, error)| NoWorker::Thread(error))?;
        is_open.await.map_err(|_| NoWorker::Ended)??;
        Ok(Self { work: sender, has_ended: AtomicBool::new(false) })
    }

    /// Does some work, which SQLite stops at the deadline, or when this future is dropped. None: it did not end in time.
    pub async fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&Connection, &Cancel) -> T + Send + 'static,
    ) -> Option<T> {
        let cancel = Cancel::default();
        let _guard = CancelOnDrop(cancel.clone());
        let (reply, answer) = oneshot::channel();
        self.send(move |connection| {
            let stop = cancel.clone();
            let is_over = move || stop.is_cancelled() || monotonic() >= deadline;
            // Only a connection that somebody else owns can refuse this.
            let _ = connection.sqlite.progress_handler(OPERATIONS, Some(is_over));
            let _ = connection.sqlite.busy_timeout(super::BUSY_LIMIT.min(deadline.saturating_duration_since(monotonic())));
            let _ = reply.send(work(connection, &cancel));
        });
        let answered = timeout_at(deadline.into(), answer).await.ok()?;
        self.has_ended.fetch_or(answered.is_err(), Ordering::Relaxed);
        answered.ok()
    }

    /// Returns whether the thread can do more, as far as is known.
    pub fn is_alive(&self) -> bool {
        !self.has_ended.load(Ordering::Relaxed)
    }

    /// Does some work after what was asked for before. Nobody waits for it.
    pub fn send(&self, work: impl FnOnce(&Connection) + Send + 'static) {
        // A thread that has ended has closed its connection, which undoes everything.
        if self.work.send(Box::new(work)).is_err() {
            self.has_ended.store(true, Ordering::Relaxed);
        }
    }
}
