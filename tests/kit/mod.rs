//! What the tests share: nodes and those who ask them, repositories, databases, scripts on the engine alone, and what this machine can do.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses its own part of the kit")]

pub mod api;
pub mod client;
pub mod command;
pub mod git;
pub mod machine;
pub mod mutate;
pub mod node;
pub mod postgres;
pub mod proxy;
pub mod script;
pub mod slow;
pub mod store;
pub mod story;
pub mod upstream;
pub mod visitor;
