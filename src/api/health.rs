//! What of a node is not as it should be.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::deployment::DeploymentId;

/// What is not as it should be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthReport {
    /// Each part that is degraded; none if all is well.
    pub parts: Vec<HealthPart>,
}

/// A part that is degraded.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthPart {
    /// Which.
    pub part: Part,
    /// How bad that is.
    pub level: HealthLevel,
    /// Since when the node knows.
    pub since: String,
    /// What is wrong.
    pub says: String,
    /// What to do.
    #[serde(rename = "do")]
    pub advice: String,
    /// The deployment that was refused, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
}

/// A part of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HealthPartName)]
pub enum Part {
    /// Where functions come from.
    Source,
    /// Where deployments and executions are kept.
    Database,
    /// What is to go live.
    Deployment,
    /// What runs without a caller.
    Triggers,
    /// The files of the source.
    Files,
    /// Executions on their way to the database.
    Journal,
    /// Where those wait on disk.
    Spool,
    /// The secrets of functions.
    Secrets,
}

impl Part {
    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Database => "database",
            Self::Deployment => "deployment",
            Self::Triggers => "triggers",
            Self::Files => "files",
            Self::Journal => "journal",
            Self::Spool => "spool",
            Self::Secrets => "secrets",
        }
    }
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthLevel {
    /// The node copes.
    Warn,
    /// Something is lost until somebody acts.
    Fail,
}
