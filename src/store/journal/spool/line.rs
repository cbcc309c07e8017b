//! A line of the spool: the execution in JSON, and directly after it the kept request in JSON, if there is one.

use serde::Deserialize;

use crate::execution::{Capture, Execution};

/// Writes an execution without the end of the line.
pub(super) fn write_line(lines: &mut Vec<u8>, execution: &Execution) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *lines, execution)?;
    match &execution.capture {
        Some(capture) => serde_json::to_writer(lines, capture),
        None => Ok(()),
    }
}

/// Reads an execution.
pub(super) fn read_line(line: &[u8]) -> serde_json::Result<Execution> {
    let mut line = serde_json::Deserializer::from_slice(line);
    let mut execution = Execution::deserialize(&mut line)?;
    if line.end().is_err() {
        execution.capture = Some(Box::new(Capture::deserialize(&mut line)?));
        line.end()?;
    }
    Ok(execution)
}
