//! Seam 4: what scripts may do outside of their run. Traits and plain data, one file a capability; no input or output, and no Rhai.

pub mod kv;
pub mod http;

pub mod redact;
pub mod secret;
