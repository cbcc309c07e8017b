//! What the system says of this process.

use std::{fs, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Returns the numbers that the system keeps of it.
pub fn status() -> ProcessStatus {
    ProcessStatus(fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// Numbers of the process; none where the system does not tell.
pub struct ProcessStatus(String);

impl ProcessStatus {
    /// Returns the memory that it takes.
    pub fn resident_bytes(&self) -> Option<u64> {
        self.field("VmRSS:").map(|kibibytes| kibibytes * 1024)
    }

    /// Returns the number of its threads.
    pub fn threads(&self) -> Option<u64> {
        self.field("Threads:")
    }

    fn field(&self, name: &str) -> Option<u64> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(name))?;
        value.split_whitespace().next()?.parse().ok()
    }
}

/// Returns the processor time that it has used.
pub fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or_default())
}
