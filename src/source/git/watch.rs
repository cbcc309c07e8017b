//! Tells when references of a repository may have moved, whoever moved them.

use std::{path::Path, sync::Arc};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::sync::Notify;

/// Watches the references of a repository, not its objects.
pub struct RefWatch {
    hint: Arc<Notify>,
    _watcher: Option<RecommendedWatcher>,
}

impl RefWatch {
    /// Begins to watch. Where that cannot be, nothing is ever reported, and looking from time to time has to do.
    pub fn new(repository: &Path) -> Self {
        let hint = Arc::new(Notify::new());
        let notify = hint.clone();
        let told = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_write(&event.kind)) {
                notify.notify_one();
            }
        };
        let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
            // `packed-refs` is written beside `HEAD`; branches may have folders.
            watcher.watch(repository, RecursiveMode::NonRecursive)?;
            watcher.watch(&repository.join("refs/heads"), RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        if let Err(error) = &watcher {
            tracing::warn!("cannot watch `{}`: {error}; it is looked at from time to time", repository.display());
        }
        Self { hint, _watcher: watcher.ok() }
    }

    /// Waits until something was written since the last time.
    pub async fn changed(&self) {
        self.hint.notified().await;
    }
}

/// Reading references must not wake us.
fn is_write(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}
