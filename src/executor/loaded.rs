//! A program that is ready to run, and what its runs have in common: how many there are, how fast they are, and what they leave behind.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use super::{ExecuteError, history::History};
use crate::{
    engine::{Control, Engine, MalformedBody, Program, ShortRun, cpu_time},
    execution::{Finished, Invocation},
};

/// What a run may use where connections are served, however fast the ones before it were.
const SHORT: Duration = Duration::from_micros(500);

/// A request this large goes to the pool whatever the function's history: reading it is work before the first operation. JSON takes 2.6 ns a byte
/// to read.
const LARGE_BODY: usize = 64 * 1024;

/// A program that is ready to run.
pub struct LoadedProgram {
    program: Arc<Program>,
    running: AtomicU32,
    history: History,
    /// Bytes that its runs have left behind.
    leaked: AtomicI64,
}

impl LoadedProgram {
    /// Makes it ready: nothing is known of its runs.
    pub fn new(program: Arc<Program>) -> Self {
        Self { program, running: AtomicU32::new(0), history: History::unknown(), leaked: AtomicI64::new(0) }
    }

    /// Returns whether somebody else holds its function. The program itself holds it once.
    pub fn is_held(&self) -> bool {
        Arc::strong_count(&self.program.function) > 1
    }

    /// Returns how many of its runs are under way.
    pub fn running(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    /// Permits one more run, if its limits allow that.
    pub fn permit(loaded: Arc<Self>) -> Result<Permit, ExecuteError> {
        let limits = &loaded.program.function.manifest.limits;
        let (leak, concurrency) = (limits.leak, limits.concurrency);
        if loaded.leaked.load(Ordering::Relaxed) > leak.0 as i64 {
            return Err(ExecuteError::Leaks { limit: leak });
        }
        let before = loaded.running.fetch_add(1, Ordering::Relaxed);
        // Made first: dropped, it takes back what was added.
        let permit = Permit(loaded);
        if before < concurrency { Ok(permit) } else { Err(ExecuteError::FunctionBusy { limit: concurrency }) }
    }

    /// Returns whether its runs can wait for something outside.
    pub fn waits(&self) -> bool {
        self.program.waits
    }

    /// Returns whether this is known to be fast, so that it may run where connections are served.
    pub fn is_fast(&self, invocation: &Invocation) -> bool {
        !self.program.waits && self.history.is_fast() && invocation.request.body.len() < LARGE_BODY
    }

    /// Runs on a thread of the pool.
    pub fn run(&self, engine: &Engine, invocation: Box<Invocation>, control: Control) -> Result<Finished, ExecuteError> {
        let began = cpu_time();
        let finished = engine.run(&self.program, invocation, control).map_err(malformed)?;
        self.history.record(&finished, Some(cpu_time().saturating_sub(began)));
        self.count_leak(finished.leaked_bytes);
        Ok(finished)
    }

    /// Runs on a thread that serves connections, unless it takes long.
    pub fn run_short(&self, engine: &Engine, invocation: Box<Invocation>) -> Result<ShortRun, ExecuteError> {
        let began = self.history.is_doubted().then(cpu_time);
        let run = engine.run_short(&self.program, invocation, SHORT).map_err(malformed)?;
        match &run {
            ShortRun::Finished(finished) => {
                self.history.record(finished, began.map(|began| cpu_time().saturating_sub(began)));
                self.count_leak(finished.leaked_bytes);
            }
            ShortRun::TooLong { leaked_bytes, .. } => {
                self.history.record_slow();
                self.count_leak(*leaked_bytes);
            }
        }
        Ok(run)
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

fn malformed(why: MalformedBody) -> ExecuteError {
    ExecuteError::MalformedBody(why.to_string())
}

/// One of the runs that a function may have at once. It is given back when the run is over, however that ends.
pub struct Permit(Arc<LoadedProgram>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Deref for Permit {
    type Target = LoadedProgram;

    fn deref(&self) -> &LoadedProgram {
        &self.0
    }
}
