//! What a front-matter grants to its function beside the request: each kind of grant with its own types and errors.

pub mod http;
pub mod kv;

pub mod secret;
pub mod sql;
