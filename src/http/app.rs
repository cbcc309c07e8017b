//! What requests need of the node.

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Ids,
    execution::{Execution, Outcome},
    function::Limits,
    http::{auth::Auth, call::admission::Runner, metrics::counts::Counts, settings::HttpSettings, webhook::Webhook},
    live::Live,
    source::git::serve::Hosted,
    store::{Store, journal::Journal},
    sync::{archive::Archive, orders::SyncHandle},
    trace::Tracer,
};

/// Which executions are handed to the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recording {
    /// Every one.
    #[default]
    All,
    /// Those that failed.
    Failed,
    /// None.
    None,
}

impl Recording {
    /// Returns whether this one is among them.
    pub(super) fn takes(self, execution: &Execution) -> bool {
        match self {
            Self::All => true,
            Self::Failed => execution.outcome != Outcome::Ok || execution.status >= 500,
            Self::None => false,
        }
    }
}

/// Which requests are kept with their executions, to be run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capturing {
    /// Those of every function that does not say otherwise.
    pub all: bool,
    /// Bytes of the largest body that is kept.
    pub max_body_bytes: usize,
}

impl Default for Capturing {
    fn default() -> Self {
        Self { all: false, max_body_bytes: 64 * 1024 }
    }
}

/// What requests need of the node.
pub struct App {
    /// How requests come in.
    pub settings: HttpSettings,
    /// What is live.
    pub live: Arc<Live>,
    /// What was live.
    pub archive: Archive,
    /// Who runs functions.
    pub executor: Runner,
    /// Where executions are recorded.
    pub journal: Journal,
    /// Which of them.
    pub recording: Recording,
    /// Which requests are kept to be run again.
    pub capturing: Capturing,
    /// What a run may use where a front-matter is silent.
    pub limits: Limits,
    /// Makes execution ids.
    pub ids: Arc<Ids>,
    /// Decides what is live.
    pub sync: SyncHandle,
    /// Knows who may do what.
    pub auth: Auth,
    /// The repository that is pushed to here.
    pub git: Option<Arc<Hosted>>,
    /// Where functions come from, for people.
    pub source: String,
    /// Where deployments and executions are kept, for people; without a password.
    pub database: String,
    /// The same, once it has been reached.
    pub store: watch::Receiver<Option<Store>>,
    /// Bytes of one function file.
    pub max_file_bytes: usize,
    /// Places for those who follow executions.
    pub tails: Arc<Semaphore>,
    /// The node stops: what has no end of its own ends.
    pub stop: CancellationToken,
    /// Who may say from outside that the source has changed, if anybody may.
    pub webhook: Option<Webhook>,
    /// What is counted of the node as a whole.
    pub counts: Counts,
    /// The connections that are open, at every address.
    pub connections: TaskTracker,
    /// Traces requests, if anybody wants them traced.
    pub tracer: Option<Tracer>,
}
