//! The section `[events]`: what runs without a caller, and how long events are kept.

use serde::Deserialize;

use crate::{
    function::{
        quantity::{LONGEST, Span},
        within::Within,
    },
    store::queue::QueueLimits,
    trigger::DispatchLimits,
};

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EventsFile {
    concurrency: Option<Within<u64, 1, 10_000>>,
    max_waiting: Option<Within<u64, 1, 100_000_000>>,
    max_age: Option<Within<Span, 1_000, { 100 * LONGEST }>>,
    max_count: Option<Within<u64, 1, 100_000_000>>,
    dead_max_age: Option<Within<Span, 1_000, { 100 * LONGEST }>>,
    dead_max_count: Option<Within<u64, 1, 100_000_000>>,
}

impl EventsFile {
    pub(super) fn dispatch(&self) -> DispatchLimits {
        let default = DispatchLimits::default();
        DispatchLimits { concurrency: self.concurrency.map_or(default.concurrency, |most| most.get() as usize) }
    }

    pub(super) fn queue(&self) -> QueueLimits {
        let default = QueueLimits::default();
        QueueLimits {
            max_waiting: self.max_waiting.map_or(default.max_waiting, Within::get),
            max_age: self.max_age.map_or(default.max_age, |span| span.get().0),
            max_count: self.max_count.map_or(default.max_count, Within::get),
            dead_max_age: self.dead_max_age.map_or(default.dead_max_age, |span| span.get().0),
            dead_max_count: self.dead_max_count.map_or(default.dead_max_count, Within::get),
        }
    }
}
