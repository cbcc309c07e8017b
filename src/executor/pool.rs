//! Threads for runs that are not known to be fast. They have the stacks that deep values need. Their priority is lower than that of the
//! threads that serve connections, so that a busy script delays no other function's answer.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::blocking;

/// Work for one thread.
type Job = Box<dyn FnOnce() + Send>;

/// A thread that has had nothing to do for so long ends: its stack may have grown.
const IDLE: Duration = Duration::from_secs(10);

/// How much lower the priority is (`nice`, 0 to 19). At 10 a thread gets a tenth of what a connection's thread gets while both want to run.
const NICENESS: i32 = 10;
/// The same for threads beyond two for each core.
const NICENESS_OF_MANY: i32 = 19;
/// When no run has ended for so long, the threads are taken by long ones, and what waits gets one more.
pub const STUCK: Duration = Duration::from_millis(20);

/// A pool that shrinks to nothing. It has two threads for each core: more make nothing faster, and whoever serves connections would wait for
/// all of them. Only where long runs hold these does it grow, one by one, so that short ones are not kept behind them.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// Jobs that run or wait.
    max_jobs: usize,
    /// So many threads can make use of the cores.
    few_threads: usize,
    stack_bytes: usize,
}

struct State {
    /// In the order of their coming.
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// When a job ended last, or a thread was added because none did.
    moved: Instant,
}

/// As many jobs run or wait as may.
#[derive(Debug)]
pub struct Full;

impl Pool {
    /// Makes a pool without threads.
    pub fn new(max_jobs: usize, stack_bytes: usize) -> Self {
        let few_threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
        let state = State { jobs: VecDeque::new(), threads: 0, idle: 0, moved: Instant::now() };
        let shared = Shared { state: Mutex::new(state), wake: Condvar::new(), max_jobs, few_threads, stack_bytes };
        Self { shared: Arc::new(shared) }
    }

    /// Returns how many jobs are being run, and how many wait for a thread.
    pub fn usage(&self) -> (usize, usize) {
        let state = self.shared.lock();
        // A job that an idle thread is about to take does not wait.
        let waiting = state.jobs.len().saturating_sub(state.idle);
        (state.threads - state.idle + state.jobs.len() - waiting, waiting)
    }

    /// Runs a job on a free thread, on a new one, or when one is free; see [`unstick`](Self::unstick).
    pub fn run(&self, job: Job) -> Result<(), Full> {
        let mut state = self.shared.lock();
        if state.jobs.len() + state.threads - state.idle >= self.shared.max_jobs {
            return Err(Full);
        }
        if state.jobs.len() >= state.idle && state.threads < self.shared.few_threads {
            return self.start(state, job).or_else(|job| self.leave(job));
        }
        state.jobs.push_back(job);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Adds a thread if something waits and nothing has ended for [`STUCK`]. Returns whether something waits; to be called at times by whoever
    /// waits.
    pub fn unstick(&self) -> bool {
        let mut state = self.shared.lock();
        if state.jobs.len() > state.idle && state.moved.elapsed() >= STUCK {
            state.moved = Instant::now();
            if let Some(job) = state.jobs.pop_front()
                && let Err(job) = self.start(state, job)
            {
                self.shared.lock().jobs.push_front(job);
            }
            return true;
        }
        !state.jobs.is_empty()
    }

    /// Starts a thread with its first job; gives the job back if the system gives no thread.
    fn start(&self, mut state: MutexGuard<'_, State>, job: Job) -> Result<(), Job> {
        state.threads += 1;
        let niceness = if state.threads > self.shared.few_threads { NICENESS_OF_MANY } else { NICENESS };
        drop(state);
        // What a thread that does not start gives back is the work; the job is taken out of it here.
        let first = Arc::new(Mutex::new(Some(job)));
        let (shared, theirs) = (self.shared.clone(), first.clone());
        let work = move || shared.work(taken(&theirs), niceness);
        let thread = std::thread::Builder::new().name("run".into());
        match blocking::spawn_large(thread, self.shared.stack_bytes, work) {
            Ok(()) => Ok(()),
            Err((_, error)) => {
                tracing::warn!("cannot start a thread for a run: {error}");
                self.shared.lock().threads -= 1;
                Err(taken(&first).expect("no thread has taken it"))
            }
        }
    }

    /// Leaves a job to the threads that there are, if there are any.
    fn leave(&self, job: Job) -> Result<(), Full> {
        let mut state = self.shared.lock();
        if state.threads == 0 {
            return Err(Full);
        }
        state.jobs.push_back(job);
        self.shared.wake.notify_one();
        Ok(())
    }
}

fn taken(job: &Mutex<Option<Job>>) -> Option<Job> {
    job.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, first: Option<Job>, niceness: i32) {
        // On Linux this is the calling thread's alone. Where it is refused, scripts compete as equals.
        let _ = rustix::process::nice(niceness);
        let mut next = first;
        while let Some(job) = next {
            // A job catches what a script can do; anything else must not take the thread out of the count.
            let _ = catch_unwind(AssertUnwindSafe(job));
            next = self.next();
        }
    }

    /// Waits for a job; `None` ends the thread.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        state.moved = Instant::now();
        if state.threads > self.few_threads && state.jobs.is_empty() {
            // It was added because others were busy for long, and nothing waits behind them any more.
            state.threads -= 1;
            return None;
        }
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
        assert_eq!(pool.usage(), (2, 0));
        release.send(()).unwrap();
        runs_again(&pool);
        release.send(()).unwrap();
    }

    #[test]
    fn what_waits_behind_long_jobs_gets_a_thread() {
        let pool = Pool::new(1_000, 1 << 20);
        let (release, wait) = channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let few = pool.shared.few_threads;
        for _ in 0..few {
            let wait = wait.clone();
            pool.run(Box::new(move || {
                let _ = wait.lock().unwrap().recv();
            }))
            .unwrap();
        }
        let (ran, seen) = channel();
        for _ in 0..100 {
            let ran = ran.clone();
            pool.run(Box::new(move || ran.send(()).unwrap())).unwrap();
        }
        assert_eq!(pool.usage(), (few, 100), "more threads make nothing faster");
        while pool.unstick() {
            std::thread::yield_now();
        }
        for _ in 0..100 {
            seen.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        drop(release);
        while pool.shared.lock().threads > few {
            std::thread::yield_now();
        }
    }

    #[test]
    fn where_the_system_gives_no_thread_a_job_is_refused() {
        let pool = Pool::new(2, usize::MAX / 4);
        for _ in 0..3 {
            assert!(pool.run(Box::new(|| {})).is_err());
        }
        assert_eq!(pool.shared.lock().threads, 0);
    }

    #[test]
    fn a_job_that_panics_costs_no_thread() {
        let pool = Pool::new(1, 1 << 20);
        pool.run(Box::new(|| panic!("on purpose"))).unwrap();
        runs_again(&pool);
    }
}
