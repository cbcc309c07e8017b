//! How a node is: for everybody, and for operators.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    clock::rfc3339,
    deployment::{Cause, Deployment, DeploymentId, DeploymentStatus, Following},
    function::{Diagnostic, Revision},
    store::journal::Stats,
};

/// The process lives.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `alive`
    pub status: String,
}

/// Whether functions are loaded, and what is not as it should be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// `starting`, `ready` or `degraded`.
    pub status: String,
    /// What is live.
    pub deployment: Option<DeploymentId>,
    /// The number of functions that are live.
    pub functions: usize,
    /// What is not as it should be, a sentence each.
    pub degraded: Vec<String>,
    /// Why what the source holds is not live, if an operator wants it so.
    pub held: Option<String>,
    /// Executions that were lost since the start.
    pub lost_executions: u64,
}

/// What is live, what the source holds, and why they differ if they do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NodeStatus {
    /// Where functions come from.
    pub source: String,
    /// What is live.
    pub live: Option<LiveDeployment>,
    /// What the source holds, if it could be read.
    pub wanted: Option<Revision>,
    /// Whether that is live.
    pub is_in_sync: bool,
    /// For how long the source has held what is not live, in microseconds.
    pub behind_us: Option<i64>,
    /// Why what the source holds is not live, if an operator wants it so.
    pub held: Option<String>,
    /// What operators said about following the source.
    pub following: Following,
    /// When the source was last looked at.
    pub last_look: Option<String>,
    /// When it is looked at next; none: when something changes.
    pub next_look: Option<String>,
    /// Why the source cannot be read, or is read in a poorer way.
    pub problem: Option<String>,
    /// A deployment that waits for the database.
    pub waiting: Option<String>,
    /// What runs without a caller is late.
    pub late: Option<String>,
    /// What is wrong in the source.
    pub diagnostics: Vec<Diagnostic>,
    /// Where deployments and executions are kept.
    pub database: DatabaseStatus,
    /// Executions on their way there.
    pub journal: Stats,
    /// Other branches.
    pub previews: Vec<PreviewStatus>,
}

/// What is live.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LiveDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// When it was decided.
    pub time: String,
    /// What the source held.
    pub revision: Revision,
    /// What made it happen.
    pub cause: Cause,
    /// Who.
    pub by: Option<String>,
    /// Who pushed it.
    pub pushed_by: Option<String>,
    /// What else there is to know.
    pub note: Option<String>,
    /// The first line of the commit's message, or the files where there is none.
    pub subject: Option<String>,
    /// The number of its functions.
    pub functions: u32,
}

impl From<&Deployment> for LiveDeployment {
    fn from(deployment: &Deployment) -> Self {
        let Deployment { id, revision, cause, by, pushed_by, note, subject, functions, .. } = deployment.clone();
        Self { id, time: rfc3339(id.time_us()), revision, cause, by, pushed_by, note, subject, functions }
    }
}

/// A deployment that was decided on.
#[derive(Debug, Serialize)]
pub struct DecidedDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// Whether it went live.
    pub status: DeploymentStatus,
    /// What the source held.
    pub revision: Revision,
}

impl From<&Deployment> for DecidedDeployment {
    fn from(deployment: &Deployment) -> Self {
        Self { id: deployment.id, status: deployment.status, revision: deployment.revision.clone() }
    }
}

/// Where deployments and executions are kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DatabaseStatus {
    /// Where it is, without a password.
    pub place: String,
    /// Why it does not answer.
    pub problem: Option<String>,
}

/// Another branch than the one that deploys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PreviewStatus {
    /// Its name.
    pub branch: String,
    /// Its commit.
    pub revision: Revision,
    /// Who wrote that commit.
    #[serde(default)]
    pub by: Option<String>,
    /// The first line of its message.
    #[serde(default)]
    pub subject: Option<String>,
    /// When it was made, by the clock of whoever made it.
    #[serde(default)]
    pub time: Option<String>,
    /// Whether it answers; it does not if it has mistakes.
    pub is_shown: bool,
    /// The path below which it is shown.
    pub path: String,
    /// The host under which it is shown, where there are such hosts.
    pub host: Option<String>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}
