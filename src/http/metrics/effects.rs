//! What runs do outside of themselves, in numbers.

use super::text::{Kind::Counter, Labels, Text};
use crate::runner::{EffectCount, EffectStats, OTHER_HOSTS};

/// What is read of a count.
type Read = fn(&EffectCount) -> f64;

/// Writes how many effects there were, how many failed, and what they took: by kind, and of requests by host.
pub fn write(text: &mut Text, effects: &EffectStats) {
    let reads: [Read; 3] = [|effect| effect.count as f64, |effect| effect.failed as f64, |effect| effect.duration_us as f64 / 1e6];
    let of_kinds = [
        ("picloud_effects_total", "What runs did outside of themselves, by kind."),
        ("picloud_failed_effects_total", "Effects that failed."),
        ("picloud_effect_seconds_total", "What effects took."),
    ];
    for ((name, help), read) in of_kinds.into_iter().zip(reads) {
        text.metric(Counter, name, help);
        for (kind, count) in effects.kinds() {
            sample(text, &[("kind", kind.as_str())], read(&count));
        }
    }
    let of_hosts = [
        ("picloud_outbound_requests_total", "Requests of runs to other services, by host."),
        ("picloud_outbound_failed_requests_total", "Those without an answer, and those answered with 5xx."),
        ("picloud_outbound_request_seconds_total", "What they took."),
    ];
    for ((name, help), read) in of_hosts.into_iter().zip(reads) {
        text.metric(Counter, name, help);
        for (host, count) in &effects.hosts {
            sample(text, &[("host", host)], read(count));
        }
        sample(text, &[("host", OTHER_HOSTS)], read(&effects.other_hosts));
    }
    text.metric(Counter, "picloud_unrecorded_effects_total", "Effects beyond those that an execution records; they are in no other count.")
        .sample(&[], effects.unrecorded);
}

fn sample(text: &mut Text, labels: Labels<'_>, value: f64) {
    text.sample(labels, value);
}
