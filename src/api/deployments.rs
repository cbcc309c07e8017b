//! Lists of deployments.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::WithTime;
use crate::deployment::{Deployment, DeploymentId};

/// A page of deployments, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeploymentPage {
    /// What was decided.
    pub deployments: Vec<WithTime<Deployment>>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<DeploymentId>,
}
