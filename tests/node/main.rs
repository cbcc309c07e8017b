//! The program as a whole: its commands, how it starts and ends, and what can go wrong around it.

mod cli;
mod faults;
#[path = "../kit/mod.rs"]
mod kit;
mod lifecycle;
mod secrets;
mod upgrade;
