//! Events and schedules, in numbers.

use super::text::{
    Kind::{Counter, Gauge},
    Text,
};
use crate::{runner::EventCounts, store::queue::QueueSizes};

/// Writes what became of events, and, if the database answered, what is in the queue.
pub fn write(text: &mut Text, counts: &EventCounts, sizes: Option<QueueSizes>, now_us: i64) {
    text.metric(Counter, "picloud_events_emitted_total", "Events that are kept.").sample(&[], counts.read_emitted());
    text.metric(Counter, "picloud_events_handled_total", "Attempts to handle an event or a due time, by how they ended.");
    for (outcome, count) in counts.read_handled() {
        text.sample(&[("outcome", outcome.as_str())], count);
    }
    let Some(QueueSizes { waiting, running, held, dead, oldest_due_us, .. }) = sizes else { return };
    text.metric(Gauge, "picloud_events_deliveries", "Deliveries in the queue, by how far they are.");
    for (state, count) in [("waiting", waiting), ("running", running), ("held", held)] {
        text.sample(&[("state", state)], count);
    }
    text.metric(Gauge, "picloud_events_dead_letters", "Deliveries that were given up.").sample(&[], dead);
    let late_us = oldest_due_us.map_or(0, |due_us| now_us.saturating_sub(due_us).max(0));
    text.metric(Gauge, "picloud_events_oldest_due_seconds", "For how long the oldest delivery has been due that does not run.")
        .sample(&[], late_us as f64 / 1e6);
}
