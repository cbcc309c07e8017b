//! The threads: each does one job after the other, and ends when there is none for a while.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::setpriority_process;
use tokio::time::Instant;

use super::{
    Job, Shared,
    state::{State, Worker},
    wait::Turn,
};
use crate::blocking;

/// A thread that has had nothing to do for so long ends: its stack may have grown.
const IDLE: Duration = Duration::from_secs(10);

/// How much lower the priority is (`nice`, 0 to 19). At 10 a thread gets a tenth of what a connection's thread gets while both want to run.
pub const NICENESS: i32 = 10;
/// The same for threads beyond two for each core.
pub const NICENESS_OF_MANY: i32 = 19;

impl Shared {
    /// Starts a thread with its first job, which has a place. Where the system gives no thread, the job is first in line again.
    pub fn start<'a>(self: &'a Arc<Self>, state: MutexGuard<'a, State>, job: Job, niceness: i32) -> (MutexGuard<'a, State>, bool) {
        drop(state);
        // What a thread that does not start gives back is the work; the job is taken out of it here.
        let first = Arc::new(Mutex::new(Some(job)));
        let theirs = first.clone();
        let shared = self.clone();
        let work = move || shared.work(taken(&theirs), niceness);
        let started = blocking::spawn_large(thread::Builder::new().name("run".into()), self.stack_bytes, work);
        let mut state = self.lock();
        if let Err((_, error)) = &started {
            tracing::warn!("cannot start a thread for a run: {error}");
            state.running -= 1;
            state.line.push_front(Turn::Start(taken(&first).expect("no thread has taken it")));
        }
        (state, started.is_ok())
    }

    fn work(self: &Arc<Self>, first: Option<Job>, niceness: i32) {
        // On Linux this is the calling thread's alone. It counts from the node's own, and not from what a thread that started this one has.
        // Where it is refused, scripts compete as equals.
        let _ = setpriority_process(None, self.niceness + niceness);
        let worker = Arc::new(Worker { thread: thread::current(), job: Mutex::new(first) });
        while let Some(job) = taken(&worker.job) {
            let is_counted = job.is_counted;
            // A job catches what a script can do; anything else must not take the thread out of the count.
            let _ = catch_unwind(AssertUnwindSafe(job.work));
            match niceness {
                NICENESS => self.rest(&worker, is_counted),
                // It was added because others were busy for long.
                _ => drop(self.advance(self.ended(is_counted))),
            }
        }
    }

    /// Gives the place of a job back. Nobody has got it yet.
    fn ended(&self, was_counted: bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.give_back();
        state.jobs -= usize::from(was_counted);
        state
    }

    /// Waits after a job until this thread has another, or has had none for [`IDLE`].
    fn rest(self: &Arc<Self>, worker: &Arc<Worker>, was_counted: bool) {
        let mut state = self.ended(was_counted);
        state.idle.push_back(worker.clone());
        // Whoever is in line gets this thread.
        drop(self.advance(state));
        let ends = Instant::now() + IDLE;
        let has_job = || worker.job.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        while !has_job() {
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // From now on nobody hands it one.
                self.lock().idle.retain(|idle| !Arc::ptr_eq(idle, worker));
                return;
            }
            thread::park_timeout(left);
        }
    }
}

fn taken(job: &Mutex<Option<Job>>) -> Option<Job> {
    job.lock().unwrap_or_else(PoisonError::into_inner).take()
}
