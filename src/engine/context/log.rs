//! The lines that a run logs, up to its limits.

use rhai::Dynamic;

use crate::{
    engine::{meter, value::text},
    execution::{LogLevel, LogLine},
    function::Limits,
};

/// The log of one run.
#[derive(Debug, Default)]
pub struct Log {
    /// In order.
    pub lines: Vec<LogLine>,
    /// Those that did not fit.
    pub dropped: u32,
    bytes: usize,
}

/// Most bytes of one line. A line gets only a part of the whole log, so that lines after a long one still fit. Those often say what went
/// wrong.
fn line_size(limits: &Limits) -> usize {
    let all = limits.log_size.bytes();
    (all / 8).max(SHORTEST_LINE).min(all)
}

/// However little a log may have, a line of it may be as long as this.
const SHORTEST_LINE: usize = 1024;

impl Log {
    /// Appends a line, or counts it where it does not fit.
    pub fn append(&mut self, level: LogLevel, message: &Dynamic, limits: &Limits) {
        let message = text::to_line(message, line_size(limits));
        if self.lines.len() >= limits.log_lines as usize || self.bytes + message.len() > limits.log_size.bytes() {
            self.dropped += 1;
            return;
        }
        self.bytes += message.len();
        self.lines.push(LogLine { at_us: meter::usage().duration.as_micros() as u64, level, message });
    }
}
