//! Memory that all runs of the node share. Each run has a limit of its own. But many runs at once may want more than the machine has, and the
//! system would then end the process.
//!
//! A run begins with a small share that nobody counts. A run that grows takes more from here, in steps up to its own limit, and gives it back
//! when it ends. So short runs never come here, and the hot path compares with one number.

use std::{
    fs,
    sync::atomic::{AtomicI64, Ordering},
};

/// Bytes of each run that are not counted.
pub const FREE: usize = 1 << 20;
/// Bytes that are taken at once, so that a run that grows comes here rarely.
const STEP: usize = 4 << 20;

/// What runs may take where nobody said how much.
const UNLIMITED: i64 = i64::MAX / 2;
/// Bytes that runs may take. One for the process, as its memory is.
static ALL: AtomicI64 = AtomicI64::new(UNLIMITED);
/// Those that they may still take.
static LEFT: AtomicI64 = AtomicI64::new(UNLIMITED);

/// Sets what all runs may take together; to be called once, before the first run.
pub fn set(bytes: u64) {
    let all = i64::try_from(bytes).unwrap_or(UNLIMITED).min(UNLIMITED);
    ALL.store(all, Ordering::Relaxed);
    LEFT.store(all, Ordering::Relaxed);
}

/// Returns what runs have taken, and what they may take together; none where nobody said how much.
pub fn usage() -> Option<(u64, u64)> {
    let all = ALL.load(Ordering::Relaxed);
    // While a run is refused, less than nothing may be left for a moment.
    let taken = (all - LEFT.load(Ordering::Relaxed)).clamp(0, all);
    (all < UNLIMITED).then_some((taken as u64, all as u64))
}

/// Takes a step towards `wanted` bytes for a run that holds `taken` already, and may have `limit`. Returns what it holds now; none if too
/// little is left.
pub fn take(taken: usize, wanted: usize, limit: usize) -> Option<usize> {
    let target = wanted.next_multiple_of(STEP).min(limit);
    let more = target.saturating_sub(taken) as i64;
    let left = LEFT.fetch_sub(more, Ordering::Relaxed);
    if left < more {
        LEFT.fetch_add(more, Ordering::Relaxed);
        return None;
    }
    Some(target)
}

/// Gives back what a run has taken.
pub fn give(bytes: usize) {
    if bytes > 0 {
        LEFT.fetch_add(bytes as i64, Ordering::Relaxed);
    }
}

/// Returns what the process may use: the machine's memory, or less if a control group or a limit on its address space says so.
pub fn of_machine() -> Option<u64> {
    let address_space = rustix::process::getrlimit(rustix::process::Resource::As).current;
    [memory_of_machine(), memory_of_group(), address_space].into_iter().flatten().min()
}

fn memory_of_machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// Returns the lowest limit of the process's control groups, of version 2 (`0::/path`) or 1 (`4:memory:/path`).
fn memory_of_group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (mount, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        // A container may see its own group as the root.
        let up = std::iter::successors(Some(path.trim_end_matches('/')), |path| Some(path.rsplit_once('/')?.0));
        up.filter_map(|path| fs::read_to_string(format!("{mount}{path}/{file}")).ok()?.trim().parse::<u64>().ok()).min()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory() {
        assert!(of_machine().is_some_and(|bytes| bytes > 1 << 20));
    }
}
