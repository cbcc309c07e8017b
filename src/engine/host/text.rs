//! A text that a host function writes, which may grow as far as the run's memory does.

use std::{borrow::Cow, fmt, io};

use super::HostError;
use crate::engine::{meter, value::plain::Value};

/// Bytes that are written, within the memory of the run and, where one is given, a limit.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    limit: usize,
    is_full: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self::within(usize::MAX)
    }
}

impl Writer {
    /// Writes at most so many bytes.
    pub fn within(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, is_full: false }
    }

    /// Returns whether more was to be written than the limit allows.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns the text.
    pub fn text(self) -> Result<String, HostError> {
        String::from_utf8(self.bytes).map_err(|_| "what is written is not UTF-8".into())
    }

    /// Adds a text.
    pub fn push(&mut self, text: &str) -> Result<(), HostError> {
        self.add(text.as_bytes()).ok_or(HostError::Stopped)
    }

    /// Adds bytes, unless the run has no memory for them. Growing needs both the old place and the new one.
    fn add(&mut self, part: &[u8]) -> Option<()> {
        let length = self.bytes.len() + part.len();
        self.is_full |= length > self.limit;
        if self.is_full {
            return None;
        }
        if length > self.bytes.capacity() {
            let room = length.max(2 * self.bytes.capacity());
            meter::has_room(room).then_some(())?;
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(part);
        Some(())
    }
}

impl io::Write for Writer {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.add(part).map(|()| part.len()).ok_or(io::ErrorKind::OutOfMemory.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.add(part.as_bytes()).ok_or(fmt::Error)
    }
}

/// Writes a text so that HTML and XML read it as text, also between quotes.
pub fn escape(text: &str, to: &mut Writer) -> Result<(), HostError> {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        let (before, from) = rest.split_at(at);
        to.push(before)?;
        to.push(match from.as_bytes()[0] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        })?;
        rest = &from[1..];
    }
    to.push(rest)
}

/// Returns a value in one line of text, if it is no collection: numbers and times as a script shows them, nothing for `()`.
pub fn plain(value: &Value) -> Result<Cow<'_, str>, HostError> {
    Ok(match value {
        Value::Unit => "".into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bool(truth) => if *truth { "true" } else { "false" }.into(),
        Value::Int(number) => number.to_string().into(),
        Value::Float(number) => number.to_string().into(),
        Value::Object(object) => object.0.shown().into(),
        other => return Err(format!("a text or a number is wanted, not {}", other.type_word()).into()),
    })
}

/// Makes sure that work that lasts may go on: that the run has time and memory.
pub fn goes_on() -> Result<(), HostError> {
    if meter::has_memory() && meter::has_time() { Ok(()) } else { Err(HostError::Stopped) }
}
