//! Threads for runs that are not known to be fast. They have the stacks that deep values need, and a lower priority than the threads that
//! serve connections, so that a busy script delays no other function's answer.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Work for one thread.
type Job = Box<dyn FnOnce() + Send>;

/// A thread that has had nothing to do for so long ends: its stack may have grown.
const IDLE: Duration = Duration::from_secs(10);

/// How much lower the priority is (`nice`, 0 to 19). At 10 a thread gets a tenth of what a connection's thread gets while both want to run.
const NICENESS: i32 = 10;

/// A pool that grows with demand up to a bound and shrinks to nothing.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    max_threads: usize,
    stack_bytes: usize,
}

#[derive(Default)]
struct State {
    /// Never longer than the threads that are about to take from it: a job is only accepted where a thread is free or may be started.
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

/// Every thread of the pool is busy.
#[derive(Debug)]
pub struct Full;

impl Pool {
    /// Makes a pool without threads.
    pub fn new(max_threads: usize, stack_bytes: usize) -> Self {
        let shared = Shared { state: Mutex::default(), wake: Condvar::new(), max_threads, stack_bytes };
        Self { shared: Arc::new(shared) }
    }

    /// Returns how many jobs are being run, or are about to be.
    pub fn busy(&self) -> usize {
        let state = self.shared.lock();
        state.threads - state.idle + state.jobs.len()
    }

    /// Runs a job on a free thread, or on a new one.
    pub fn run(&self, job: Job) -> Result<(), Full> {
        let mut state = self.shared.lock();
        if state.jobs.len() < state.idle {
            state.jobs.push_back(job);
            self.shared.wake.notify_one();
            return Ok(());
        }
        if state.threads >= self.shared.max_threads {
            return Err(Full);
        }
        state.threads += 1;
        drop(state);
        let shared = self.shared.clone();
        let started = std::thread::Builder::new().name("run".into()).stack_size(self.shared.stack_bytes).spawn(move || shared.work(job));
        started.map(drop).map_err(|error| {
            tracing::warn!("cannot start a thread for a run: {error}");
            self.shared.lock().threads -= 1;
            Full
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, first: Job) {
        // On Linux this is the calling thread's alone. Where it is refused, scripts compete as equals.
        let _ = rustix::process::nice(NICENESS);
        let mut next = Some(first);
        while let Some(job) = next {
            // A job catches what a script can do; anything else must not take the thread out of the count.
            let _ = catch_unwind(AssertUnwindSafe(job));
            next = self.next();
        }
    }

    /// Waits for a job; `None` ends the thread.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        state.idle += 1;
        let (mut state, _) =
            self.wake.wait_timeout_while(state, IDLE, |state| state.jobs.is_empty()).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        let job = state.jobs.pop_front();
        if job.is_none() {
            state.threads -= 1;
        }
        job
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Waits until the pool takes a job and has run it.
    fn runs_again(pool: &Pool) {
        let (ran, seen) = channel();
        loop {
            let ran = ran.clone();
            match pool.run(Box::new(move || ran.send(()).unwrap())) {
                Ok(()) => break,
                Err(Full) => std::thread::yield_now(),
            }
        }
        seen.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn a_full_pool_refuses_and_takes_again_when_a_thread_is_free() {
        let pool = Pool::new(2, 1 << 20);
        let (release, wait) = channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        for _ in 0..2 {
            let wait = wait.clone();
            pool.run(Box::new(move || wait.lock().unwrap().recv().unwrap())).unwrap();
        }
        assert!(pool.run(Box::new(|| {})).is_err());
        assert_eq!(pool.busy(), 2);
        release.send(()).unwrap();
        runs_again(&pool);
        release.send(()).unwrap();
    }

    #[test]
    fn a_job_that_panics_costs_no_thread() {
        let pool = Pool::new(1, 1 << 20);
        pool.run(Box::new(|| panic!("on purpose"))).unwrap();
        runs_again(&pool);
    }
}
