//! Seam 4: what scripts may do outside of their run. Traits and plain data, one file a capability; no input or output, and no Rhai.
//!
//! A run asks a capability with a grant of its function. Requests and results are plain data, so that a run can be recorded and replayed.
//! A future that is dropped ends what it waits for.

pub mod http;
pub mod kv;
pub mod redact;
pub mod secret;
pub mod sql;

use std::sync::Arc;

/// What a node offers to scripts; each is missing where there is no node, or no such thing.
#[derive(Clone, Default)]
pub struct Capabilities {
    /// Sends requests.
    pub http: Option<Arc<dyn http::HttpClient>>,
    /// Keeps values.
    pub kv: Option<Arc<dyn kv::KeyValue>>,
    /// Reaches databases.
    pub sql: Option<Arc<dyn sql::Databases>>,
    /// Knows secrets.
    pub secrets: Option<Arc<dyn secret::Secrets>>,
}
