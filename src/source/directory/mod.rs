//! A directory as a source: whatever `.rhai` files are below it now are the functions.
//!
//! A thread owns all of it (`worker`): reports of the system are turned into hints of where to look (`watch`, `hint`, `inbox`), looks at
//! the disk (`scan`) into changes (`state`), and changes into one whole view that [`Source::snapshot`] copies (`view`).

mod fault;
mod hint;
mod inbox;
mod loss;
mod mounts;
mod order;
mod scan;
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
use super::{
    Source, SourceError,
    edit::{Edit, EditError},
};
use crate::{
    blocking,
    deployment::Snapshot,
    function::{Digest, FilePath, tree::directory_revision},
};

/// How a directory is watched. The defaults suit people and their editors; tests shorten them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A larger file is a problem and is not read.
    pub max_file_bytes: u64,
    /// Everything is looked at again this often, for what nobody reports: writes through hard links and to mapped memory.
    pub full_scan: Duration,
    /// The same where nobody reports anything: network file systems, or more folders than may be watched.
    pub poll_interval: Duration,
    /// Look again this often instead of watching, whatever the file system.
    pub force_polling: bool,
    /// A content that has stayed for this long is no half of a save.
    pub settle: Duration,
    /// Where nobody reports that a file is closed, it is not judged before nobody has written to it for this long: over a slow line seconds
    /// pass between two parts of a file.
    pub unclosed_for: Duration,
    /// Where that is reported, a file that is open for writing is judged all the same when nobody has written to it for this long.
    pub open_at_most: Duration,
    /// A file that is being written is read when nothing was reported for this long,
    pub quiet: Duration,
    /// or when reports have not stopped for this long.
    pub quiet_at_most: Duration,
    /// Everything is looked at once more when nothing was reported for this long after a change: reports get lost.
    pub follow_up: Duration,
    /// An empty file is taken for half of a save until it is this old.
    pub empty_after: Duration,
    /// A file is deleted when it has been missing for this long.
    pub gone_after: Duration,
    /// The same when more than half of ten files or more are missing.
    pub many_gone_after: Duration,
    /// The same when all files are missing, or the guard of a folder. When the last is missing nothing is deleted: that is more likely a
    /// mount than a wish.
    pub all_gone_after: Duration,
    /// After most or all files were missing, one is deleted at the latest after this time, although others still come back.
    pub copied_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_file_bytes: 256 * 1024,
            full_scan: Duration::from_secs(300),
            poll_interval: Duration::from_secs(2),
            force_polling: false,
            settle: Duration::from_millis(150),
            unclosed_for: Duration::from_secs(3),
            open_at_most: Duration::from_secs(60),
            quiet: Duration::from_millis(20),
            quiet_at_most: Duration::from_millis(500),
            follow_up: Duration::from_millis(500),
            empty_after: Duration::from_secs(1),
            gone_after: Duration::from_millis(100),
            many_gone_after: Duration::from_secs(1),
            all_gone_after: Duration::from_secs(10),
            copied_within: Duration::from_secs(60),
        }
    }
}

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
    pub fn new(root: PathBuf, settings: Settings) -> Self {
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
    fn describe(&self) -> String {
        format!("directory {}", self.root.display())
    }

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
