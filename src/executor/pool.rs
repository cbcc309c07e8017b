//! Threads for runs that are not known to be fast. They have the stacks that deep values need, and a lower priority than the threads that
//! serve connections, so that a busy script delays no other function's answer.
//!
//! A run has a place while it computes. While it waits for something outside it gives its place away, and gets in line for one again when
//! what it waits for is there: however many runs wait, those that compute are few.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

use crate::{blocking, engine::Wait};

/// Work for one thread.
pub struct Job {
    work: Box<dyn FnOnce() + Send>,
    /// Whether it counts among the jobs that the pool takes at most. Whoever else adds jobs bounds them.
    is_counted: bool,
}

/// A thread that has had nothing to do for so long ends: its stack may have grown.
const IDLE: Duration = Duration::from_secs(10);

/// How much lower the priority is (`nice`, 0 to 19). At 10 a thread gets a tenth of what a connection's thread gets while both want to run.
const NICENESS: i32 = 10;
/// The same for threads beyond two for each core.
const NICENESS_OF_MANY: i32 = 19;
/// When no run has ended for so long, the places are taken by long ones, and what is in line gets one more.
pub const STUCK: Duration = Duration::from_millis(20);

/// A pool that shrinks to nothing. It has two places for each core: more make nothing faster, and whoever serves connections would wait for
/// all of them. Only where long runs hold these it gives more, one by one, so that short ones are not kept behind them.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// Counted jobs that run or are in line.
    max_jobs: usize,
    /// So many runs can make use of the cores.
    places: usize,
    stack_bytes: usize,
}

struct State {
    /// Who wants a place, in the order of their coming.
    line: VecDeque<Turn>,
    /// Jobs that have a place, for threads that are idle.
    handed: VecDeque<Job>,
    /// Places that are taken.
    running: usize,
    idle: usize,
    /// Counted jobs.
    jobs: usize,
    /// When a place was given back last, or one more was made because none was.
    moved: Instant,
}

/// Somebody in line for a place.
enum Turn {
    Start(Job),
    Resume(Arc<Waiting>),
}

/// A thread whose run waits.
struct Waiting {
    thread: Thread,
    phase: AtomicU8,
}

/// What the run waits for is not there.
const OUTSIDE: u8 = 0;
/// It is there, and the run is in line.
const IN_LINE: u8 = 1;
/// The run has a place.
const PLACED: u8 = 2;

impl Waiting {
    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::Release);
        self.thread.unpark();
    }
}

/// Puts a run in line again when what it waits for is there, or will never be.
struct Return {
    shared: Arc<Shared>,
    waiting: Arc<Waiting>,
}

impl Drop for Return {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.line.push_back(Turn::Resume(self.waiting.clone()));
        drop(self.shared.advance(state));
        // Whoever got no place looks at times whether the places are taken by long runs.
        let _ = self.waiting.phase.compare_exchange(OUTSIDE, IN_LINE, Ordering::AcqRel, Ordering::Acquire);
        self.waiting.thread.unpark();
    }
}

/// As many jobs run or are in line as may.
#[derive(Debug)]
pub struct Full;

impl Pool {
    /// Makes a pool without threads.
    pub fn new(max_jobs: usize, stack_bytes: usize) -> Self {
        let places = 2 * thread::available_parallelism().map_or(1, usize::from);
        let state = State { line: VecDeque::new(), handed: VecDeque::new(), running: 0, idle: 0, jobs: 0, moved: Instant::now() };
        let shared = Shared { state: Mutex::new(state), wake: Condvar::new(), max_jobs, places, stack_bytes };
        Self { shared: Arc::new(shared) }
    }

    /// Returns how many runs have a place, and how many are in line for one.
    pub fn usage(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.running, state.line.len())
    }

    /// Runs work when it has a place; see [`unstick`](Self::unstick).
    pub fn run(&self, work: Box<dyn FnOnce() + Send>) -> Result<(), Full> {
        self.add(Job { work, is_counted: true })
    }

    /// The same for work that somebody else bounds: it is not counted.
    pub fn run_uncounted(&self, work: Box<dyn FnOnce() + Send>) -> Result<(), Full> {
        self.add(Job { work, is_counted: false })
    }

    fn add(&self, job: Job) -> Result<(), Full> {
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
        match state.running {
            0 => match state.line.pop_back() {
                Some(Turn::Start(job)) => {
                    state.jobs -= usize::from(job.is_counted);
                    Err(Full)
                }
                Some(resume) => {
                    state.line.push_back(resume);
                    Ok(())
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Makes one more place if somebody is in line and none was given back for [`STUCK`]. Returns whether somebody is in line; to be called
    /// at times by whoever waits.
    pub fn unstick(&self) -> bool {
        let mut state = self.shared.lock();
        if state.line.is_empty() {
            return false;
        }
        if state.moved.elapsed() >= STUCK {
            state.moved = Instant::now();
            match state.line.pop_front() {
                Some(Turn::Resume(waiting)) => {
                    state.running += 1;
                    waiting.enter(PLACED);
                }
                Some(Turn::Start(job)) => drop(self.shared.start(state, job, NICENESS_OF_MANY)),
                None => {}
            }
        }
        true
    }

    /// Waits on this thread for a future, without a place meanwhile. The future runs where connections are served.
    fn wait(&self, runtime: &Handle, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let waiting = Arc::new(Waiting { thread: thread::current(), phase: AtomicU8::new(OUTSIDE) });
        let comes_back = Return { shared: self.shared.clone(), waiting: waiting.clone() };
        {
            let mut state = self.shared.lock();
            state.running -= 1;
            state.moved = Instant::now();
            drop(self.shared.advance(state));
        }
        // Dropped, when the node stops, it comes back as well.
        drop(runtime.spawn(async move {
            let _comes_back = comes_back;
            future.await;
        }));
        loop {
            match waiting.phase.load(Ordering::Acquire) {
                PLACED => return,
                OUTSIDE => thread::park(),
                _ => {
                    thread::park_timeout(STUCK);
                    self.unstick();
                }
            }
        }
    }
}

/// How a run on a thread of a pool waits.
pub struct PoolWait {
    /// The pool.
    pub pool: Pool,
    /// Where what it waits for goes on.
    pub runtime: Handle,
}

impl Wait for PoolWait {
    fn wait(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.pool.wait(&self.runtime, future);
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
            match state.line.pop_front() {
                None => break,
                Some(Turn::Resume(waiting)) => {
                    state.running += 1;
                    waiting.enter(PLACED);
                }
                Some(Turn::Start(job)) if state.idle > state.handed.len() => {
                    state.running += 1;
                    state.handed.push_back(job);
                    self.wake.notify_one();
                }
                Some(Turn::Start(job)) => {
                    let (now, is_started) = self.start(state, job, NICENESS);
                    state = now;
                    if !is_started {
                        break;
                    }
                }
            }
        }
        state
    }

    /// Starts a thread with its first job, which gets a place. Where the system gives no thread, the job is first in line again.
    fn start<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>, job: Job, niceness: i32) -> (MutexGuard<'a, State>, bool) {
        state.running += 1;
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
        // On Linux this is the calling thread's alone. Where it is refused, scripts compete as equals.
        let _ = rustix::process::nice(niceness);
        let mut next = first;
        while let Some(job) = next {
            let is_counted = job.is_counted;
            // A job catches what a script can do; anything else must not take the thread out of the count.
            let _ = catch_unwind(AssertUnwindSafe(job.work));
            next = self.next(is_counted, niceness == NICENESS_OF_MANY);
        }
    }

    /// Gives the place of a job back and waits for another; `None` ends the thread.
    fn next(self: &Arc<Self>, was_counted: bool, is_of_many: bool) -> Option<Job> {
        let mut state = self.lock();
        state.running -= 1;
        state.jobs -= usize::from(was_counted);
        state.moved = Instant::now();
        if is_of_many {
            // It was added because others were busy for long.
            drop(self.advance(state));
            return None;
        }
        state.idle += 1;
        let state = self.advance(state);
        let (mut state, _) =
            self.wake.wait_timeout_while(state, IDLE, |state| state.handed.is_empty()).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.handed.pop_front()
    }
}

fn taken(job: &Mutex<Option<Job>>) -> Option<Job> {
    job.lock().unwrap_or_else(PoisonError::into_inner).take()
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
        let few = pool.shared.places;
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
        while pool.usage() != (0, 0) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn where_the_system_gives_no_thread_a_job_is_refused() {
        let pool = Pool::new(2, usize::MAX / 4);
        for _ in 0..3 {
            assert!(pool.run(Box::new(|| {})).is_err());
        }
        assert_eq!(pool.usage(), (0, 0));
    }

    #[test]
    fn a_job_that_panics_costs_no_thread() {
        let pool = Pool::new(1, 1 << 20);
        pool.run(Box::new(|| panic!("on purpose"))).unwrap();
        runs_again(&pool);
    }
}
