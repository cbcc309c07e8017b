//! Seam 4: what scripts may do outside of their run. Traits and plain data, one file a capability; no input or output, and no Rhai.
//!
//! Each call brings its own limits. Each future may be dropped at any time, which cancels what it waits for.

pub mod http;
pub mod kv;

pub mod redact;
pub mod secret;
pub mod sql;
