//! The metrics that every process has.

use std::fs;

use rustix::process::{Resource, getrlimit};

use crate::http::{
    metrics::text::{
        Kind::{Counter, Gauge},
        Text,
    },
    process,
};

/// Writes the metrics that every process has, under the names that are usual. What the system does not tell is left out.
pub fn write(text: &mut Text, started_us: i64) {
    let status = process::status();
    text.metric(Gauge, "process_resident_memory_bytes", "Memory that the process takes.").maybe(&[], status.resident_bytes());
    text.metric(Gauge, "process_threads", "Threads of the process.").maybe(&[], status.threads());
    text.metric(Counter, "process_cpu_seconds_total", "Processor time that the process has used.")
        .sample(&[], process::cpu_time().as_secs_f64());
    // The handle that reads the list is in it.
    let open = fs::read_dir("/proc/self/fd").ok().map(|handles| handles.count().saturating_sub(1));
    text.metric(Gauge, "process_open_fds", "Open file handles; a connection is one.").maybe(&[], open);
    text.metric(Gauge, "process_max_fds", "The most file handles that may be open.").maybe(&[], getrlimit(Resource::Nofile).current);
    text.metric(Gauge, "process_start_time_seconds", "When the node started.").sample(&[], started_us as f64 / 1e6);
}
