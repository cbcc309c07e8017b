//! Places in a file: from the engine's positions to ours.

use crate::function::{Diagnostic, Position};

/// Turns a position of the engine's into ours.
pub fn position(at: rhai::Position) -> Option<Position> {
    Some(Position { line: at.line()? as u32, column: at.position().unwrap_or(1).max(1) as u32 })
}

/// Adds a position of the engine's to a diagnostic.
pub fn mark(diagnostic: Diagnostic, text: &str, at: rhai::Position) -> Diagnostic {
    match position(at) {
        Some(position) => diagnostic.at(text, position),
        None => diagnostic,
    }
}
