//! Values of scripts: to and from JSON, in words, and their sizes.

pub mod plain;
pub mod read;
pub mod sizes;
pub mod text;
pub mod write;

/// Values inside values, in either direction; `serde_json` reads no deeper. A closure can hold the map that holds it.
pub const MAX_DEPTH: usize = 128;
