//! Lists of deployments.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::WithTime;
use crate::deployment::{Deployment, DeploymentId};

/// A page of deployments, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeploymentPage {
    /// What was decided.
    pub deployments: Vec<CountedDeployment>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<DeploymentId>,
}

/// A deployment with the numbers of what it changed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CountedDeployment {
    /// The deployment itself; a list that was asked for numbers only leaves its `changes` out.
    #[serde(flatten)]
    pub deployment: WithTime<Deployment>,
    /// The number of functions that it added.
    pub added: usize,
    /// The number of functions of which it brought another version.
    pub changed: usize,
    /// The number of functions that it removed.
    pub removed: usize,
}

impl CountedDeployment {
    /// Leaves out which functions changed.
    pub fn without_changes(mut self) -> Self {
        self.deployment.record.changes = Vec::new();
        self
    }
}

impl From<Deployment> for CountedDeployment {
    fn from(deployment: Deployment) -> Self {
        let (added, changed, removed) = deployment.change_counts();
        Self { deployment: deployment.into(), added, changed, removed }
    }
}
