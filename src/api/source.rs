//! How the node follows its source: webhooks, going back. What a look comes to is [`SyncOutcome`](crate::sync::orders::SyncOutcome).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    deployment::{Deployment, DeploymentId},
    sync::{diff::tree::TreeDiff, orders::rollback::RollbackOutcome},
};

/// A webhook that is believed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookAnswer {
    /// `accepted`: the source is looked at soon.
    pub status: String,
}

/// Where to go back to, and how.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollbackOrder {
    /// A deployment, its revision or the beginning of that; none: what was live before.
    pub to: Option<String>,
    /// What is live, as a dry run or the status said. Something else: nothing is done, and the answer is 409. None: whatever is live.
    pub from: Option<DeploymentId>,
    /// Nothing goes live until `unpin`.
    pub hold: bool,
    /// For people.
    pub reason: Option<String>,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// What a rollback changes, and the deployment that does.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RollbackAnswer {
    /// The deployment whose files are live again.
    pub to: Deployment,
    /// The deployment that was live: an order that names it is not carried out once something else is.
    pub from: Option<DeploymentId>,
    /// The functions that it adds, changes and removes.
    pub plan: TreeDiff,
    /// The same for people.
    pub text: String,
    /// The record of it; none in a dry run.
    pub deployment: Option<Deployment>,
    /// Why nothing newer of the source goes live, if the source is suspended.
    pub suspended: Option<String>,
}

impl From<RollbackOutcome> for RollbackAnswer {
    fn from(RollbackOutcome { to, from, plan, deployment, suspended }: RollbackOutcome) -> Self {
        Self { to, from, text: plan.to_string(), plan, deployment, suspended }
    }
}
