//! Who runs, who wants to, and who could.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    thread::Thread,
};

use tokio::time::Instant;

use super::{Job, wait::Turn};

pub struct State {
    /// Who wants a place, in the order of their coming.
    pub line: VecDeque<Turn>,
    /// Threads without a job. The one that has had nothing to do for longest is first.
    pub idle: VecDeque<Arc<Worker>>,
    /// Places that are taken.
    pub running: usize,
    /// Counted jobs.
    pub jobs: usize,
    /// When a place was given back last, or one more was made because none was.
    pub moved: Instant,
    /// A task looks at times whether they are stuck.
    pub is_watched: bool,
}

impl State {
    /// Nobody is in line, and nobody has a place.
    pub fn new() -> Self {
        Self { line: VecDeque::new(), idle: VecDeque::new(), running: 0, jobs: 0, moved: Instant::now(), is_watched: false }
    }

    /// Gives a place back.
    pub fn give_back(&mut self) {
        self.running -= 1;
        self.moved = Instant::now();
    }
}

/// A thread without a job.
pub struct Worker {
    pub thread: Thread,
    pub job: Mutex<Option<Job>>,
}

impl Worker {
    /// Gives it a job.
    pub fn hand(&self, job: Job) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        self.thread.unpark();
    }
}
