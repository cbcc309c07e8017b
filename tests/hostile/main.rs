//! Scripts that try to end the process, to outlast their time, or to outgrow their memory.

#[path = "../support/mod.rs"]
mod support;

mod kit;
mod known;
