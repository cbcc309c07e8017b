//! The sections `[journal]` and `[retention]`: which executions are recorded, how they get to the store, and how long they stay.

use serde::Deserialize;

use crate::{
    function::{
        quantity::{LONGEST, Size, Span},
        within::Within,
    },
    runner::{CapturePolicy, RecordPolicy},
    store::{JournalSettings, Retention},
};

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct JournalFile {
    pub(super) record: Option<RecordPolicy>,
    capture: Option<bool>,
    capture_body: Option<Within<Size, 0, { 1 << 30 }>>,
    capture_effects: Option<Within<Size, 0, { 1 << 30 }>>,
    capture_queue: Option<Within<Size, 1, { 1 << 40 }>>,
    queue: Option<Within<usize, 1, 10_000_000>>,
    batch: Option<Within<usize, 1, 10_000>>,
    flush_interval: Option<Within<Span, 1, 3_600_000>>,
    spool: Option<Within<Size, 65_536, { 1 << 50 }>>,
}

impl JournalFile {
    pub(super) fn capture(&self) -> CapturePolicy {
        let default = CapturePolicy::default();
        CapturePolicy {
            all: self.capture.unwrap_or(default.all),
            max_results_bytes: self.capture_effects.map_or(default.max_results_bytes, |size| size.get().bytes()),
            max_body_bytes: self.capture_body.map_or(default.max_body_bytes, |size| size.get().bytes()),
        }
    }

    pub(super) fn resolve(&self) -> JournalSettings {
        let default = JournalSettings::default();
        JournalSettings {
            queue: self.queue.map_or(default.queue, Within::get),
            batch: self.batch.map_or(default.batch, Within::get),
            flush_interval: self.flush_interval.map_or(default.flush_interval, |span| span.get().0),
            spool_bytes: self.spool.map_or(default.spool_bytes, |size| size.get().0),
            capture_bytes: self.capture_queue.map_or(default.capture_bytes, |size| size.get().bytes()),
        }
    }
}

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetentionFile {
    max_age: Option<Within<Span, 1_000, { 100 * LONGEST }>>,
    max_count: Option<Within<u64, 1, 1_000_000_000_000>>,
    max_size: Option<Within<Size, 1, { 1 << 60 }>>,
}

impl RetentionFile {
    pub(super) fn resolve(&self) -> Retention {
        let default = Retention::default();
        Retention {
            max_age: self.max_age.map_or(default.max_age, |span| span.get().0),
            max_count: self.max_count.map_or(default.max_count, Within::get),
            max_bytes: self.max_size.map_or(default.max_bytes, |size| size.get().0),
        }
    }
}
