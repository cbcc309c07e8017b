//! Scripts on the engine alone: what they see and return, how they are loaded, and what they cannot do to the process.

mod executor;
mod hostile;
#[path = "../kit/mod.rs"]
mod kit;
mod script;
