//! Runs functions in this process. A function that is known to be fast runs on the thread that read its request: handing it over would
//! cost more than the run. Every other runs on the pool, where it can be cancelled, waits its turn, and keeps nobody's connection waiting. A
//! run that turns out not to be fast begins again there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
};

use super::{
    ExecuteError, Executor, Usage,
    loaded::{LoadedProgram, Permit},
    pool::{Full, Pool, PoolWait},
};
use crate::{
    cancel::{CancelFlag, CancelOnDrop},
    engine::{Control, Engine, ShortRun, Wait, budget},
    execution::{Execution, Finished, Invocation},
    function::{Diagnostic, SharedFunction, Version},
};

/// What runs may take of the machine together.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Runs that are on the pool, or wait for it, at the same time, over all functions.
    pub max_running: usize,
    /// Runs of functions that can wait for something outside, at the same time, over all functions.
    pub max_waiting: usize,
    /// Stack of every thread that may run a script, in bytes; at least four times the memory limit.
    pub stack_bytes: usize,
    /// Bytes that all runs may hold together; none: half of what the machine has.
    pub memory_bytes: Option<u64>,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { max_running: 128, max_waiting: 1_024, stack_bytes: 256 << 20, memory_bytes: None }
    }
}

/// Takes the record of a run whose result nobody took, because its caller went away.
pub type OnAbandoned = Arc<dyn Fn(Box<Execution>) + Send + Sync>;

/// Runs functions in this process.
pub struct LocalExecutor {
    engine: Arc<Engine>,
    pool: Pool,
    max_running: usize,
    /// Places for runs that can wait.
    waiting: Arc<Semaphore>,
    max_waiting: usize,
    abandoned: OnAbandoned,
    loaded: ArcSwap<HashMap<Version, Arc<LoadedProgram>>>,
    /// Held by whoever replaces `loaded`: the live table and earlier deployments are loaded side by side.
    loading: Mutex<()>,
}

/// The result of a run on the pool, on its way to whoever waits for it. Dropped on the way, its record goes where those of abandoned runs go.
struct Delivery {
    result: Option<Result<Finished, ExecuteError>>,
    abandoned: OnAbandoned,
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

impl LocalExecutor {
    /// Makes an executor with nothing loaded. Its `execute` must be called on threads with stacks of `capacity.stack_bytes`.
    pub fn new(engine: Arc<Engine>, capacity: &Capacity, abandoned: OnAbandoned) -> Self {
        let pool = Pool::new(capacity.max_running, capacity.stack_bytes);
        if let Some(bytes) = capacity.memory_bytes.or_else(|| Some(budget::of_machine()? / 2)) {
            budget::set(bytes);
        }
        let waiting = Arc::new(Semaphore::new(capacity.max_waiting));
        let Capacity { max_running, max_waiting, .. } = *capacity;
        Self { engine, pool, max_running, waiting, max_waiting, abandoned, loaded: ArcSwap::default(), loading: Mutex::default() }
    }

    async fn on_pool(&self, permit: Permit, invocation: Box<Invocation>, stop: Option<CancelFlag>) -> Result<Finished, ExecuteError> {
        let cancel = stop.unwrap_or_default();
        let _stop_with_us = CancelOnDrop(cancel.clone());
        let (sender, receiver) = oneshot::channel();
        let (engine, abandoned) = (self.engine.clone(), self.abandoned.clone());
        let place = permit.waits().then(|| self.waiting.clone().try_acquire_owned()).transpose();
        let place = place.map_err(|_| ExecuteError::NodeWaits { limit: self.max_waiting })?;
        let can_wait = place.is_some();
        let runtime = Handle::current();
        let waiter = can_wait.then(|| -> Arc<dyn Wait> { Arc::new(PoolWait { pool: self.pool.clone(), runtime: runtime.clone() }) });
        let job = move || {
            let result = permit.run(&engine, invocation, Control { cancel: Some(cancel), waiter, ..Control::default() });
            drop((permit, place));
            let _ = sender.send(Delivery { result: Some(result), abandoned });
        };
        // Those that can wait have their places: a run that has begun is never refused a place later, and so no other is kept behind it.
        let added = if can_wait { self.pool.run_uncounted(&runtime, Box::new(job)) } else { self.pool.run(&runtime, Box::new(job)) };
        added.map_err(|Full| ExecuteError::NodeBusy { limit: self.max_running })?;
        // Without a delivery the thread of the run has given it up.
        receiver.await.map_or(Err(ExecuteError::NotLoaded), Delivery::receive)
    }
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
                None => Arc::new(LoadedProgram::new(self.engine.program(function)?)),
            };
            loaded.insert(function.version, entry);
        }
        // Other tables, and requests that began with an older one, hold their functions and find the programs here.
        for (version, entry) in before.iter().filter(|(_, entry)| entry.is_held()) {
            loaded.entry(*version).or_insert_with(|| entry.clone());
        }
        self.loaded.store(Arc::new(loaded));
        Ok(())
    }

    async fn execute(&self, version: Version, invocation: Box<Invocation>, stop: Option<CancelFlag>) -> Result<Finished, ExecuteError> {
        let loaded = self.loaded.load().get(&version).cloned().ok_or(ExecuteError::NotLoaded)?;
        let permit = LoadedProgram::permit(loaded)?;
        if !permit.is_fast(&invocation) {
            return self.on_pool(permit, invocation, stop).await;
        }
        match permit.run_short(&self.engine, invocation)? {
            ShortRun::Finished(finished) => Ok(finished),
            ShortRun::TooLong { invocation, .. } => self.on_pool(permit, invocation, stop).await,
        }
    }

    fn usage(&self) -> Usage {
        let loaded = self.loaded.load();
        let running = loaded.iter().map(|(version, loaded)| (*version, loaded.running()));
        let running = running.filter(|(_, running)| *running > 0).collect();
        let (pool_running, pool_waiting) = self.pool.usage();
        Usage { running, pool_running, pool_waiting, pool_limit: self.max_running, memory: budget::usage() }
    }
}
