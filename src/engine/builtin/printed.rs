//! Arrays and maps as text, as Rhai writes them: `[1, "x"]`, `#{"a": 1}`. Rhai's own goes through every value inside, and a closure can hold
//! the map that holds it.

use std::fmt::Write as _;

use rhai::{Array, Dynamic, FnPtr, Map};

use crate::engine::value::MAX_DEPTH;

/// Why a value has no text.
pub enum PrintError {
    /// It would be longer than a string may be.
    TooLong,
    /// It is nested too deep, or holds itself.
    TooDeep,
}

/// Writes values into a text.
pub struct Printer {
    /// What is written so far.
    pub text: String,
    limit: usize,
    depth: usize,
}

type PrintResult = Result<(), PrintError>;

impl Printer {
    /// Begins a text of at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { text: String::new(), limit, depth: 0 }
    }

    /// Writes an array.
    pub fn array(&mut self, array: &Array) -> PrintResult {
        self.list("[", array.iter(), |printer, value| printer.value(value))
    }

    /// Writes a map.
    pub fn map(&mut self, map: &Map) -> PrintResult {
        self.list("#{", map.iter(), |printer, (key, value)| {
            let _ = write!(printer.text, "{key:?}: ");
            printer.value(value)
        })
    }

    fn list<T>(&mut self, open: &str, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Self, T) -> PrintResult) -> PrintResult {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(PrintError::TooDeep);
        }
        self.text.push_str(open);
        for (number, item) in items.enumerate() {
            if number > 0 {
                self.text.push_str(", ");
            }
            write(self, item)?;
            if self.text.len() > self.limit {
                return Err(PrintError::TooLong);
            }
        }
        self.text.push(if open == "[" { ']' } else { '}' });
        self.depth -= 1;
        Ok(())
    }

    fn value(&mut self, value: &Dynamic) -> PrintResult {
        if let Ok(array) = value.as_array_ref() {
            return self.array(&array);
        }
        if let Ok(map) = value.as_map_ref() {
            return self.map(&map);
        }
        if let Ok(character) = value.as_char() {
            self.text.push(character);
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            // Without what it captures.
            let _ = write!(self.text, "{}", *function);
        } else {
            let _ = write!(self.text, "{value:?}");
        }
        Ok(())
    }
}
