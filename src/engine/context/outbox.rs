//! What a run emits, kept back until its outcome is recorded, and what it says of the event that started it.

use crate::execution::{EmittedEvent, MAX_EMITTED, MAX_EMITTED_BYTES, NewEvent, Verdict};

/// The events of one run.
#[derive(Debug, Default)]
pub struct Outbox {
    /// In their order.
    pub events: Vec<NewEvent>,
    /// What becomes of the event that started the run, if the script says that.
    pub verdict: Option<Verdict>,
    /// When each was emitted, in microseconds from the start of the run.
    times_us: Vec<u64>,
    bytes: usize,
}

impl Outbox {
    /// Adds an event that is emitted so many microseconds after the start of the run. The error says which limit it would pass.
    pub fn add(&mut self, event: NewEvent, at_us: u64) -> Result<(), String> {
        let bytes = self.bytes + event.payload.len();
        if self.events.len() >= MAX_EMITTED {
            return Err(format!("a run emits {MAX_EMITTED} events at most"));
        }
        if bytes > MAX_EMITTED_BYTES {
            return Err(format!("a run emits {MAX_EMITTED_BYTES} bytes of payloads at most"));
        }
        self.bytes = bytes;
        self.events.push(event);
        self.times_us.push(at_us);
        Ok(())
    }

    /// Describes the events for the record of the run. None is sent yet.
    pub fn emitted(&self) -> Vec<EmittedEvent> {
        let events = self.events.iter().zip(&self.times_us);
        events
            .map(|(event, at_us)| EmittedEvent { at_us: *at_us, topic: event.topic.to_string(), key: event.key.clone(), sent: false })
            .collect()
    }
}
