//! The thread that owns a directory: it waits for hints, looks where they point, and shows what is different. While nothing happens, it sleeps
//! without a timer tick.

mod hints;
mod looks;
mod watches;

use std::{
    collections::BTreeSet,
    mem,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::Instant,
};

use notify::RecommendedWatcher;
use tokio::sync::watch as channel;

use super::{
    hint::Hint,
    inbox::{self, Inbox, PendingLooks},
    mounts::MountWatch,
    scan::list::Listing,
    settings::DirectorySettings,
    state::State,
    view::View,
    watch::RootFolder,
};
use crate::{clock::monotonic, function::FilePath};

/// Linux keeps 15 characters.
const THREAD_NAME: &str = "functions-watch";

/// Starts a thread for a root. It ends with a [`Hint::Stop`] or when nobody holds the view any more.
pub(super) fn start(root: PathBuf, settings: DirectorySettings) -> (Inbox, channel::Receiver<View>) {
    let (inbox, hints) = Inbox::new();
    let (view, shown) = channel::channel(View::default());
    let worker_inbox = inbox.clone();
    let run = move || Worker::new(root, settings, worker_inbox, hints, view).run();
    if let Err(error) = thread::Builder::new().name(THREAD_NAME.into()).spawn(run) {
        // The view's sender went with the closure, and so every caller learns that nobody watches.
        tracing::error!("cannot start a thread to watch the functions folder: {error}");
    }
    (inbox, shown)
}

struct Worker {
    /// As configured, but absolute.
    root: PathBuf,
    settings: DirectorySettings,
    inbox: Inbox,
    hints: Receiver<Hint>,
    view: channel::Sender<View>,
    state: State,
    /// Which folder is watched, if there is one.
    folder: Option<RootFolder>,
    /// Tells when something is mounted or no longer.
    mount_watch: Option<MountWatch>,
    /// What is mounted below the root.
    mounts: Vec<PathBuf>,
    /// Report what happens on the way to the root and in it; dropping them ends their threads.
    watchers: [Option<RecommendedWatcher>; 2],
    watched_since: Instant,
    /// Whether the root may be another folder than the one that is watched, by a name or number that is the same.
    must_watch_anew: bool,
    /// Why changes are not (all) reported, and it could be otherwise.
    trouble: Option<String>,
    /// Why some are not, and it has to be so.
    unreported: Option<&'static str>,
    /// Reports were lost, so that a file may have been opened for writing unnoticed.
    has_lost_reports: bool,
    /// What the last look at everything met on its way; without the files, which are in `state`.
    last: Listing,
    /// Files that somebody has finished writing.
    at_once: BTreeSet<FilePath>,
    /// Somebody wants everything looked at, and takes what is there as it is.
    is_wanted: bool,
    /// Also when nothing is there.
    takes_empty: bool,
    /// The number of the last wish that is still to be fulfilled.
    wish: u64,
    soon: PendingLooks,
    /// When to look at everything once more, because hints have come and others may have been lost.
    follow_up: Option<Instant>,
    /// When to look at everything although no hint has come.
    next_full_scan: Instant,
    is_stopped: bool,
}

impl Worker {
    fn new(root: PathBuf, settings: DirectorySettings, inbox: Inbox, hints: Receiver<Hint>, view: channel::Sender<View>) -> Self {
        let now = monotonic();
        Self {
            root: std::path::absolute(&root).unwrap_or(root),
            state: State::new(settings.clone()),
            settings,
            inbox,
            hints,
            view,
            folder: None,
            mount_watch: None,
            mounts: Vec::new(),
            watchers: [None, None],
            watched_since: now,
            must_watch_anew: true,
            trouble: None,
            unreported: None,
            has_lost_reports: false,
            last: Listing::default(),
            at_once: BTreeSet::new(),
            is_wanted: false,
            takes_empty: false,
            wish: 0,
            soon: PendingLooks::default(),
            follow_up: None,
            next_full_scan: now,
            is_stopped: false,
        }
    }

    fn run(mut self) {
        // What is remembered, or that somebody asks.
        match self.hints.recv() {
            Ok(hint) => self.take(hint),
            Err(_) => return,
        }
        if !self.settings.force_polling {
            self.mount_watch = MountWatch::start(self.sink()).ok();
        }
        while !self.is_stopped && !self.view.is_closed() {
            self.work();
            match self.hints.recv_timeout(self.next_work().saturating_duration_since(monotonic())) {
                Ok(hint) => self.take(hint),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.take_all();
        }
    }

    fn take_all(&mut self) {
        for _ in 0..inbox::CAPACITY {
            let Ok(hint) = self.hints.try_recv() else { break };
            self.take(hint);
        }
        if self.inbox.was_overfull() {
            self.take(Hint::All);
        }
    }

    /// Returns when there is something to do if no hint comes.
    fn next_work(&self) -> Instant {
        if self.must_watch_anew {
            return monotonic();
        }
        if self.folder.is_none() {
            return self.next_full_scan;
        }
        let others = [self.soon.due(&self.settings), self.follow_up, self.state.next_due()];
        others.into_iter().flatten().fold(self.next_full_scan, Instant::min)
    }

    /// Does all that is due.
    fn work(&mut self) {
        let now = monotonic();
        let is_full = self.must_watch_anew || now >= self.next_full_scan || self.follow_up.is_some_and(|due| due <= now);
        let is_soon_due = self.soon.due(&self.settings).is_some_and(|due| due <= now);
        let is_file_due = !self.at_once.is_empty() || self.state.next_due().is_some_and(|due| due <= now);
        if !(is_full || is_soon_due || is_file_due) {
            return;
        }
        let is_new = match self.watch_where_root_leads() {
            Ok(is_new) => is_new,
            Err(error) => return self.block(error),
        };
        let closed = mem::take(&mut self.at_once);
        let mut files = closed.clone();
        let mut everything = is_full || is_new;
        if is_soon_due {
            let soon = mem::take(&mut self.soon);
            files.extend(soon.files);
            everything |= soon.everything;
        }
        files.extend(self.state.due_by(now).cloned());
        // Whether a folder can be looked into shows only by looking.
        if everything || files.iter().any(|path| self.last.closed.iter().any(|closed| **closed == **path)) {
            self.look_everywhere(&closed);
        } else {
            self.look_at(files, &closed);
        }
    }
}
