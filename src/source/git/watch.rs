//! Tells when references of a repository may have moved, whoever moved them.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, CreateKind},
};
use tokio::sync::Notify;

/// What is written into a new folder before it is watched is not reported. So it is looked at once more, after so long.
const NEW_FOLDER: Duration = Duration::from_millis(500);

/// Watches the references of a repository, not its objects.
pub struct RefWatch {
    hint: Arc<Notify>,
    has_new_folder: Arc<AtomicBool>,
    _watcher: Option<RecommendedWatcher>,
}

impl RefWatch {
    /// Begins to watch. Where that cannot be, nothing is ever reported, and looking from time to time has to do.
    pub fn new(repository: &Path) -> Self {
        let hint = Arc::new(Notify::new());
        let has_new_folder = Arc::<AtomicBool>::default();
        let (notify, note) = (hint.clone(), has_new_folder.clone());
        let told = move |event: notify::Result<Event>| {
            let Ok(Event { kind, .. }) = event else { return };
            if kind == EventKind::Create(CreateKind::Folder) {
                note.store(true, Ordering::Relaxed);
            }
            if is_write(&kind) {
                notify.notify_one();
            }
        };
        // A link in the repository could lead to all of the machine.
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(told, config).and_then(|mut watcher| {
            // `packed-refs` is written beside `HEAD`; branches may have folders.
            watcher.watch(repository, RecursiveMode::NonRecursive)?;
            watcher.watch(&repository.join("refs/heads"), RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        if let Err(error) = &watcher {
            tracing::warn!("cannot watch `{}`: {error}; it is looked at from time to time", repository.display());
        }
        Self { hint, has_new_folder, _watcher: watcher.ok() }
    }

    /// Waits until something was written since the last time, or may have been.
    pub async fn changed(&self) {
        tokio::select! {
            () = self.hint.notified() => {}
            () = tokio::time::sleep(NEW_FOLDER), if self.has_new_folder.load(Ordering::Relaxed) => {
                self.has_new_folder.store(false, Ordering::Relaxed);
            }
        }
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
