//! A run without a node, on the executor that a node would have.

use std::sync::Arc;

use anyhow::anyhow;

use super::base::local_executor;
use crate::{
    engine::Engine,
    execution::{Finished, Invocation},
    executor::{ExecuteError, local::Capacity},
    function::SharedFunction,
};

/// Executes a function once. To be called where there is stack enough; nothing is recorded.
pub fn execute_once(
    engine: Arc<Engine>,
    capacity: &Capacity,
    function: &SharedFunction,
    invocation: Box<Invocation>,
) -> anyhow::Result<Finished> {
    let executor = local_executor(engine, capacity, Arc::new(drop));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        executor.load(std::slice::from_ref(function)).await.map_err(|found| anyhow!("{}", found[0]))?;
        executor.execute(function.version, invocation, None).await.map_err(|error| match error {
            ExecuteError::MalformedBody(_) => anyhow!(error).context("the body is malformed (400)"),
            ExecuteError::NotLoaded => anyhow!("the engine failed on these files; please report it"),
            other => other.into(),
        })
    })
}
