//! What a run emits, kept back until its outcome is recorded, and what it says of the event that started it.

use crate::execution::{MAX_EMITTED, MAX_EMITTED_BYTES, NewEvent, Verdict};

/// The events of one run.
#[derive(Debug, Default)]
pub struct Outbox {
    /// In their order.
    pub events: Vec<NewEvent>,
    /// What becomes of the event that started the run, if the script says that.
    pub verdict: Option<Verdict>,
    bytes: usize,
}

/// How far the events of a run were.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutboxMark {
    events: usize,
    bytes: usize,
}

impl Outbox {
    /// Returns how far they are, for [`rewind`](Self::rewind).
    pub fn mark(&self) -> OutboxMark {
        OutboxMark { events: self.events.len(), bytes: self.bytes }
    }

    /// Forgets what came after a mark.
    pub fn rewind(&mut self, mark: OutboxMark) {
        self.events.truncate(mark.events);
        self.bytes = mark.bytes;
    }

    /// Adds an event. The error says which limit it would pass.
    pub fn add(&mut self, event: NewEvent) -> Result<(), String> {
        let bytes = self.bytes + event.payload.len();
        if self.events.len() >= MAX_EMITTED {
            return Err(format!("a run emits {MAX_EMITTED} events at most"));
        }
        if bytes > MAX_EMITTED_BYTES {
            return Err(format!("a run emits {MAX_EMITTED_BYTES} bytes of payloads at most"));
        }
        self.bytes = bytes;
        self.events.push(event);
        Ok(())
    }
}
