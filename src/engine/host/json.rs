//! Values to JSON and back, for what leaves a run and comes back.

use std::io;

use super::{HostError, convert::from_rhai};
use crate::engine::value::plain::Value;
use crate::engine::value::read;

/// Writes a value as JSON, at most so many bytes.
pub fn to_json(value: &Value, limit: usize) -> Result<String, HostError> {
    let mut writer = LimitedWriter { bytes: Vec::new(), limit };
    serde_json::to_writer(&mut writer, value).map_err(|why| match why.is_io() {
        true => format!("it is larger than {limit} bytes as JSON"),
        false => why.to_string(),
    })?;
    String::from_utf8(writer.bytes).map_err(|_| "it has no form in JSON".into())
}

/// Reads JSON, within the memory of the run.
pub fn from_json(text: &str) -> Result<Value, HostError> {
    let value = read::from_json(text.as_bytes()).map_err(|why| HostError::from(why.to_string()))?;
    from_rhai(value).map_err(HostError::Script)
}

struct LimitedWriter {
    bytes: Vec<u8>,
    limit: usize,
}

impl io::Write for LimitedWriter {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + part.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
