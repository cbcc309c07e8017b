//! Going back to an earlier deployment: the order and its answer.

use serde::Serialize;

use crate::{
    audit::Origin,
    deployment::{Deployment, DeploymentId},
    sync::diff::tree::TreeDiff,
};

/// A wish to go back.
#[derive(Debug, Clone)]
pub struct Rollback {
    /// The target, by id or revision. Without one, it is the last live deployment with other files than the live ones.
    pub to: Option<String>,
    /// What is live as the operator knows it. If it is something else, nothing is done.
    pub from: Option<DeploymentId>,
    /// Nothing newer of the source ends it, only `unpin` does.
    pub hold: bool,
    /// The operator who asks for it.
    pub by: String,
    /// From where.
    pub origin: Origin,
    /// Why.
    pub reason: Option<String>,
    /// Only say what would change.
    pub is_dry_run: bool,
}

/// The outcome of a rollback.
#[derive(Debug, Clone, Serialize)]
pub struct RollbackOutcome {
    /// The deployment whose files are live again.
    pub to: Deployment,
    /// The deployment that was live.
    pub from: Option<DeploymentId>,
    /// The functions that it adds, changes and removes.
    pub plan: TreeDiff,
    /// The record of it; none in a dry run.
    pub deployment: Option<Deployment>,
    /// Why nothing newer of the source goes live, if the source is suspended, a sentence.
    pub suspended: Option<String>,
}
