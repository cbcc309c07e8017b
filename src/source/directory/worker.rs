//! The thread that owns a directory: waits for hints, looks where they point, shows what is different. It sleeps without a timer tick as
//! long as nothing happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io, mem,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use notify::RecommendedWatcher;
use tokio::sync::watch as channel;

use super::{
    Settings,
    fault::Fault,
    hint::Hint,
    inbox::{self, Inbox, Soon},
    mounts::{self, MountWatch},
    scan::{self, Inode, Listing, Root, Seen, Signature},
    state::{Look, Now, State, Trust},
    view::{Blocked, View},
    watch::{self, Place},
};
use crate::{
    clock::{Clock as _, SystemClock, monotonic},
    function::{
        Diagnostic, Digest, FilePath,
        route::{file::guard_paths, stray::stray},
    },
    source::names::is_read,
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
            soon: Soon::default(),
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
                if let Some(inode) = self.written_as(&path) {
                    self.state.writers.closed(inode, monotonic() + self.settings.unclosed_for);
                }
                if !is_read(&path) && !self.last.has_links {
                    return;
                }
                if is_read(&path) {
                    self.look_at_once(path);
                }
            }
            Hint::Named(path) => self.look_at_once(path),
            Hint::Opened(path) => {
                if let Some(inode) = self.written_as(&path) {
                    self.state.writers.opened(inode);
                }
                return;
            }
            Hint::Writing(path) => {
                // Whatever it is called: it may get another name, or have one.
                if let Some(inode) = self.inode(&path) {
                    self.state.writers.written(path.clone(), inode, monotonic() + self.settings.open_at_most, monotonic());
                }
                if !is_read(&path) && !self.last.has_links {
                    return;
                }
            }
            Hint::Edited { written, gone } => {
                gone.iter().for_each(|path| self.state.deleted(path));
                self.at_once.extend(written.into_iter().chain(gone));
            }
            Hint::FileSoon(path) => self.soon.add_file(path),
            Hint::Other(path) if self.is_or_was_folder(&path) || stray(&path, |_| false).is_some() => self.soon.add_everything(),
            Hint::Hidden if self.last.has_links => {}
            Hint::Other(_) | Hint::Hidden => return,
            Hint::All => {
                self.state.writers.lost(monotonic() + self.settings.unclosed_for);
                self.has_lost_reports = true;
                self.soon.add_everything();
            }
            Hint::Root => self.must_watch_anew = true,
            Hint::Mounts if self.is_mounted_otherwise() => self.must_watch_anew = true,
            Hint::Mounts => return,
            Hint::Refresh { number, takes_empty } => {
                self.must_watch_anew = true;
                self.is_wanted = true;
                self.takes_empty |= takes_empty;
                self.wish = number;
            }
            Hint::Remember(files, number) => self.remember(files, number),
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

    fn look_at_once(&mut self, path: FilePath) {
        self.soon.files.remove(&path);
        self.at_once.insert(path);
    }

    fn remember(&mut self, files: BTreeMap<FilePath, Digest>, number: u64) {
        let changes = self.state.remember(files, monotonic());
        // Nobody sees it before the look that follows.
        self.view.send_if_modified(|view| {
            view.note(changes);
            false
        });
        self.must_watch_anew = true;
        self.wish = self.wish.max(number);
    }

    /// Returns which file a path is.
    fn inode(&self, path: &str) -> Option<Inode> {
        let metadata = fs::symlink_metadata(self.place.as_ref()?.real.join(path)).ok()?;
        Some(Signature::from(&metadata).inode())
    }

    /// Returns which file it is that somebody writes to under this name, or which has it.
    fn written_as(&self, path: &str) -> Option<Inode> {
        self.state.writers.named(path).or_else(|| self.inode(path))
    }

    fn is_mounted_otherwise(&self) -> bool {
        let place = Place::of(&self.root).ok();
        self.place != place || place.is_some_and(|place| mounts::below(&place.real) != self.mounts)
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
        let before = self.place.take();
        let way = self.reports(|| watch::way(&self.root, self.sink()));
        let place = match Place::of(&self.root) {
            Ok(place) => place,
            Err(error) => {
                self.watchers[0] = way.ok();
                return Err(error);
            }
        };
        let files = self.reports(|| watch::files(&place, self.sink()));
        if files.is_err() || before.as_ref() != Some(&place) {
            // Who closes a file is not reported.
            self.state.writers.lost(monotonic() + self.settings.unclosed_for);
        }
        self.mounts = mounts::below(&place.real);
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

    /// Takes in why some changes are not reported, and says so once.
    fn set_unreported(&mut self, unreported: Option<&'static str>) {
        if let Some(reason) = unreported.filter(|_| unreported != self.unreported) {
            let (root, seconds) = (self.root.display(), self.settings.poll_interval.as_secs_f32());
            tracing::info!("changes in `{root}` are looked for every {seconds} s, too: {reason}");
        }
        self.unreported = unreported;
    }

    fn polls(&self) -> bool {
        self.trouble.is_some() || self.unreported.is_some() || self.place.is_none()
    }

    fn scan_interval(&self) -> Duration {
        if self.polls() { self.settings.poll_interval } else { self.settings.full_scan }
    }

    fn plan_next_full_scan(&mut self) {
        self.next_full_scan = monotonic() + self.scan_interval();
        let next_look_us = self.polls().then(|| SystemClock.now_us() + self.scan_interval().as_micros() as i64);
        self.view.send_if_modified(|view| {
            (view.next_look_us, view.unreported) = (next_look_us, self.unreported);
            false
        });
    }

    /// Says that everything has been looked at.
    fn fulfil(&mut self) {
        let wish = self.wish;
        self.is_wanted = false;
        self.view.send_if_modified(|view| {
            let is_done = view.wishes_done < wish;
            view.wishes_done = view.wishes_done.max(wish);
            is_done
        });
    }

    /// Shows that the root cannot be seen. What was hinted at is forgotten: everything is looked at when it is back.
    fn block(&mut self, error: io::Error) {
        self.place = None;
        self.watchers[1] = None;
        self.at_once.clear();
        self.soon = Soon::default();
        self.follow_up = None;
        self.plan_next_full_scan();
        self.view.send_if_modified(|view| view.block(Blocked::from(error)));
        self.fulfil();
    }

    fn look_everywhere(&mut self, closed: &BTreeSet<FilePath>) {
        let Some(place) = self.place.clone() else { return };
        let listed = Root::open(&place.real).and_then(|root| Ok((scan::list(&root, self.settings.max_file_bytes)?, root)));
        let (mut listing, root) = match listed {
            Ok(listed) => listed,
            Err(error) => return self.block(error),
        };
        let known = self.state.paths().filter(|path| !listing.found.contains_key(*path));
        let unseen = known.map(|path| (path.clone(), if listing.is_closed(path) { Look::Unchanged } else { Look::Missing }));
        let mut looks: Vec<(FilePath, Look)> = unseen.collect();
        let strays = listing.strays.iter().filter_map(|path| stray(path, |other| listing.found.contains_key(other))).collect();
        for (path, seen) in mem::take(&mut listing.found) {
            let look = self.look(&root, &path, seen, closed.contains(&path));
            looks.push((path, look));
        }
        let unreported = match listing.has_other_names {
            _ if !self.mounts.is_empty() => Some(watch::MOUNTED),
            true => Some(watch::OTHER_NAMES),
            false => None,
        };
        self.last = listing;
        let now = monotonic();
        self.follow_up = self.follow_up.filter(|due| *due > now);
        self.has_lost_reports = false;
        self.state.writers.forget(now);
        if self.state.writers.is_empty() {
            self.inbox.nobody_writes();
        }
        self.set_unreported(unreported);
        self.plan_next_full_scan();
        self.decide(&place, looks, Some(strays));
        if self.must_watch_anew {
            return;
        }
        if mem::take(&mut self.takes_empty) && self.state.all_deleted() {
            self.is_wanted = false;
            return self.look_everywhere(closed);
        }
        self.fulfil();
    }

    fn look_at(&mut self, mut files: BTreeSet<FilePath>, closed: &BTreeSet<FilePath>) {
        let Some(place) = self.place.clone() else { return };
        let root = match Root::open(&place.real) {
            Ok(root) => root,
            Err(error) => return self.block(error),
        };
        // In a new folder a function's report may come without that of the guard beside it, which was there before the watch.
        let guards: Vec<FilePath> = files.iter().flat_map(|path| guard_paths(path)).map(FilePath::from).collect();
        files.extend(guards.into_iter().filter(|guard| !self.last.is_closed(guard)));
        let mut looks = Vec::with_capacity(files.len());
        for path in files {
            let look = if self.last.is_closed(&path) {
                Look::Unchanged
            } else {
                let seen = scan::see_below(&root, &path, self.settings.max_file_bytes);
                if matches!(seen, Seen::Folder(_)) {
                    self.soon.add_everything();
                }
                self.look(&root, &path, seen, closed.contains(&path))
            };
            looks.push((path, look));
        }
        self.decide(&place, looks, None);
    }

    /// Reads a file if its signature does not say enough, and nobody is writing to it.
    fn look(&self, root: &Root, path: &str, seen: Seen, is_closed: bool) -> Look {
        let signature = match seen {
            Seen::File(signature) => signature,
            Seen::Fault(fault) => return Look::Fault(fault),
            Seen::Missing | Seen::Folder(_) => return Look::Missing,
        };
        if let Some(until) = self.state.writers.until(signature.inode(), monotonic()) {
            return Look::BeingWritten(until);
        }
        if !self.state.must_read(path, &signature) {
            return Look::Unchanged;
        }
        match scan::read(root, path, self.settings.max_file_bytes) {
            Ok((signature, content)) => Look::Read(signature, content, self.trust(path, &signature, is_closed)),
            Err(Fault::Absent) => Look::Missing,
            Err(fault) => Look::Fault(fault),
        }
    }

    fn trust(&self, path: &str, signature: &Signature, is_closed: bool) -> Trust {
        let is_elsewhere = || {
            let path = self.place.as_ref().map(|place| place.real.join(path)).unwrap_or_default();
            self.mounts.iter().any(|mount| Path::new(&path).starts_with(mount))
        };
        if is_closed || self.is_wanted {
            Trust::Closed
        } else if self.trouble.is_some() || self.has_lost_reports || signature.has_other_names() || is_elsewhere() {
            Trust::Unwatched
        } else {
            Trust::Watched
        }
    }

    /// Shows what looks have changed, and what was met that is probably meant as something else, unless the root went away under them.
    fn decide(&mut self, place: &Place, mut looks: Vec<(FilePath, Look)>, strays: Option<Vec<Diagnostic>>) {
        if Place::of(&self.root).ok().as_ref() != Some(place) {
            self.must_watch_anew = true;
            return;
        }
        // What somebody has begun to write since it was read may have been read half.
        self.take_all();
        let now = Now::read();
        for (_, look) in &mut looks {
            if let Look::Read(signature, ..) = look
                && let Some(until) = self.state.writers.until(signature.inode(), now.instant)
            {
                *look = Look::BeingWritten(until);
            }
        }
        let changes = self.state.apply(looks, now);
        let blocked = self.state.is_empty().then_some(Blocked::Empty);
        self.view.send_if_modified(|view| view.show(changes, strays, blocked));
    }
}
