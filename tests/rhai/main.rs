//! Scripts in both evaluators: ours, which is fast, and Rhai's, which says what every result has to be.
//!
//! `both` runs a tree of files in each and compares all that can be seen of the runs. `corpus` does so with the cases of `corpus/*.rhai`, one
//! for each rule of the language; `functions` with every built-in function and operator, on values of every type.
//!
//! `programs` writes programs and makes small what differs, `aliases` gives values two names, `limits` goes to the limits. `folder` takes
//! the scripts of any folder.

mod aliases;
mod both;
mod corpus;
mod folder;
mod functions;
#[path = "../kit/mod.rs"]
mod kit;
mod limits;
#[allow(dead_code, reason = "the hostile tests use all of it")]
#[path = "../engine/hostile/outside.rs"]
mod outside;
mod programs;
mod proof;
mod repository;
mod requests;
mod shrink;
