//! Scripts on the engine alone: what they see and return, how they are loaded, and what they cannot do to the process.

mod check;
mod crypto;
mod encoding;
mod executor;
mod hostile;
mod jwt;
#[path = "../kit/mod.rs"]
mod kit;
mod limits;
mod modules;
mod reply;
mod request;
mod templates;
mod waiting;
