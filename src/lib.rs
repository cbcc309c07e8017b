//! PiCloud turns a folder of `.rhai` files into live HTTP endpoints.

pub mod clock;
pub mod deployment;
pub mod execution;
pub mod function;
pub mod source;
