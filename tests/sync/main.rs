//! From a source to what is live: a folder that people work in, git with the real program on both ends, and the way back.

mod directory;
mod earlier;
mod git;
#[path = "../kit/mod.rs"]
mod kit;
mod migrations;
mod needs;
mod rollback;
