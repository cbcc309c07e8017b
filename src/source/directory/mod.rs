//! A directory as a source: whatever `.rhai` files are below it now are the functions.
//!
//! A thread owns all of it (`worker`). Reports of the system become hints of where to look (`watch`, `hint`, `inbox`). Looks at the disk
//! (`scan`) become changes (`state`). Changes become one whole view (`view`), which [`Source::snapshot`] copies.

mod fault;
mod hint;
mod inbox;
mod look;
mod mounts;
mod order;
mod scan;
mod settings;
mod staged;
mod state;
#[cfg(test)]
mod tests;
mod view;
mod watch;
mod worker;
mod write;
mod writers;

use std::{
    collections::BTreeMap,
    future, io,
    path::PathBuf,
    sync::{
        Once,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch as channel;

use self::{hint::Hint, inbox::Inbox, view::View};
pub use self::{settings::DirectorySettings, watch::reports_changes};
use super::{
    Source, SourceError,
    edit::{Edit, EditError},
};
use crate::{
    blocking,
    deployment::Snapshot,
    function::{Digest, FilePath, tree::directory_revision},
};

/// A directory of function files. One consumer: a snapshot counts as seen, and [`Source::changed`] waits for what differs from it.
pub struct DirectorySource {
    root: PathBuf,
    view: channel::Receiver<View>,
    inbox: Inbox,
    /// The number of the last view that was told of or copied.
    seen: AtomicU64,
    /// The thread looks for the first time when it has been told what is remembered, or when somebody asks.
    begin: Once,
    /// The number of the last wish that the thread was told and that somebody waits for.
    wishes: AtomicU64,
}

/// A revision of so many files is computed at once. That of 10,000 takes milliseconds, too long for a thread that serves requests.
const SMALL: usize = 256;

/// The number of no view: the thread has ended, and that has been told.
const ENDED: u64 = u64::MAX;

/// How long an edit waits to be seen. An empty file is seen after `empty_after`, others at once.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// How long somebody waits who wants everything looked at: a slow disk with many files needs seconds.
const LOOKED_WITHIN: Duration = Duration::from_secs(60);

impl DirectorySource {
    /// Begins to watch a directory, which may come to be later. The watching ends when this is dropped.
    pub fn new(root: PathBuf, settings: DirectorySettings) -> Self {
        let (inbox, view) = worker::start(root.clone(), settings);
        Self { root, view, inbox, seen: AtomicU64::new(0), begin: Once::new(), wishes: AtomicU64::new(0) }
    }

    /// Returns why changes are found by looking every few seconds, if they are not reported.
    pub fn health(&self) -> Option<String> {
        let view = self.view.borrow();
        view.trouble.clone().or(view.unreported.map(str::to_owned))
    }

    /// Waits until the thread has seen what was written. Where others write at the same time that may never be, and then it need not.
    async fn seen(&self, edit: &Edit) {
        let mut view = self.view.clone();
        let _ = tokio::time::timeout(SEEN_WITHIN, view.wait_for(|view| view.holds(edit))).await;
    }

    fn begin(&self) {
        self.begin.call_once(|| self.inbox.put(Hint::Remember(BTreeMap::new(), 0)));
    }

    /// Has the thread do something that ends with a look at everything, and waits for that.
    async fn wish(&self, hint: impl FnOnce(u64) -> Hint) {
        let number = self.wishes.fetch_add(1, Ordering::Relaxed) + 1;
        self.inbox.put(hint(number));
        let mut view = self.view.clone();
        let _ = tokio::time::timeout(LOOKED_WITHIN, view.wait_for(|view| view.wishes_done >= number)).await;
    }

    fn not_written(&self) -> EditError {
        EditError::Failed { path: self.root.display().to_string(), why: "the thread that writes has ended".into() }
    }

    fn ended(&self) -> SourceError {
        SourceError::Unreadable { path: self.root.clone(), source: io::Error::other("the thread that watches it has ended") }
    }
}

#[async_trait]
impl Source for DirectorySource {
    fn problem(&self) -> Option<String> {
        let why = self.view.borrow().trouble.clone().filter(|why| why != watch::SILENT && why != watch::CONFIGURED)?;
        Some(format!("changes in `{}` are only found by looking every few seconds: {why}", self.root.display()))
    }

    async fn remember(&self, files: BTreeMap<FilePath, Digest>) {
        self.begin.call_once(|| {});
        self.wish(|number| Hint::Remember(files, number)).await;
    }

    async fn refresh(&self, takes_empty: bool) {
        self.wish(|number| Hint::Refresh { number, takes_empty }).await;
    }

    fn next_look_us(&self) -> Option<i64> {
        self.view.borrow().next_look_us
    }

    async fn changed(&self) {
        self.begin();
        let mut view = self.view.clone();
        let number = view.wait_for(|view| view.number > self.seen.load(Ordering::Relaxed)).await.map(|view| view.number);
        match number {
            Ok(number) => {
                self.seen.fetch_max(number, Ordering::Relaxed);
            }
            Err(_) if self.seen.swap(ENDED, Ordering::Relaxed) != ENDED => {}
            Err(_) => future::pending().await,
        }
    }

    async fn edit(&self, edit: Edit) -> Result<(), EditError> {
        let root = self.root.clone();
        let written = blocking::run(move || (write::write(&root, &edit), edit)).await;
        let Some((written, edit)) = written else {
            return Err(self.not_written());
        };
        let (gone, written_files) = edit.files.keys().cloned().partition(|path| edit.files[path].after.is_none() && written.is_ok());
        // Also of what has changed meanwhile, or was only written in part.
        self.inbox.put(Hint::Edited { written: written_files, gone });
        written?;
        self.seen(&edit).await;
        Ok(())
    }

    async fn try_edit(&self, edit: Edit) -> Result<(), EditError> {
        let root = self.root.clone();
        blocking::run(move || write::check(&root, &edit)).await.unwrap_or_else(|| Err(self.not_written()))
    }

    async fn snapshot(&self) -> Result<Snapshot, SourceError> {
        self.begin();
        let mut view = self.view.clone();
        let (number, snapshot) = match view.wait_for(|view| view.number > 0).await {
            Ok(view) => (view.number, view.files(&self.root)),
            Err(_) => return Err(self.ended()),
        };
        let snapshot = match snapshot {
            Ok((tree, unsettled, problems)) => {
                let is_small = tree.len() <= SMALL;
                let number = move || Snapshot { revision: directory_revision(&tree), tree, unsettled, problems, commit: None };
                if is_small { Ok(number()) } else { blocking::run(number).await.ok_or_else(|| self.ended()) }
            }
            Err(error) => Err(error),
        };
        self.seen.fetch_max(number, Ordering::Relaxed);
        snapshot
    }
}

impl Drop for DirectorySource {
    fn drop(&mut self) {
        self.inbox.put(Hint::Stop);
    }
}
