//! Orders and answers of the control plane: `http` and `cli` share them. Plain data; OpenAPI describes it.

pub mod audit;
pub mod deployments;
pub mod events;
pub mod executions;
pub mod health;
pub mod kept_request;
pub mod kv;
pub mod node;
pub mod nodes;
pub mod problem;
pub mod replay;
pub mod routes;
pub mod schedules;
pub mod scripts;
pub mod secrets;
pub mod session;
pub mod source;
pub mod stats;
pub mod tokens;
pub mod upload;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{clock::rfc3339, deployment::Deployment, execution::Execution};

/// A record with what its id holds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WithTime<T> {
    /// When, as RFC 3339 has it.
    pub time: String,
    /// The number of the node that made it.
    #[serde(default)]
    pub node: String,
    /// The record itself.
    #[serde(flatten)]
    pub record: T,
}

impl From<Execution> for WithTime<Execution> {
    fn from(execution: Execution) -> Self {
        Self { time: rfc3339(execution.id.time_us()), node: execution.id.node().to_string(), record: execution }
    }
}

impl<'a> From<&'a Execution> for WithTime<&'a Execution> {
    fn from(execution: &'a Execution) -> Self {
        Self { time: rfc3339(execution.id.time_us()), node: execution.id.node().to_string(), record: execution }
    }
}

impl From<Deployment> for WithTime<Deployment> {
    fn from(deployment: Deployment) -> Self {
        Self { time: rfc3339(deployment.id.time_us()), node: deployment.id.node().to_string(), record: deployment }
    }
}

impl<'a> From<&'a Deployment> for WithTime<&'a Deployment> {
    fn from(deployment: &'a Deployment) -> Self {
        Self { time: rfc3339(deployment.id.time_us()), node: deployment.id.node().to_string(), record: deployment }
    }
}
