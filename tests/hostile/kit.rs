//! Holds scripts to their limits.

use std::{fs, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// What may pass between the end of a run's time and the end of the run.
pub const GRACE: Duration = Duration::from_millis(250);
/// What one native call may pass the memory limit by.
pub const SLACK: u64 = 16 << 20;

/// What a script asks of the thread: the time that it computes or sleeps. The time that it waits for a processor is not its own.
fn own_time() -> Duration {
    let wall = clock_gettime(ClockId::Monotonic);
    let wall = Duration::new(wall.tv_sec as u64, wall.tv_nsec as u32);
    let waited = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let waited = waited.and_then(|told| told.split(' ').nth(1).and_then(|nanos| nanos.parse().ok()));
    match waited {
        Some(nanos) => wall - Duration::from_nanos(nanos),
        // A kernel without these statistics: sleep is not seen.
        None => {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
        }
    }
}

/// Does work, and returns what it gave with the time that it took.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = own_time();
    let result = work();
    // The two clocks are read one after the other.
    (result, own_time().saturating_sub(before))
}
