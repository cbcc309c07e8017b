//! Scripts that are written through the control plane: the same stories on a directory and in git, on both databases.

mod checks;
mod deploy;
mod directory;
mod lifecycle;
mod migrations;
mod races;
mod refusals;
mod trees;
