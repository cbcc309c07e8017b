//! Errors of orders to the sync loop.

use crate::{
    deployment::DeploymentId,
    function::Diagnostic,
    shown::with_causes,
    store::{FindError, StoreError},
};

/// The loop has ended: the node is stopping.
#[derive(Debug, thiserror::Error)]
#[error("the node is stopping")]
pub struct NodeStopping;

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// There is no such deployment, or it was never live.
    #[error("{0}\n  hint: `picloud deployments` shows those that were live")]
    Find(FindError),
    /// There is nothing before the live one.
    #[error("{0}")]
    NothingBefore(String),
    /// It is what is live.
    #[error("the files of deployment {0} are what is live already")]
    AlreadyLive(DeploymentId),
    /// Something else is live than whoever ordered it had seen.
    #[error("deployment {live} is live, and no more {from}\n  hint: nothing was changed; look at what differs now, and order it again")]
    OtherLive {
        /// What was seen.
        from: DeploymentId,
        /// What is live.
        live: DeploymentId,
    },
    /// Its files do not check by today's rules.
    #[error("the files of deployment {id} cannot go live any more")]
    Broken {
        /// Which.
        id: DeploymentId,
        /// Mistakes in them.
        diagnostics: Vec<Diagnostic>,
    },
    /// The source is followed as it is.
    #[error("{0}")]
    NothingToDo(&'static str),
    /// The database is away, and nothing may be changed that it does not know.
    #[error("the database does not answer: {0}\n  hint: nothing was changed; try again when it does")]
    NoDatabase(String),
    /// The node is stopping.
    #[error(transparent)]
    Stopping(#[from] NodeStopping),
}

impl From<FindError> for OrderError {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Store(error) => error.into(),
            error => Self::Find(error),
        }
    }
}

impl From<StoreError> for OrderError {
    fn from(error: StoreError) -> Self {
        Self::NoDatabase(with_causes(&error))
    }
}
