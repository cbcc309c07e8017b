//! Threads for runs that are not known to be fast. They have the stacks that deep values need, and a lower priority than the threads that
//! serve connections, so that a busy script delays no other function's answer.
//!
//! A run has a place while it computes. While it waits for something outside it gives its place away, and gets in line for one again when
//! what it waits for is there: however many runs wait, those that compute are few.

mod line;
mod state;
#[cfg(test)]
mod tests;
mod wait;
mod worker;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use rustix::process::getpriority_process;
use tokio::runtime::Handle;

use state::State;
pub use wait::PoolWait;
use wait::Turn;
use worker::NICENESS;

/// Work for one thread.
pub struct Job {
    work: Box<dyn FnOnce() + Send>,
    /// Whether it counts among the jobs that the pool takes at most. Whoever else adds jobs bounds them.
    is_counted: bool,
}

/// A pool that shrinks to nothing. It has two places for each core: more make nothing faster, and whoever serves connections would wait for
/// all of them. Only where long runs hold these it gives more, one by one, so that short ones are not kept behind them.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Counted jobs that run or are in line.
    max_jobs: usize,
    /// So many runs can make use of the cores.
    places: usize,
    stack_bytes: usize,
    /// That of the thread that made the pool.
    niceness: i32,
}

/// As many jobs run or are in line as may.
#[derive(Debug)]
pub struct Full;

impl Pool {
    /// Makes a pool without threads.
    pub fn new(max_jobs: usize, stack_bytes: usize) -> Self {
        let places = 2 * thread::available_parallelism().map_or(1, usize::from);
        let niceness = getpriority_process(None).unwrap_or(0);
        Self { shared: Arc::new(Shared { state: Mutex::new(State::new()), max_jobs, places, stack_bytes, niceness }) }
    }

    /// Returns how many runs have a place, and how many are in line for one.
    pub fn usage(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.running, state.line.len())
    }

    /// Runs work when it has a place. Where long runs hold them all, a task of this runtime makes more.
    pub fn run(&self, runtime: &Handle, work: Box<dyn FnOnce() + Send>) -> Result<(), Full> {
        self.add(runtime, Job { work, is_counted: true })
    }

    /// The same for work that somebody else bounds: it is not counted.
    pub fn run_uncounted(&self, runtime: &Handle, work: Box<dyn FnOnce() + Send>) -> Result<(), Full> {
        self.add(runtime, Job { work, is_counted: false })
    }

    fn add(&self, runtime: &Handle, job: Job) -> Result<(), Full> {
        let mut state = self.shared.lock();
        if job.is_counted {
            if state.jobs >= self.shared.max_jobs {
                return Err(Full);
            }
            state.jobs += 1;
        }
        state.line.push_back(Turn::Start(job));
        let mut state = self.shared.advance(state);
        // Where the system gives no thread and nobody is there who would end one day, it would be in line for ever.
        if state.running == 0
            && let Some(Turn::Start(job)) = state.line.pop_back_if(|turn| matches!(turn, Turn::Start(_)))
        {
            state.jobs -= usize::from(job.is_counted);
            return Err(Full);
        }
        self.shared.watch(state, runtime);
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the free places to those who are first in line.
    fn advance<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.running < self.places {
            let Some(turn) = state.line.pop_front() else { break };
            let (now, is_placed) = self.place(state, turn, NICENESS);
            state = now;
            if !is_placed {
                break;
            }
        }
        state
    }
}
