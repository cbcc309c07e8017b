//! JSON of values, both ways.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::read;
pub use write::{start, write};

/// Whether a text needs no escape in JSON.
pub(super) fn is_plain(text: &str) -> bool {
    read::ordinary(text.as_bytes()) == text.len()
}
