//! Scripts that are written through the control plane: the same stories on a directory and in git, on both databases.

#[path = "../git/kit.rs"]
#[allow(dead_code, reason = "this file uses its own part of the kit")]
mod git;
#[path = "../support/node.rs"]
mod node;
#[path = "../store/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the store's tests use the rest of it")]
mod store;

mod checks;
mod deploy;
mod directory;
mod kit;
mod lifecycle;
mod races;
mod refusals;
mod trees;
