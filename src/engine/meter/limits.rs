//! What a run may use, what it has used, and why it was stopped.

use std::time::Duration;

use crate::cancel::CancelFlag;

/// Why a run was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Its time is over.
    Deadline,
    /// Its operations are used up.
    Operations,
    /// It holds more memory than it may.
    Memory,
    /// It needs more memory than all runs together have left.
    NodeMemory,
    /// It has used the CPU time that it may use where it is.
    CpuTime,
    /// Nobody waits for its result any more.
    Cancelled,
    /// It repeats an earlier run, and asked for something else than that did.
    Departed,
    /// It said what becomes of the event that started it.
    Settled,
}

/// What a run may use.
#[derive(Debug, Clone)]
pub struct Allowance {
    /// Wall-clock time.
    pub time: Duration,
    /// Operations of the engine.
    pub operations: u64,
    /// Bytes held at once beyond what the thread held at the start.
    pub memory: usize,
    /// CPU time.
    pub cpu: Option<CpuLimit>,
    /// Stops the run when set.
    pub cancel: Option<CancelFlag>,
}

/// A limit of CPU time. Wall-clock time says little of what a run costs: on a busy machine most of it is spent waiting for a processor.
#[derive(Debug, Clone, Copy)]
pub struct CpuLimit {
    /// The most that may be used.
    pub limit: Duration,
    /// The thread's clock when the run began. Reading that clock costs as much as some small runs: where it was not read, counting begins
    /// when [`UNCOUNTED`] has passed.
    pub since: Option<Duration>,
}

/// A run that takes no longer than this by the wall clock has not used much CPU time either, so nobody looks.
pub const UNCOUNTED: Duration = Duration::from_micros(100);

/// Returns the CPU time that this thread has used.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What a run used.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Why it was stopped, if it was.
    pub stop: Option<Stop>,
    /// Operations of the engine.
    pub operations: u64,
    /// Since [`start`](super::start).
    pub duration: Duration,
    /// The most that it held at once, in bytes.
    pub peak_memory: u64,
}
