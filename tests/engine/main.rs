//! Scripts on the engine alone: what they see and return, how they are loaded, and what they cannot do to the process.

mod check;
mod executor;
mod hostile;
#[path = "../kit/mod.rs"]
mod kit;
mod limits;
mod reply;
mod request;
