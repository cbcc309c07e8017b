//! Runs functions in this process. A function that is known to be fast runs on the thread that read its request: handing it over would
//! cost more than the run. Every other runs on the pool, where it can be cancelled, waits its turn, and keeps nobody's connection waiting. A
//! run that turns out not to be fast begins again there.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI8, AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::oneshot::{self, error::RecvError};

use super::{
    ExecuteError, Executor, Usage,
    pool::{self, Full, Pool},
};
use crate::{
    engine::{Brief, CancelFlag, Control, Engine, MalformedBody, Program, budget, cpu_time},
    execution::{Execution, Finished, Invocation},
    function::{Diagnostic, SharedFunction, Version},
};

/// What runs may take of the machine together.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Runs that are on the pool, or wait for it, at the same time, over all functions.
    pub max_running: usize,
    /// Stack of every thread that may run a script, in bytes; at least four times the memory limit.
    pub stack_bytes: usize,
    /// Bytes that all runs may hold together; none: half of what the machine has.
    pub memory_bytes: Option<u64>,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { max_running: 128, stack_bytes: 256 << 20, memory_bytes: None }
    }
}

/// Takes the record of a run whose caller went away before it ended, so that nobody else can.
pub type Abandoned = Arc<dyn Fn(Box<Execution>) + Send + Sync>;

/// Runs functions in this process.
pub struct LocalExecutor {
    engine: Arc<Engine>,
    pool: Pool,
    max_running: usize,
    abandoned: Abandoned,
    loaded: ArcSwap<HashMap<Version, Arc<Loaded>>>,
    /// Held by whoever replaces `loaded`: the live table and earlier deployments are loaded side by side.
    loading: Mutex<()>,
}

struct Loaded {
    program: Arc<Program>,
    running: AtomicU32,
    history: History,
    /// Bytes that its runs have left behind.
    leaked: AtomicI64,
}

impl Loaded {
    fn leaks(&self) -> Option<ExecuteError> {
        let limit = self.program.function.manifest.limits.leak;
        (self.leaked.load(Ordering::Relaxed) > limit.0 as i64).then_some(ExecuteError::Leaks { limit })
    }

    fn count_leak(&self, bytes: i64) {
        if bytes == 0 {
            return;
        }
        let before = self.leaked.fetch_add(bytes, Ordering::Relaxed);
        let function = &self.program.function;
        let limit = function.manifest.limits.leak;
        let passes = |level: i64| before <= level && before + bytes > level;
        if passes(limit.0 as i64) {
            tracing::warn!(function.name = %function.name, function.version = %function.version, "`{}` has leaked {limit} of memory and is stopped until it changes: {WHY_LEAKS}", function.name);
        } else if passes(limit.0 as i64 / 2) {
            tracing::warn!(function.name = %function.name, function.version = %function.version, "`{}` leaks memory, and will be stopped at {limit}: {WHY_LEAKS}", function.name);
        }
    }
}

/// What an author should look for.
const WHY_LEAKS: &str = "look for a closure that captures the map or array that holds it";

/// What a function's last runs say about its next.
struct History(AtomicI8);

/// A run with more ticks than this belongs onto the pool: about a tenth of a millisecond. Handing it over takes some 20 µs more, and leaves
/// the threads that serve connections to those who are quicker, however many ask for this one.
const POOL_TICKS: u64 = 2_000;

/// The same in CPU time: one tick can stand for milliseconds of work on a large value.
const POOL_TIME: Duration = Duration::from_micros(200);
/// What a run may use where connections are served, however fast the ones before it were.
const BRIEF: Duration = Duration::from_micros(500);

/// Fast runs that a function needs in a row, on the pool, before it may run where connections are served.
const PROBATION: i8 = 16;
/// It may run where connections are served.
const FAST: i8 = 0;
/// It may, but its last run took long by the wall clock. How much of that it was itself is looked at in the next one: reading the thread's
/// clock takes a good part of the time of a small run.
const DOUBTED: i8 = 1;
/// A byte that is parsed or written weighs as much as this part of a tick.
const BYTES_PER_TICK: usize = 16;
/// A request this large goes to the pool whatever the function's history: reading it is work before the first tick.
const LARGE_BODY: usize = 64 * 1024;

impl History {
    /// Nothing is known: one fast run is enough.
    fn unknown() -> Self {
        Self(AtomicI8::new(FAST - 1))
    }

    fn is_fast(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= FAST
    }

    fn is_doubted(&self) -> bool {
        self.0.load(Ordering::Relaxed) == DOUBTED
    }

    /// Remembers a run, and its CPU time if somebody looked.
    fn record(&self, finished: &Finished, cpu: Option<Duration>) {
        let bytes = finished.reply.as_ref().map_or(0, |reply| reply.body.len());
        let ticks = finished.execution.operations + (bytes / BYTES_PER_TICK) as u64;
        let seen = self.0.load(Ordering::Relaxed);
        // No run uses more CPU time than passes.
        let took = cpu.unwrap_or(Duration::from_micros(finished.execution.duration_us));
        let next = match took > POOL_TIME {
            _ if ticks > POOL_TICKS => -PROBATION,
            true if cpu.is_some() => -PROBATION,
            true => DOUBTED,
            false if seen < FAST => seen + 1,
            false => FAST,
        };
        if next != seen {
            self.0.store(next, Ordering::Relaxed);
        }
    }

    fn record_slow(&self) {
        self.0.store(-PROBATION, Ordering::Relaxed);
    }
}

/// One of the runs that a function may have at once. It is given back when the run is over, however that ends.
struct Permit(Arc<Loaded>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The result of a run on the pool, on its way to whoever waits for it. Dropped on the way, its record goes where those of abandoned runs go.
struct Delivery {
    result: Option<Result<Finished, ExecuteError>>,
    abandoned: Abandoned,
}

impl Delivery {
    fn receive(mut self) -> Result<Finished, ExecuteError> {
        self.result.take().unwrap_or(Err(ExecuteError::NotLoaded))
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(Ok(finished)) = self.result.take() {
            (self.abandoned)(finished.execution);
        }
    }
}

/// Stops a run whose result nobody waits for any more.
struct CancelOnDrop(CancelFlag);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl LocalExecutor {
    /// Makes an executor with nothing loaded. Its `execute` must be called on threads with stacks of `capacity.stack_bytes`.
    pub fn new(engine: Arc<Engine>, capacity: &Capacity, abandoned: Abandoned) -> Self {
        let pool = Pool::new(capacity.max_running, capacity.stack_bytes);
        if let Some(bytes) = capacity.memory_bytes.or_else(|| Some(budget::of_machine()? / 2)) {
            budget::set(bytes);
        }
        Self { engine, pool, max_running: capacity.max_running, abandoned, loaded: ArcSwap::default(), loading: Mutex::default() }
    }

    fn permit(&self, version: Version) -> Result<Permit, ExecuteError> {
        let loaded = self.loaded.load().get(&version).cloned().ok_or(ExecuteError::NotLoaded)?;
        if let Some(leaks) = loaded.leaks() {
            return Err(leaks);
        }
        let limit = loaded.program.function.manifest.limits.concurrency;
        let before = loaded.running.fetch_add(1, Ordering::Relaxed);
        // Made first: dropped, it takes back what was added.
        let permit = Permit(loaded);
        if before < limit { Ok(permit) } else { Err(ExecuteError::FunctionBusy { limit }) }
    }

    async fn on_pool(&self, permit: Permit, invocation: Box<Invocation>) -> Result<Finished, ExecuteError> {
        let cancel = CancelFlag::new(AtomicBool::new(false));
        let _stop_with_us = CancelOnDrop(cancel.clone());
        let (sender, receiver) = oneshot::channel();
        let (engine, abandoned) = (self.engine.clone(), self.abandoned.clone());
        let job = move || {
            let result = run(&engine, &permit.0, invocation, Control { cancel: Some(cancel) });
            drop(permit);
            let _ = sender.send(Delivery { result: Some(result), abandoned });
        };
        self.pool.run(Box::new(job)).map_err(|Full| ExecuteError::NodeBusy { limit: self.max_running })?;
        let mut receiver = receiver;
        while self.pool.unstick() {
            if let Ok(result) = tokio::time::timeout(pool::STUCK, &mut receiver).await {
                return delivered(result);
            }
        }
        delivered(receiver.await)
    }
}

/// Without a delivery the thread of the run has given it up.
fn delivered(delivery: Result<Delivery, RecvError>) -> Result<Finished, ExecuteError> {
    delivery.map_or(Err(ExecuteError::NotLoaded), Delivery::receive)
}

fn malformed(why: MalformedBody) -> ExecuteError {
    ExecuteError::MalformedBody(why.to_string())
}

/// Runs on a thread of the pool.
fn run(engine: &Engine, loaded: &Loaded, invocation: Box<Invocation>, control: Control) -> Result<Finished, ExecuteError> {
    let began = cpu_time();
    let finished = engine.run(&loaded.program, invocation, control).map_err(malformed)?;
    loaded.history.record(&finished, Some(cpu_time().saturating_sub(began)));
    loaded.count_leak(finished.leaked_bytes);
    Ok(finished)
}

/// Runs on a thread that serves connections.
fn run_here(engine: &Engine, loaded: &Loaded, invocation: Box<Invocation>) -> Result<Brief, ExecuteError> {
    let began = loaded.history.is_doubted().then(cpu_time);
    let brief = engine.run_briefly(&loaded.program, invocation, BRIEF).map_err(malformed)?;
    match &brief {
        Brief::Finished(finished) => {
            loaded.history.record(finished, began.map(|began| cpu_time().saturating_sub(began)));
            loaded.count_leak(finished.leaked_bytes);
        }
        Brief::TooLong { leaked_bytes, .. } => {
            loaded.history.record_slow();
            loaded.count_leak(*leaked_bytes);
        }
    }
    Ok(brief)
}

#[async_trait]
impl Executor for LocalExecutor {
    async fn load(&self, functions: &[SharedFunction]) -> Result<(), Vec<Diagnostic>> {
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.loaded.load();
        let mut loaded = HashMap::with_capacity(functions.len());
        for function in functions {
            let entry = match before.get(&function.version) {
                Some(entry) => entry.clone(),
                None => {
                    let program = self.engine.program(function)?;
                    Arc::new(Loaded { program, running: AtomicU32::new(0), history: History::unknown(), leaked: AtomicI64::new(0) })
                }
            };
            loaded.insert(function.version, entry);
        }
        // Other tables, and requests that began with an older one, hold their functions and find the programs here. The program itself holds
        // its function once.
        for (version, entry) in before.iter().filter(|(_, entry)| Arc::strong_count(&entry.program.function) > 1) {
            loaded.entry(*version).or_insert_with(|| entry.clone());
        }
        self.loaded.store(Arc::new(loaded));
        Ok(())
    }

    async fn execute(&self, version: Version, invocation: Box<Invocation>) -> Result<Finished, ExecuteError> {
        let permit = self.permit(version)?;
        if !permit.0.history.is_fast() || invocation.request.body.len() >= LARGE_BODY {
            return self.on_pool(permit, invocation).await;
        }
        match run_here(&self.engine, &permit.0, invocation)? {
            Brief::Finished(finished) => Ok(finished),
            Brief::TooLong { invocation, .. } => self.on_pool(permit, invocation).await,
        }
    }

    fn usage(&self) -> Usage {
        let loaded = self.loaded.load();
        let running = loaded.iter().map(|(version, loaded)| (*version, loaded.running.load(Ordering::Relaxed)));
        let running = running.filter(|(_, running)| *running > 0).collect();
        let (pool_running, pool_waiting) = self.pool.usage();
        Usage { running, pool_running, pool_waiting, pool_limit: self.max_running, memory: budget::usage() }
    }
}
