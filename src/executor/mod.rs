//! Seam 3: who runs functions. In this process today; elsewhere later, so everything that crosses is plain data.

mod history;
mod loaded;
pub mod local;
mod pool;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;

use crate::{
    cancel::CancelFlag,
    execution::{Finished, Invocation},
    function::{Diagnostic, SharedFunction, Version, quantity::Size},
};

/// Why a run did not take place.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The body is not what its content type says.
    #[error("{0}")]
    MalformedBody(String),
    /// As many runs of the function as it may have are under way.
    #[error("the function already runs {limit} times at once")]
    FunctionBusy {
        /// Its limit `concurrency`.
        limit: u32,
    },
    /// As many runs as the node may have are under way.
    #[error("the node already runs {limit} functions at once")]
    NodeBusy {
        /// The node's `max_running`.
        limit: usize,
    },
    /// As many runs that can wait for something outside as the node may have are under way.
    #[error("the node already has {limit} runs that can wait for something outside")]
    NodeWaits {
        /// The node's `max_waiting`.
        limit: usize,
    },
    /// Its runs have left too much memory behind. A new version of it starts anew.
    #[error("the function leaked more than {limit}")]
    Leaks {
        /// Its limit `leak`.
        limit: Size,
    },
    /// The executor does not know this version, or gave up on it.
    #[error("the function is not loaded")]
    NotLoaded,
}

/// What is being run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Runs under way of each version; one that is not named has none.
    pub running: HashMap<Version, u32>,
    /// Runs on the pool under way.
    pub pool_running: usize,
    /// Runs that wait for a thread of the pool.
    pub pool_waiting: usize,
    /// The most of both.
    pub pool_limit: usize,
    /// Bytes that all runs hold together, and may hold; none if nobody limits them.
    pub memory: Option<(u64, u64)>,
}

/// Runs functions.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Makes these functions ready to run, beside those of earlier loads that someone still holds; what nobody holds is let go. Functions of
    /// one version must be one and the same, as check makes them. The errors are about their files.
    async fn load(&self, functions: &[SharedFunction]) -> Result<(), Vec<Diagnostic>>;

    /// Runs a version that is loaded. Dropping the future stops the run where that is possible. So does this flag; then the result is what came of
    /// the run until then.
    async fn execute(&self, version: Version, invocation: Box<Invocation>, stop: Option<CancelFlag>) -> Result<Finished, ExecuteError>;

    /// Returns what is being run, and what that takes.
    fn usage(&self) -> Usage;
}

/// An executor shared by the parts of a node.
pub type SharedExecutor = Arc<dyn Executor>;
