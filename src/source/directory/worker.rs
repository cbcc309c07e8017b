//! The thread that owns a directory: waits for hints, looks where they point, shows what is different. It sleeps without a timer tick as
//! long as nothing happens.

use std::{
    collections::BTreeSet,
    fs, io, mem,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use notify::RecommendedWatcher;
use tokio::sync::watch as channel;

use super::{
    Settings,
    hint::Hint,
    inbox::{self, Inbox, Soon},
    scan::{self, Listing, Look, Seen},
    state::{Now, State},
    view::{Blocked, View},
    watch::{self, Place},
};
use crate::{
    clock::monotonic,
    function::{FilePath, route::file::guard_paths},
};

/// Linux keeps 15 characters.
const THREAD_NAME: &str = "functions-watch";

/// Starts a thread for a root. It ends with a [`Hint::Stop`] or when nobody holds the view any more.
pub(super) fn start(root: PathBuf, settings: Settings) -> (Inbox, channel::Receiver<View>) {
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
    settings: Settings,
    inbox: Inbox,
    hints: Receiver<Hint>,
    view: channel::Sender<View>,
    state: State,
    /// Which folder is watched, if there is one.
    place: Option<Place>,
    /// Report what happens on the way to the root and in it; dropping them ends their threads.
    watchers: [Option<RecommendedWatcher>; 2],
    watched_since: Instant,
    /// Whether the root may be another folder than the one that is watched, by a name or number that is the same.
    must_watch_anew: bool,
    /// Why changes are not (all) reported.
    trouble: Option<String>,
    /// What the last look at everything met on its way; without the files, which are in `state`.
    last: Listing,
    /// Files that somebody has finished writing.
    at_once: BTreeSet<FilePath>,
    soon: Soon,
    /// When to look at everything once more, because hints have come and others may have been lost.
    follow_up: Option<Instant>,
    /// When to look at everything although no hint has come.
    next_full_scan: Instant,
    is_stopped: bool,
}

impl Worker {
    fn new(root: PathBuf, settings: Settings, inbox: Inbox, hints: Receiver<Hint>, view: channel::Sender<View>) -> Self {
        let now = monotonic();
        Self {
            root: std::path::absolute(&root).unwrap_or(root),
            state: State::new(settings.clone()),
            settings,
            inbox,
            hints,
            view,
            place: None,
            watchers: [None, None],
            watched_since: now,
            must_watch_anew: true,
            trouble: None,
            last: Listing::default(),
            at_once: BTreeSet::new(),
            soon: Soon::default(),
            follow_up: None,
            next_full_scan: now,
            is_stopped: false,
        }
    }

    fn run(mut self) {
        while !self.is_stopped && !self.view.is_closed() {
            self.work();
            match self.hints.recv_timeout(self.next_work().saturating_duration_since(monotonic())) {
                Ok(hint) => self.take(hint),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            for _ in 0..inbox::CAPACITY {
                let Ok(hint) = self.hints.try_recv() else { break };
                self.take(hint);
            }
            if self.inbox.was_overfull() {
                self.take(Hint::All);
            }
        }
    }

    /// Returns when there is something to do if no hint comes.
    fn next_work(&self) -> Instant {
        if self.must_watch_anew {
            return monotonic();
        }
        if self.place.is_none() {
            return self.next_full_scan;
        }
        let others = [self.soon.due(&self.settings), self.follow_up, self.state.next_due()];
        others.into_iter().flatten().fold(self.next_full_scan, Instant::min)
    }

    /// Remembers what a hint points at.
    fn take(&mut self, hint: Hint) {
        match hint {
            Hint::Stop => return self.is_stopped = true,
            Hint::File(path) => {
                self.soon.files.remove(&path);
                self.at_once.insert(path);
            }
            Hint::Edited { written, gone } => {
                gone.iter().for_each(|path| self.state.deleted(path));
                self.at_once.extend(written.into_iter().chain(gone));
            }
            Hint::FileSoon(path) => self.soon.add_file(path),
            Hint::Other(path) if self.is_or_was_folder(&path) => self.soon.add_everything(),
            Hint::Hidden if self.last.has_links => {}
            Hint::Other(_) | Hint::Hidden => return,
            Hint::All => self.soon.add_everything(),
            Hint::Root => self.must_watch_anew = true,
            Hint::Trouble(trouble) => {
                self.set_trouble(Some(trouble));
                self.soon.add_everything();
            }
        }
        if self.last.has_links {
            self.soon.add_everything();
        }
        self.follow_up = Some(monotonic() + self.settings.follow_up);
    }

    /// Returns whether a path that is no function file can have some below it, or lead to some.
    fn is_or_was_folder(&self, path: &str) -> bool {
        let is_folder =
            |place: &Place| fs::symlink_metadata(place.real.join(path)).is_ok_and(|metadata| metadata.is_dir() || metadata.is_symlink());
        self.state.has_below(path) || self.place.as_ref().is_some_and(is_folder)
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
        let mut files = mem::take(&mut self.at_once);
        let mut everything = is_full || is_new;
        if is_soon_due {
            let soon = mem::take(&mut self.soon);
            files.extend(soon.files);
            everything |= soon.everything;
        }
        files.extend(self.state.due_by(now).cloned());
        // Whether a folder can be looked into shows only by looking.
        if everything || files.iter().any(|path| self.last.closed.iter().any(|closed| **closed == **path)) {
            self.look_everywhere();
        } else {
            self.look_at(files);
        }
    }

    /// Sees to it that what is watched is what the root's path leads to, and returns whether that is new. The watch begins before the
    /// look, so that no change falls between.
    fn watch_where_root_leads(&mut self) -> io::Result<bool> {
        let is_time_to_retry = self.trouble.is_some() && monotonic() >= self.watched_since + self.settings.full_scan;
        if !self.must_watch_anew && !is_time_to_retry && self.place.is_some() && self.place == Place::of(&self.root).ok() {
            return Ok(false);
        }
        self.must_watch_anew = false;
        self.watched_since = monotonic();
        self.watchers = [None, None];
        self.place = None;
        let way = self.reports(|| watch::way(&self.root, self.sink()));
        let place = match Place::of(&self.root) {
            Ok(place) => place,
            Err(error) => {
                self.watchers[0] = way.ok();
                return Err(error);
            }
        };
        let files = self.reports(|| watch::files(&place, self.sink()));
        self.place = Some(place);
        self.set_trouble(way.as_ref().err().or(files.as_ref().err()).cloned());
        self.watchers = [way.ok(), files.ok()];
        Ok(true)
    }

    fn reports(&self, watch: impl FnOnce() -> Result<RecommendedWatcher, String>) -> Result<RecommendedWatcher, String> {
        if self.settings.force_polling { Err(watch::CONFIGURED.into()) } else { watch() }
    }

    fn sink(&self) -> impl Fn(Hint) + Clone + Send + 'static {
        let inbox = self.inbox.clone();
        move |hint| inbox.put(hint)
    }

    /// Changes between being told and looking every few seconds, and says so once.
    fn set_trouble(&mut self, trouble: Option<String>) {
        let root = self.root.display();
        match (&self.trouble, &trouble) {
            (None, Some(reason)) => {
                let seconds = self.settings.poll_interval.as_secs_f32();
                tracing::warn!("changes in `{root}` are looked for every {seconds} s, because they are not reported: {reason}");
            }
            (Some(_), None) => tracing::info!("changes in `{root}` are reported again"),
            _ => {}
        }
        self.trouble = trouble;
        self.next_full_scan = self.next_full_scan.min(monotonic() + self.scan_interval());
        self.view.send_if_modified(|view| view.poll_because(self.trouble.clone()));
    }

    fn scan_interval(&self) -> Duration {
        if self.trouble.is_some() || self.place.is_none() { self.settings.poll_interval } else { self.settings.full_scan }
    }

    /// Shows that the root cannot be seen. What was hinted at is forgotten: everything is looked at when it is back.
    fn block(&mut self, error: io::Error) {
        self.place = None;
        self.watchers[1] = None;
        self.at_once.clear();
        self.soon = Soon::default();
        self.follow_up = None;
        self.next_full_scan = monotonic() + self.scan_interval();
        self.view.send_if_modified(|view| view.block(Blocked::from(error)));
    }

    fn look_everywhere(&mut self) {
        let Some(place) = self.place.clone() else { return };
        let mut listing = match scan::list(&place.real, self.settings.max_file_bytes) {
            Ok(listing) => listing,
            Err(error) => return self.block(error),
        };
        let known = self.state.paths().filter(|path| !listing.found.contains_key(*path));
        let unseen = known.map(|path| (path.clone(), if listing.is_closed(path) { Look::Unchanged } else { Look::Missing }));
        let mut looks: Vec<(FilePath, Look)> = unseen.collect();
        for (path, seen) in mem::take(&mut listing.found) {
            let look = self.look(&place, &path, seen);
            looks.push((path, look));
        }
        self.last = listing;
        let now = monotonic();
        self.follow_up = self.follow_up.filter(|due| *due > now);
        self.next_full_scan = now + self.scan_interval();
        self.decide(&place, looks);
    }

    fn look_at(&mut self, mut files: BTreeSet<FilePath>) {
        let Some(place) = self.place.clone() else { return };
        // In a new folder a function's report may come without that of the guard beside it, which was there before the watch.
        let guards: Vec<FilePath> = files.iter().flat_map(|path| guard_paths(path)).map(FilePath::from).collect();
        files.extend(guards.into_iter().filter(|guard| !self.last.is_closed(guard)));
        let mut looks = Vec::with_capacity(files.len());
        for path in files {
            let look = if self.last.is_closed(&path) {
                Look::Unchanged
            } else {
                let seen = scan::see_below(&place.real, &path, self.settings.max_file_bytes);
                if matches!(seen, Seen::Folder(_)) {
                    self.soon.add_everything();
                }
                self.look(&place, &path, seen)
            };
            looks.push((path, look));
        }
        self.decide(&place, looks);
    }

    /// Reads a file if its signature does not say enough.
    fn look(&self, place: &Place, path: &str, seen: Seen) -> Look {
        match seen {
            Seen::File(signature) if !self.state.must_read(path, &signature) => Look::Unchanged,
            Seen::File(_) => scan::read(&place.real.join(path), self.settings.max_file_bytes),
            Seen::Fault(fault) => Look::Fault(fault),
            Seen::Missing | Seen::Folder(_) => Look::Missing,
        }
    }

    /// Shows what looks have changed, unless the root went away under them.
    fn decide(&mut self, place: &Place, looks: Vec<(FilePath, Look)>) {
        if Place::of(&self.root).ok().as_ref() != Some(place) {
            self.must_watch_anew = true;
            return;
        }
        let changes = self.state.apply(looks, Now::read());
        self.view.send_if_modified(|view| view.show(changes));
    }
}
