//! The nodes that serve one source.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::deployment::DeploymentId;

/// Every node on a database. A node alone is a list of one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NodeList {
    /// By id.
    pub nodes: Vec<NodeSummary>,
}

/// A node.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NodeSummary {
    /// Follows from its data folder, and stays the same when it starts again.
    pub id: String,
    /// Where its control plane listens.
    pub address: String,
    /// The version of PiCloud.
    pub version: String,
    /// When it was heard of last.
    pub heard_of: String,
    /// When it started.
    pub started: String,
    /// For how long it runs, in seconds.
    pub up_s: u64,
    /// What is live on it.
    pub deployment: Option<DeploymentId>,
    /// How long after its start functions were live, in microseconds; none: they are not yet.
    pub ready_us: Option<i64>,
    /// For how long its source has held what is not live, in microseconds.
    pub behind_us: Option<i64>,
    /// Requests a second, since at least ten seconds.
    pub requests_per_s: f64,
    /// The share of all processors that it uses, from 0 to 1.
    pub processor: f64,
    /// Memory that the process takes; none: the system does not tell.
    pub memory_bytes: Option<u64>,
    /// What it alone may do: `database` is to write there.
    pub leases: Vec<String>,
}
