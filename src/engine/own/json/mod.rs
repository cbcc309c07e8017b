//! JSON of values, both ways.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::read;
pub use write::write;
