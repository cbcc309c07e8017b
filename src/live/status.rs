//! What is live, what is wanted, and what keeps a node from being as it should be.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    deployment::{Deployment, DeploymentId, DeploymentStatus, Following},
    function::{Diagnostic, Revision},
};

/// What is live, what the source holds, and what keeps a node from being as it should be.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    /// What is live.
    pub live: Option<Arc<Deployment>>,
    /// The last that was refused since the node started.
    pub rejected: Option<Arc<Deployment>>,
    /// What the source holds, if it could be read.
    pub wanted: Option<Revision>,
    /// Since when it holds that, in microseconds since 1970.
    pub wanted_us: Option<i64>,
    /// When it was last looked at.
    pub checked_us: Option<i64>,
    /// What operators said about following it.
    pub following: Following,
    /// Why what it holds is not live although nothing is wrong with it: an operator wants it so.
    pub held: Option<String>,
    /// Why the source cannot be read, or is read in a poorer way.
    pub source: Option<String>,
    /// Why the database does not answer.
    pub database: Option<String>,
    /// The node has started, and the database has neither answered nor failed yet.
    #[serde(skip)]
    pub is_database_expected: bool,
    /// A deployment that waits for the database.
    pub waiting: Option<String>,
    /// What runs without a caller is late.
    pub late: Option<String>,
    /// What is wrong in the source; those files are live as they last were, or not at all.
    pub diagnostics: Vec<Diagnostic>,
    /// What was decided since the node started.
    pub decided: Decisions,
}

/// Deployments that were decided on since the node started.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Decisions {
    /// So many went live.
    pub live: u64,
    /// So many did not.
    pub rejected: u64,
    /// The last that did not.
    pub last_rejected: Option<DeploymentId>,
}

impl Status {
    /// Counts a deployment.
    pub fn count(&mut self, deployment: &Deployment) {
        match deployment.status {
            DeploymentStatus::Live => self.decided.live += 1,
            DeploymentStatus::Rejected => {
                self.decided.rejected += 1;
                self.decided.last_rejected = Some(deployment.id);
                self.rejected = Some(Arc::new(deployment.clone()));
            }
        }
    }

    /// Returns whether what the source holds is live. A suspension alone makes no difference; after a rollback, files of this very revision
    /// may be live as they were before.
    pub fn is_in_sync(&self) -> bool {
        self.live.as_ref().is_some_and(|live| Some(&live.revision) == self.wanted.as_ref()) && self.following.pin.is_none()
    }

    /// Returns for how long the source has held what is not live; none if that is live, or not known.
    pub fn behind_us(&self, now_us: i64) -> Option<i64> {
        self.wanted_us.filter(|_| !self.is_in_sync()).map(|since| (now_us - since).max(0))
    }
}
