//! Inputs that nobody thought of, for everything that reads what others send. `tests/fuzz/README.md` says how to run it longer.

// The router's reference is part of the library's own tests, and names its types by these paths.
use picloud::{execution, function, live};

#[path = "../kit/mod.rs"]
mod kit;
#[path = "../../src/live/router/tests/reference.rs"]
mod reference;

mod check;
mod config;
mod gate;
mod harness;
mod http;
mod manifest;
mod request;
mod routing;
mod script;
mod spool;
