//! Values as text, as Rhai shows them.

use std::fmt::Write;

use super::Value;

impl Value {
    /// Writes it as `print`, `to_string` and texts with values in them do.
    pub fn print(&self, out: &mut String) {
        match self {
            Self::Unit => {}
            Self::Short(text) => out.push_str(text.as_str()),
            Self::Long(text) => out.push_str(text),
            // Writing to a text cannot fail.
            other => {
                let _ = write!(out, "{}", other.to_rhai());
            }
        }
    }

    /// Writes it as `debug` and `to_debug` do.
    pub fn debug(&self, out: &mut String) {
        // Writing to a text cannot fail.
        let _ = write!(out, "{:?}", self.to_rhai());
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_rhai().fmt(formatter)
    }
}
