//! What the system says of this process.

use std::fs;

use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

use crate::http::metrics::text::{
    Kind::{Counter, Gauge},
    Text,
};

/// Writes the metrics that every process has, under the names that are usual. What the system does not tell is left out.
pub fn write(text: &mut Text, started_us: i64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident_bytes = field(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024);
    text.metric(Gauge, "process_resident_memory_bytes", "Memory that the process takes.").maybe(&[], resident_bytes);
    text.metric(Gauge, "process_threads", "Threads of the process.").maybe(&[], field(&status, "Threads:"));
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let cpu_seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    text.metric(Counter, "process_cpu_seconds_total", "Processor time that the process has used.").sample(&[], cpu_seconds);
    // The handle that reads the list is in it.
    let open = fs::read_dir("/proc/self/fd").ok().map(|handles| handles.count().saturating_sub(1));
    text.metric(Gauge, "process_open_fds", "Open file handles; a connection is one.").maybe(&[], open);
    text.metric(Gauge, "process_max_fds", "The most file handles that may be open.").maybe(&[], getrlimit(Resource::Nofile).current);
    text.metric(Gauge, "process_start_time_seconds", "When the node started.").sample(&[], started_us as f64 / 1e6);
}

/// Returns the number after a name in `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}
