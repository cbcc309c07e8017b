//! Modes of the entries of a commit.

/// A folder.
pub const FOLDER: i32 = 0o040_000;
/// A symbolic link.
pub const LINK: i32 = 0o120_000;
/// A repository of its own.
pub const SUBMODULE: i32 = 0o160_000;
