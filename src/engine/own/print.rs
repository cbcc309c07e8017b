//! Values as text, as Rhai and our own `to_string` and `to_debug` of arrays and maps show them.

use std::fmt::Write;

use rhai::FloatWrapper;

use super::Value;
use crate::engine::value::MAX_DEPTH;

impl Value {
    /// Adds it to a text as `to_string` and texts with values in them show it; false: Rhai is to be asked, as only the engine knows its text,
    /// or it has more bytes than that, or is nested too deep. Then nothing is added.
    #[inline]
    pub fn print(&self, out: &mut String, longest: usize) -> bool {
        match self {
            Self::Short(text) => out.push_str(text.as_str()),
            Self::Long(text) => out.push_str(text),
            Self::Int(number) => push_int(out, *number),
            other => return other.print_other(out, longest),
        }
        true
    }

    #[inline(never)]
    fn print_other(&self, out: &mut String, longest: usize) -> bool {
        match self {
            Self::Unit => true,
            Self::Char(character) => {
                out.push(*character);
                true
            }
            Self::Float(number) => write!(out, "{}", FloatWrapper::new(*number)).is_ok(),
            Self::Shared(shared) => shared.get().print(out, longest),
            other => other.debug(out, longest),
        }
    }

    /// Adds it to a text as `to_debug` shows it; false: as for [`print`](Self::print).
    pub fn debug(&self, out: &mut String, longest: usize) -> bool {
        let before = out.len();
        let is_known = match self {
            // The engine may have another name for its type.
            Self::Other(value) => is_range(value) && write!(out, "{value}").is_ok(),
            other => Printer { out, end: before.saturating_add(longest), depth: 0 }.value(other).is_some(),
        };
        if !is_known {
            out.truncate(before);
        }
        is_known
    }
}

fn is_range(value: &rhai::Dynamic) -> bool {
    value.is::<std::ops::Range<i64>>() || value.is::<std::ops::RangeInclusive<i64>>()
}

/// Adds a number to a text. Texts with values in them have many, and the standard way takes several times as long.
fn push_int(out: &mut String, number: i64) {
    let (mut digits, mut rest) = ([0; 20], number.unsigned_abs());
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push('-');
    }
    out.push_str(std::str::from_utf8(&digits[first..]).unwrap_or_default());
}

/// Writes a value with those inside.
struct Printer<'a> {
    out: &'a mut String,
    /// How long the text may become.
    end: usize,
    depth: usize,
}

impl Printer<'_> {
    fn value(&mut self, value: &Value) -> Option<()> {
        match value {
            Value::Unit => self.out.push_str("()"),
            Value::Bool(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            Value::Int(number) => push_int(self.out, *number),
            Value::Float(number) => write!(self.out, "{number:?}").ok()?,
            Value::Char(character) => self.out.push(*character),
            Value::Short(text) => write!(self.out, "{:?}", text.as_str()).ok()?,
            Value::Long(text) => write!(self.out, "{text:?}").ok()?,
            Value::List(list) => self.parts("[", "]", list.iter(), Self::value)?,
            Value::Map(map) => self.parts("#{", "}", map.iter(), |printer, (key, value)| {
                write!(printer.out, "{key:?}: ").ok()?;
                printer.value(value)
            })?,
            Value::Blob(bytes) => self.bytes(bytes)?,
            // Without what it captures.
            Value::Function(function) => write!(self.out, "Fn({})", function.name).ok()?,
            Value::Shared(shared) => self.value(&shared.get())?,
            Value::Other(value) => write!(self.out, "{value:?}").ok()?,
        }
        Some(())
    }

    fn parts<T>(
        &mut self,
        open: &str,
        close: &str,
        parts: impl Iterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Option<()>,
    ) -> Option<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.out.push_str(open);
        for (number, part) in parts.enumerate() {
            if number > 0 {
                self.out.push_str(", ");
            }
            write(self, part)?;
            if self.out.len() > self.end {
                return None;
            }
        }
        self.out.push_str(close);
        self.depth -= 1;
        Some(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.out.push('[');
        for (number, byte) in bytes.iter().enumerate() {
            if number > 0 && number % 8 == 0 {
                self.out.push(' ');
            }
            write!(self.out, "{byte:02x}").ok()?;
        }
        self.out.push(']');
        (self.out.len() <= self.end).then_some(())
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_rhai().fmt(formatter)
    }
}
