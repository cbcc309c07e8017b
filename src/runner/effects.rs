//! Counts what runs do outside of themselves: by kind, and requests by host. A run without effects costs nothing here.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::execution::{Effect, EffectKind, EffectTarget, Execution};

/// Hosts that are counted each for itself; those beyond are counted together.
pub const MAX_HOSTS: usize = 100;
/// Stands for the hosts that are counted together. No host that answers is called so.
pub const OTHER_HOSTS: &str = "_other";

/// How many effects there were, and how they went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EffectCount {
    /// All of them.
    pub count: u64,
    /// Those that failed.
    pub failed: u64,
    /// What they took together, in microseconds.
    pub duration_us: u64,
}

impl EffectCount {
    fn add(&mut self, effect: &Effect) {
        self.count += 1;
        self.failed += u64::from(effect.failed);
        self.duration_us += effect.duration_us;
    }
}

/// What was counted since the start of the node.
#[derive(Debug, Clone, Default)]
pub struct EffectStats {
    kinds: [EffectCount; EffectKind::ALL.len()],
    /// The requests to each host.
    pub hosts: BTreeMap<Box<str>, EffectCount>,
    /// The requests to all other hosts.
    pub other_hosts: EffectCount,
    /// Effects beyond those that are recorded; they are in no other count.
    pub unrecorded: u64,
}

impl EffectStats {
    /// Returns what was counted of each kind.
    pub fn kinds(&self) -> impl Iterator<Item = (EffectKind, EffectCount)> {
        EffectKind::ALL.into_iter().zip(self.kinds)
    }

    fn count(&mut self, effect: &Effect) {
        self.kinds[effect.kind as usize].add(effect);
        if let EffectTarget::Http { host, .. } = effect.parts() {
            self.host(host, effect).add(effect);
        }
    }

    /// Returns the count of a host. A host has one of its own from its first answer on, so that no made-up name takes a place.
    fn host(&mut self, host: &str, effect: &Effect) -> &mut EffectCount {
        let has_answered = effect.outcome.parse::<u16>().is_ok();
        if has_answered && self.hosts.len() < MAX_HOSTS && !self.hosts.contains_key(host) {
            self.hosts.insert(host.into(), EffectCount::default());
        }
        self.hosts.get_mut(host).unwrap_or(&mut self.other_hosts)
    }
}

/// Counts effects.
#[derive(Default)]
pub(super) struct EffectCounts(Mutex<EffectStats>);

impl EffectCounts {
    /// Counts what a run did. A replay that was given recorded results back did nothing.
    pub fn add(&self, execution: &Execution) {
        if execution.effects.iter().all(|effect| effect.replayed) {
            return;
        }
        let mut stats = self.lock();
        execution.effects.iter().for_each(|effect| stats.count(effect));
        stats.unrecorded += u64::from(execution.effects_dropped);
    }

    /// Returns what was counted.
    pub fn read(&self) -> EffectStats {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, EffectStats> {
        // Nothing that can panic runs while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, outcome: &str) -> Effect {
        Effect {
            kind: EffectKind::Http,
            target: format!("GET {host}/a"),
            outcome: outcome.into(),
            failed: outcome != "200",
            at_us: 0,
            duration_us: 10,
            sent_bytes: 0,
            received_bytes: 0,
            replayed: false,
        }
    }

    #[test]
    fn effects_are_counted_by_kind_and_requests_by_host_up_to_a_limit() {
        let mut stats = EffectStats::default();
        for outcome in ["dns", "200", "timeout"] {
            stats.count(&request("a.example.org", outcome));
        }
        stats.count(&Effect { kind: EffectKind::Kv, target: "get a/b".into(), ..request("", "200") });
        let host = stats.hosts["a.example.org"];
        assert_eq!(host, EffectCount { count: 2, failed: 1, duration_us: 20 });
        assert_eq!(stats.other_hosts, EffectCount { count: 1, failed: 1, duration_us: 10 }, "it had not answered yet");
        assert_eq!(stats.kinds().map(|(_, count)| count.count).collect::<Vec<_>>(), [3, 1, 0]);
        (0..2 * MAX_HOSTS).for_each(|number| stats.count(&request(&format!("{number}.example.org"), "200")));
        assert_eq!((stats.hosts.len(), stats.other_hosts.count), (MAX_HOSTS, 2 + MAX_HOSTS as u64));
    }
}
