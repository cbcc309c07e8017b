//! How many files this process may have open, and so how many connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a node opens beside its connections: databases, spool, git's children.
const OTHER_FILES: u64 = 256;

/// Returns how many open files `max_connections` at each of `addresses`, and so many requests of functions, need.
pub fn wanted_files(max_connections: usize, addresses: usize, max_requests: usize) -> u64 {
    (max_connections as u64).saturating_mul(addresses as u64).saturating_add(max_requests as u64 + OTHER_FILES)
}

/// Asks the system for the open files that `max_connections` at each of `addresses`, and so many requests of functions, need. Returns how
/// many connections there may be at each address.
pub fn open_files(max_connections: usize, addresses: usize, max_requests: usize) -> usize {
    let wanted = wanted_files(max_connections, addresses, max_requests);
    let now = getrlimit(Resource::Nofile);
    let has = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let mut allowed = has(now.current);
    if allowed < wanted {
        let raised = wanted.min(has(now.maximum));
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: now.maximum }).is_ok() {
            allowed = raised;
        }
    }
    let for_connections = allowed.saturating_sub(OTHER_FILES).max(allowed / 2) as usize;
    let possible = max_connections.min(for_connections / addresses).max(1);
    if possible < max_connections {
        tracing::warn!(
            "only {allowed} files may be open, so at most {possible} connections are taken instead of {max_connections}: raise the limit (`ulimit -Hn`, `LimitNOFILE=` of systemd), or lower `max_connections`"
        );
    }
    possible
}
