//! Pushes to a repository of this machine: its hooks ask the node, and a hosted one is served to git's clients.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{source::refresh_hooks, tasks::Tasks};
use crate::{
    gate::server::{Gate, GateError},
    source::git::{self, GitSource, OwnRepository, Repository, backend::GitBackend, hosted, serve::HostedRepository},
    sync::orders::SyncHandle,
};

/// How long a repository that cannot be used is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// Answers the hooks of a repository, at once or when it is there. Returns what serves it to git's clients, if it is this node's own.
pub async fn take(
    git: GitSource,
    is_open: bool,
    data: &Path,
    sync: &SyncHandle,
    tasks: &Tasks,
) -> anyhow::Result<Option<Arc<dyn GitBackend>>> {
    let hosted = hosted_by(&git, data, sync)?;
    let closed = tasks.after_requests.clone();
    let gate = if is_open { gate(&git, sync).await? } else { None };
    match gate {
        Some(gate) => tasks.spawn(gate.serve(closed)),
        None => tasks.spawn(gate_later(git, sync.clone(), closed)),
    }
    Ok(hosted)
}

/// Opens the gate for pushes; none if the system does not let it be opened now.
async fn gate(git: &GitSource, sync: &SyncHandle) -> Result<Option<Gate>, GateError> {
    match Gate::open(Arc::new(git.clone()), sync.clone()).await {
        Err(error @ (GateError::NoSocket { .. } | GateError::Denied(_))) => {
            tracing::warn!("pushes cannot be checked yet: {:#}", anyhow::Error::from(error));
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// Waits until a repository is there that was missing or damaged when the node started, and answers its hooks.
async fn gate_later(git: GitSource, sync: SyncHandle, closed: CancellationToken) {
    let mut told = None;
    let gate = loop {
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
        if git.must_be_readable().await.is_err() {
            continue;
        }
        match Gate::open(Arc::new(git.clone()), sync.clone()).await {
            Ok(gate) => break gate,
            Err(error) => {
                let why = format!("{:#}", anyhow::Error::from(error));
                if told.as_ref() != Some(&why) {
                    tracing::warn!("pushes cannot be checked yet: {why}");
                }
                told = Some(why);
            }
        }
    };
    refresh_hooks(git.repository());
    sync.poke();
    gate.serve(closed).await;
}

/// Returns what serves the repository to git's clients, if it is this node's own.
fn hosted_by(git: &GitSource, data: &Path, sync: &SyncHandle) -> anyhow::Result<Option<Arc<dyn GitBackend>>> {
    if git.settings().repository != Repository::Hosted {
        return Ok(None);
    }
    let (repository, sync) = (OwnRepository::in_data(data, git::FOLDER)?, sync.clone());
    let (packing, packed) = (Arc::new(Semaphore::new(1)), repository.clone());
    let pushed = Arc::new(move || {
        sync.poke();
        // One at a time; the next push asks again.
        let Ok(turn) = packing.clone().try_acquire_owned() else { return };
        let packed = packed.clone();
        tokio::spawn(async move {
            if let Err(error) = git::program::pack(&packed).await {
                tracing::warn!("cannot pack `{}`: {error}", packed.path().display());
            }
            drop(turn);
        });
    });
    let hooks = hosted::hooks(repository.path());
    Ok(Some(Arc::new(HostedRepository::new(repository, hooks, git.settings().max_push_bytes, pushed))))
}
