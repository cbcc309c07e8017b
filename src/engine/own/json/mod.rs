//! JSON of values, both ways.

mod read;
mod scan;
#[cfg(test)]
mod tests;
mod write;

pub use read::read;
pub use write::write;

/// Whether a text needs no escape in JSON.
pub(super) fn is_plain(text: &str) -> bool {
    scan::ordinary(text.as_bytes()) == text.len()
}
