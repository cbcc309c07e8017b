//! Keeps the watches, plans the next full look, and tells others of both.

use std::{io, time::Duration};

use notify::RecommendedWatcher;

use super::Worker;
use crate::{
    clock::{Clock as _, SystemClock, monotonic},
    source::directory::{
        hint::{Hint, NO_HANDLES},
        inbox::PendingLooks,
        mounts,
        view::Obstacle,
        watch::{self, RootFolder},
    },
};

impl Worker {
    /// Sees to it that what is watched is what the root's path leads to, and returns whether that is new. The watch begins before the
    /// look, so that no change falls between.
    pub(super) fn watch_where_root_leads(&mut self) -> io::Result<bool> {
        // Handles are there again as soon as others close theirs, and to ask for one costs nothing.
        let wait = if self.trouble.as_deref() == Some(NO_HANDLES) { self.settings.poll_interval } else { self.settings.full_scan };
        let is_time_to_retry = self.trouble.is_some() && monotonic() >= self.watched_since + wait;
        if !self.must_watch_anew && !is_time_to_retry && self.folder.is_some() && self.folder == RootFolder::of(&self.root).ok() {
            return Ok(false);
        }
        self.must_watch_anew = false;
        self.watched_since = monotonic();
        self.watchers = [None, None];
        let before = self.folder.take();
        let way = self.reports(|| watch::way(&self.root, self.sink()));
        let folder = match RootFolder::of(&self.root) {
            Ok(folder) => folder,
            Err(error) => {
                self.watchers[0] = way.ok();
                return Err(error);
            }
        };
        let files = self.reports(|| watch::files(&folder, self.sink()));
        if files.is_err() || before.as_ref() != Some(&folder) {
            // Who closes a file is not reported.
            self.state.writers.lost(monotonic() + self.settings.unclosed_for);
        }
        self.mounts = mounts::below(&folder.real);
        self.folder = Some(folder);
        self.set_trouble(way.as_ref().err().or(files.as_ref().err()).cloned());
        self.watchers = [way.ok(), files.ok()];
        Ok(true)
    }

    fn reports(&self, watch: impl FnOnce() -> Result<RecommendedWatcher, String>) -> Result<RecommendedWatcher, String> {
        if self.settings.force_polling { Err(watch::CONFIGURED.into()) } else { watch() }
    }

    pub(super) fn sink(&self) -> impl Fn(Hint) + Clone + Send + 'static {
        let inbox = self.inbox.clone();
        move |hint| inbox.put(hint)
    }

    /// Changes between being told and looking every few seconds, and says so once.
    pub(super) fn set_trouble(&mut self, trouble: Option<String>) {
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
    pub(super) fn set_unreported(&mut self, unreported: Option<&'static str>) {
        if let Some(reason) = unreported.filter(|_| unreported != self.unreported) {
            let (root, seconds) = (self.root.display(), self.settings.poll_interval.as_secs_f32());
            tracing::info!("changes in `{root}` are looked for every {seconds} s, too: {reason}");
        }
        self.unreported = unreported;
    }

    fn polls(&self) -> bool {
        self.trouble.is_some() || self.unreported.is_some() || self.folder.is_none()
    }

    fn scan_interval(&self) -> Duration {
        if self.polls() { self.settings.poll_interval } else { self.settings.full_scan }
    }

    pub(super) fn plan_next_full_scan(&mut self) {
        self.next_full_scan = monotonic() + self.scan_interval();
        let next_look_us = self.polls().then(|| SystemClock.now_us() + self.scan_interval().as_micros() as i64);
        self.view.send_if_modified(|view| {
            (view.next_look_us, view.unreported) = (next_look_us, self.unreported);
            false
        });
    }

    /// Says that everything has been looked at.
    pub(super) fn fulfil(&mut self) {
        let wish = self.wish;
        self.is_wanted = false;
        self.view.send_if_modified(|view| {
            let is_done = view.wishes_done < wish;
            view.wishes_done = view.wishes_done.max(wish);
            is_done
        });
    }

    /// Shows that the root cannot be seen. What was hinted at is forgotten: everything is looked at when it is back.
    pub(super) fn block(&mut self, error: io::Error) {
        self.folder = None;
        self.watchers[1] = None;
        self.at_once.clear();
        self.soon = PendingLooks::default();
        self.follow_up = None;
        self.plan_next_full_scan();
        self.view.send_if_modified(|view| view.block(Obstacle::from(error)));
        self.fulfil();
    }
}
