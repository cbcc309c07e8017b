//! Decides what looks at the disk mean: what changed, what is only half saved, what is really gone. Does no I/O and asks nobody for the
//! time, so that every rule can be tested as a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{
    Settings,
    fault::Fault,
    loss::{Losses, Missed},
    scan::Signature,
    writers::Writers,
};
use crate::{
    clock::{Clock as _, SystemClock, monotonic},
    function::{Content, Diagnostic, Digest, FilePath},
};

/// A content read within this time of its last change is read again later even if `stat` stays the same: the next write may fall into
/// the same tick of the file system's clock. (10 ms is the coarsest tick of Linux.)
const RACY: Duration = Duration::from_millis(20);

/// A point in time, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For waiting.
    pub instant: Instant,
    /// For comparing with a file's times.
    pub wall_us: i64,
}

impl Now {
    /// Reads the machine's clocks: those of a file system cannot be held by a test either.
    pub fn read() -> Self {
        Self { instant: monotonic(), wall_us: SystemClock.now_us() }
    }

    /// Returns how long ago a file was changed, at most so long; a time in the future is now.
    fn age(&self, signature: &Signature, at_most: Duration) -> Duration {
        let age_us = self.wall_us.saturating_sub(signature.changed_ns / 1000).max(0);
        Duration::from_micros(age_us as u64).min(at_most)
    }
}

/// Whether what was read can be half of a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is whole: who wrote it has closed it, or somebody says to take it as it is.
    Closed,
    /// Whoever writes to it is reported, and nobody was.
    Watched,
    /// Nobody reports who writes to it.
    Unwatched,
}

/// What came of looking into a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// It is not there.
    Missing,
    /// It is as it was when it was last read, or could not be looked at for a reason that is reported elsewhere.
    Unchanged,
    /// It is open for writing. Nobody reads it before it is closed, or this time has come.
    BeingWritten(Instant),
    /// It was read.
    Read(Signature, Content, Trust),
    /// It is there and cannot be used.
    Fault(Fault),
}

/// One difference that looks have made.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// A file has this content now, or is gone.
    Content(FilePath, Option<Content>),
    /// What a file is to hold is not certain: its content is so new that it may be half of a save, or it is not known yet.
    Unsettled(FilePath),
    /// It is certain now.
    Settled(FilePath),
    /// Something is wrong with a path, or no longer.
    Problem(FilePath, Option<Diagnostic>),
}

/// What is known of one path.
#[derive(Debug, Default)]
struct Entry {
    /// What its content is, if it has one.
    digest: Option<Digest>,
    /// What it was before this source was first looked at, if it has not been seen since.
    remembered: Option<Digest>,
    /// What `stat` said of the file when `digest` was read; none if the file has been something else since.
    signature: Option<Signature>,
    /// Until when the same signature does not prove the same content.
    racy_until: Option<Instant>,
    /// Until when the content may be half a save.
    unsettled_until: Option<Instant>,
    /// Whether others have been told that it may be.
    is_unsettled: bool,
    /// What others have been told is wrong with it; then it has no content.
    problem: Option<Fault>,
    /// Why the disk does not say what the content is, for now.
    doubt: Option<Doubt>,
    /// When to look again; its key in [`State::due`].
    due: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Doubt {
    /// Empty, and so young that it may be the first half of a save.
    Empty { signature: Signature, until: Instant },
    /// Open for writing, or so young that it may be.
    BeingWritten { until: Instant },
    /// Not there; a save by rename looks like this for a moment.
    Missing { since: Instant },
    /// Somebody has said that it is to be gone.
    Deleted,
    /// There, and cannot be used.
    Faulty { until: Instant },
}

/// Everything known of a root.
#[derive(Debug)]
pub(super) struct State {
    settings: Settings,
    entries: BTreeMap<FilePath, Entry>,
    /// When to look at which path again, soonest first.
    due: BTreeSet<(Instant, FilePath)>,
    /// Who has files open.
    pub writers: Writers,
    losses: Losses,
    /// Something was there before the first look.
    remembers: bool,
    /// At the first look there is nothing to keep that a moment's patience would protect.
    is_first: bool,
    /// Everything that was there is missing, and has been for as long as anybody waits.
    is_empty: bool,
}

impl State {
    /// Knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            writers: Writers::default(),
            losses: Losses::default(),
            remembers: false,
            is_first: true,
            is_empty: false,
        }
    }

    /// Returns whether a file must be read to know its content.
    pub fn must_read(&self, path: &str, signature: &Signature) -> bool {
        self.entries.get(path).is_none_or(|entry| entry.signature != Some(*signature) || entry.racy_until.is_some())
    }

    /// Returns whether there is anything below this folder.
    pub fn has_below(&self, folder: &str) -> bool {
        let start: FilePath = format!("{folder}/").into();
        self.entries.range(start.clone()..).next().is_some_and(|(path, _)| path.starts_with(&*start))
    }

    /// Returns all known paths.
    pub fn paths(&self) -> impl Iterator<Item = &FilePath> {
        self.entries.keys()
    }

    /// Returns when the next path wants to be looked at again.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Returns the paths that want to be looked at again by now.
    pub fn due_by(&self, now: Instant) -> impl Iterator<Item = &FilePath> {
        self.due.iter().take_while(move |(due, _)| *due <= now).map(|(_, path)| path)
    }

    /// Returns whether everything that was there is gone. Then nothing of it is believed to be: most likely the volume is away.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Takes in which files there were before anybody looked. They are as if they had been seen and were missing since.
    pub fn remember(&mut self, files: BTreeMap<FilePath, Digest>, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        self.remembers |= !files.is_empty();
        for (path, digest) in files {
            if !self.entries.contains_key(&path) {
                let entry = Entry { remembered: Some(digest), doubt: Some(Doubt::Missing { since: now }), ..Entry::default() };
                self.losses.gone(now);
                self.put(path, entry, None, now, &mut changes);
            }
        }
        changes
    }

    /// Takes in that the node itself has deleted a file: when it is not there, nobody waits for it to come back.
    pub fn deleted(&mut self, path: &FilePath) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.doubt = Some(Doubt::Deleted);
        }
    }

    /// Takes in that somebody means it if everything is gone. Returns whether it is.
    pub fn all_deleted(&mut self) -> bool {
        let is_gone = self.count().is_everything();
        if is_gone {
            self.is_empty = false;
            self.entries.values_mut().for_each(|entry| entry.doubt = Some(Doubt::Deleted));
        }
        is_gone
    }

    /// Takes in what was seen and returns what is different for it.
    pub fn apply(&mut self, looks: Vec<(FilePath, Look)>, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut missing = Vec::new();
        let was_empty = self.is_empty;
        for (path, look) in looks {
            if look == Look::Missing {
                missing.push(path);
                continue;
            }
            let mut entry = match self.entries.get(&path) {
                Some(entry) if look == Look::Unchanged && entry.due.is_none() && entry.doubt.is_none() => continue,
                _ => self.take(&path),
            };
            // What cannot be read says nothing of the rest: the top folder of an empty volume may have such a thing, as `lost+found` is.
            let has_come = !entry.is_known() && !matches!(look, Look::Unchanged | Look::Fault(_));
            if entry.is_missing() || has_come {
                self.losses.come(now.instant);
                self.is_empty = false;
            }
            match look {
                Look::Missing => {}
                Look::Unchanged => entry.confirm(),
                Look::BeingWritten(until) => entry.wait(until),
                Look::Read(signature, content, trust) => {
                    let trust = match (self.is_first, self.remembers) {
                        (true, true) => Trust::Unwatched,
                        // Nothing was live before that could be kept instead.
                        (true, false) => Trust::Closed,
                        (false, _) => trust,
                    };
                    self.settings.read(&mut entry, &path, signature, content, trust, now, &mut changes);
                }
                Look::Fault(fault) => {
                    let patience = if self.is_first { Duration::ZERO } else { self.settings.settle };
                    entry.fault(&path, fault, patience, now.instant, &mut changes);
                }
            }
            self.put(path, entry, None, now.instant, &mut changes);
        }
        if !missing.is_empty() || self.losses.is_any() {
            self.miss(missing, now.instant, &mut changes);
        }
        if was_empty && !self.is_empty {
            self.look_again_for_the_missing(now.instant);
        }
        self.is_first = false;
        changes
    }

    /// Takes in that these paths are not there. They go when they have been missing long enough, all together.
    fn miss(&mut self, paths: Vec<FilePath>, now: Instant, changes: &mut Vec<Change>) {
        for path in &paths {
            if let Some(entry) = self.entries.get_mut(path)
                && !matches!(entry.doubt, Some(Doubt::Missing { .. } | Doubt::Deleted))
            {
                entry.doubt = Some(Doubt::Missing { since: now });
                self.losses.gone(now);
            }
        }
        let missed = self.count();
        self.losses.judge(&self.settings, missed);
        for path in paths {
            let entry = self.take(&path);
            let until = match entry.doubt {
                Some(Doubt::Missing { since }) => self.losses.until(&self.settings, &path, since),
                Some(Doubt::Deleted) => now,
                _ => continue,
            };
            let is_over = now >= until || (self.is_first && missed.is_everything());
            if entry.is_missing() && entry.is_known() && missed.is_everything() && is_over {
                self.is_empty = true;
                self.put(path, entry, None, now, changes);
                continue;
            }
            if entry.is_known() && !is_over {
                self.put(path, entry, Some(until), now, changes);
                continue;
            }
            if entry.is_unsettled {
                changes.push(Change::Settled(path.clone()));
            }
            if entry.problem.is_some() {
                changes.push(Change::Problem(path.clone(), None));
            }
            if entry.digest.is_some() {
                changes.push(Change::Content(path, None));
            }
        }
    }

    /// Counts what is missing of what has been read.
    fn count(&self) -> Missed {
        let known = || self.entries.values().filter(|entry| entry.digest.is_some() || entry.remembered.is_some());
        Missed { known: known().count(), missing: known().filter(|entry| entry.is_missing()).count() }
    }

    /// Looks for what is missing: while that was everything, nobody did.
    fn look_again_for_the_missing(&mut self, now: Instant) {
        let forgotten = self.entries.iter().filter(|(_, entry)| entry.due.is_none());
        let forgotten: Vec<(FilePath, Instant)> = forgotten
            .filter_map(|(path, entry)| match entry.doubt {
                Some(Doubt::Missing { since }) => Some((path.clone(), since)),
                _ => None,
            })
            .collect();
        for (path, since) in forgotten {
            let due = self.losses.until(&self.settings, &path, since).max(now + RACY);
            self.due.insert((due, path.clone()));
            if let Some(entry) = self.entries.get_mut(&path) {
                entry.due = Some(due);
            }
        }
    }

    fn take(&mut self, path: &FilePath) -> Entry {
        let mut entry = self.entries.remove(path).unwrap_or_default();
        if let Some(due) = entry.due.take() {
            self.due.remove(&(due, path.clone()));
        }
        entry
    }

    /// Puts an entry back, says whether it is settled, and notes when to look again (a missing one: at `until`).
    fn put(&mut self, path: FilePath, mut entry: Entry, until: Option<Instant>, now: Instant, changes: &mut Vec<Change>) {
        entry.racy_until = entry.racy_until.filter(|until| *until > now);
        let doubt_until = match entry.doubt {
            Some(Doubt::Empty { until, .. } | Doubt::BeingWritten { until } | Doubt::Faulty { until }) => Some(until),
            _ => until,
        };
        let is_uncertain = match entry.doubt {
            Some(Doubt::Empty { .. } | Doubt::BeingWritten { .. }) => true,
            // Before somebody is told of it, it is there all the same.
            Some(Doubt::Faulty { .. }) => entry.digest.is_none(),
            _ => false,
        };
        if !is_uncertain {
            entry.unsettled_until = entry.unsettled_until.filter(|until| *until > now);
        }
        // While a save is under way, what was new before it has no chance to settle.
        let is_unsettled = match is_uncertain {
            true => entry.is_unsettled || entry.digest.is_none(),
            false => entry.remembered.is_some() || entry.unsettled_until.is_some(),
        };
        if is_unsettled != entry.is_unsettled {
            entry.is_unsettled = is_unsettled;
            changes.push(if is_unsettled { Change::Unsettled(path.clone()) } else { Change::Settled(path.clone()) });
        }
        entry.due = [entry.racy_until, entry.unsettled_until.filter(|until| *until > now), doubt_until].into_iter().flatten().min();
        if let Some(due) = entry.due {
            self.due.insert((due, path.clone()));
        }
        self.entries.insert(path, entry);
    }
}

impl Settings {
    /// Takes in what a file holds.
    #[expect(clippy::too_many_arguments, reason = "what was read, of what, and when")]
    fn read(
        &self,
        entry: &mut Entry,
        path: &FilePath,
        signature: Signature,
        content: Content,
        trust: Trust,
        now: Now,
        changes: &mut Vec<Change>,
    ) {
        let is_news = entry.digest != Some(content.digest);
        // What comes back may have come before anybody watched it.
        let may_be_half = trust == Trust::Unwatched || (trust == Trust::Watched && (entry.is_missing() || entry.is_waiting()));
        let is_as_remembered = entry.remembered == Some(content.digest);
        let age = now.age(&signature, self.unclosed_for);
        if is_news && !is_as_remembered && may_be_half && age < self.unclosed_for {
            return entry.wait(now.instant + (self.unclosed_for - age));
        }
        if content.bytes.is_empty() && is_news {
            let until = match entry.doubt {
                Some(Doubt::Empty { signature: before, until }) if before == signature => until,
                _ => now.instant + (self.empty_after - now.age(&signature, self.empty_after)),
            };
            if now.instant < until {
                entry.signature = None;
                entry.doubt = Some(Doubt::Empty { signature, until });
                return;
            }
        }
        entry.doubt = None;
        entry.remembered = None;
        if entry.problem.take().is_some() {
            changes.push(Change::Problem(path.clone(), None));
        }
        if entry.signature != Some(signature) {
            let is_racy = now.age(&signature, RACY) < RACY;
            entry.racy_until = is_racy.then(|| now.instant + RACY);
            entry.signature = Some(signature);
        }
        if is_news {
            entry.digest = Some(content.digest);
            entry.unsettled_until = Some(now.instant + (self.settle - now.age(&signature, self.settle)));
            changes.push(Change::Content(path.clone(), Some(content)));
        }
    }
}

impl Entry {
    /// Returns whether others know of it.
    fn is_known(&self) -> bool {
        self.digest.is_some() || self.problem.is_some() || self.remembered.is_some()
    }

    fn is_missing(&self) -> bool {
        matches!(self.doubt, Some(Doubt::Missing { .. }))
    }

    fn is_waiting(&self) -> bool {
        matches!(self.doubt, Some(Doubt::BeingWritten { .. }))
    }

    /// Takes in that the file is as it was, or that nothing is known against it.
    fn confirm(&mut self) {
        self.racy_until = None;
        self.doubt = None;
    }

    /// Takes in that somebody may be writing to it. Until then it is what it was.
    fn wait(&mut self, until: Instant) {
        self.signature = None;
        self.racy_until = None;
        self.doubt = Some(Doubt::BeingWritten { until });
    }

    /// Takes in that the path cannot be used. Its content goes only when that has lasted, and never without a word.
    fn fault(&mut self, path: &FilePath, fault: Fault, patience: Duration, now: Instant, changes: &mut Vec<Change>) {
        self.signature = None;
        self.racy_until = None;
        let until = match self.doubt {
            _ if self.problem.is_some() => now,
            Some(Doubt::Faulty { until }) => until,
            _ => now + patience,
        };
        if now < until {
            self.doubt = Some(Doubt::Faulty { until });
            return;
        }
        self.doubt = None;
        self.remembered = None;
        if self.problem.as_ref() != Some(&fault) {
            changes.push(Change::Problem(path.clone(), Some(fault.diagnostic(path.clone()))));
            self.problem = Some(fault);
        }
        if self.digest.take().is_some() {
            changes.push(Change::Content(path.clone(), None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state and the time that it is told, in milliseconds since it began.
    struct Told {
        state: State,
        began: Now,
    }

    impl Told {
        fn new() -> Self {
            Self { state: State::new(Settings::default()), began: Now::read() }
        }

        fn at(&self, ms: u64) -> Now {
            Now { instant: self.began.instant + Duration::from_millis(ms), wall_us: self.began.wall_us + ms as i64 * 1000 }
        }

        fn file(&self, changed_at_ms: i64, text: &str) -> Look {
            Look::Read(self.signature(changed_at_ms), Content::new(text.as_bytes()), Trust::Closed)
        }

        fn signature(&self, changed_at_ms: i64) -> Signature {
            Signature::changed_at(self.began.wall_us + changed_at_ms * 1000)
        }

        fn look(&mut self, ms: u64, looks: &[(&str, Look)]) -> Vec<String> {
            let looks = looks.iter().map(|(path, look)| ((*path).into(), look.clone())).collect();
            let now = self.at(ms);
            let changes = self.state.apply(looks, now);
            assert!(self.state.next_due().is_none_or(|due| due > now.instant), "what is due has been done");
            changes.iter().map(in_words).collect()
        }

        fn due_in_ms(&self, ms: u64) -> Option<u128> {
            self.state.next_due().map(|due| due.duration_since(self.at(ms).instant).as_millis())
        }
    }

    fn in_words(change: &Change) -> String {
        match change {
            Change::Content(path, Some(content)) => format!("{path} = {}", String::from_utf8_lossy(&content.bytes)),
            Change::Content(path, None) => format!("{path} gone"),
            Change::Unsettled(path) => format!("{path} unsettled"),
            Change::Settled(path) => format!("{path} settled"),
            Change::Problem(path, Some(diagnostic)) => format!("{path}: {}", diagnostic.message),
            Change::Problem(path, None) => format!("{path} mended"),
        }
    }

    fn too_large(size_bytes: u64) -> Look {
        Look::Fault(Fault::TooLarge { size_bytes, limit_bytes: 10 })
    }

    #[test]
    fn a_content_as_young_as_the_clock_is_coarse_is_read_twice() {
        let mut told = Told::new();
        let (young, old) = (told.signature(995), told.signature(0));
        told.look(1000, &[("young", told.file(995, "1")), ("old", told.file(0, "1"))]);
        assert!(told.state.must_read("young", &young) && !told.state.must_read("old", &old));
        assert!(told.state.must_read("old", &young) && told.state.must_read("new", &old));
        assert_eq!(told.due_in_ms(1000), Some(20));
        assert_eq!(told.look(1020, &[("young", told.file(995, "2"))]), ["young = 2"]);
        assert!(!told.state.must_read("young", &young));
    }

    #[test]
    fn a_content_settles_by_its_age_whatever_the_files_clock_says() {
        let mut told = Told::new();
        assert_eq!(told.look(1000, &[("a", told.file(0, "1"))]), ["a = 1"]);
        assert_eq!(told.look(2000, &[("a", told.file(1900, "2"))]), ["a = 2", "a unsettled"]);
        assert_eq!(told.look(2050, &[("a", Look::Unchanged)]), ["a settled"]);
        let in_an_hour = 3_600_000;
        assert_eq!(told.look(3000, &[("a", told.file(in_an_hour, "3"))]), ["a = 3", "a unsettled"]);
        assert_eq!(told.look(3150, &[("a", told.file(in_an_hour, "3"))]), ["a settled"]);
        assert_eq!(told.state.next_due(), None);
    }

    #[test]
    fn an_empty_file_waits_only_while_it_is_young_and_the_same() {
        let mut told = Told::new();
        told.look(1000, &[("a", told.file(0, "1"))]);
        assert!(told.look(2000, &[("a", told.file(2000, ""))]).is_empty());
        assert_eq!(told.due_in_ms(2000), Some(1000));
        assert!(told.look(2900, &[("a", told.file(2900, ""))]).is_empty(), "truncated once more");
        assert!(told.look(3100, &[("a", told.file(2900, ""))]).is_empty());
        assert_eq!(told.look(3900, &[("a", told.file(2900, ""))]), ["a = "]);
        assert_eq!(told.look(5000, &[("b", told.file(0, ""))]), ["b = "]);
    }

    #[test]
    fn a_fault_takes_the_content_away_when_it_has_lasted_and_is_told_once() {
        let mut told = Told::new();
        assert_eq!(
            told.look(0, &[("a", told.file(-5000, "1")), ("b", too_large(11))]),
            ["a = 1", "b: the file has 11 bytes; the limit is 10"]
        );
        assert!(told.look(1000, &[("a", too_large(12)), ("b", too_large(11))]).is_empty());
        assert_eq!(told.due_in_ms(1000), Some(150));
        assert_eq!(told.look(1150, &[("a", too_large(13))]), ["a: the file has 13 bytes; the limit is 10", "a gone"]);
        assert!(told.look(2000, &[("a", too_large(13))]).is_empty());
        assert_eq!(told.look(2100, &[("a", too_large(14))]), ["a: the file has 14 bytes; the limit is 10"]);
        assert_eq!(told.look(9000, &[("a", told.file(0, "1"))]), ["a mended", "a = 1"]);
        assert!(told.look(9000, &[("b", Look::Missing)]).is_empty());
        assert_eq!(told.look(9100, &[("b", Look::Missing)]), ["b mended"]);
    }

    #[test]
    fn a_file_is_gone_only_when_it_is_missed_twice() {
        let mut told = Told::new();
        told.look(0, &[("a", told.file(-5000, "1")), ("b", told.file(-5000, "1"))]);
        assert!(told.look(1000, &[("a", Look::Missing), ("never", Look::Missing)]).is_empty());
        assert!(told.look(1050, &[("a", Look::Unchanged)]).is_empty());
        assert!(told.look(1100, &[("a", Look::Missing)]).is_empty());
        assert!(told.look(1199, &[("a", Look::Missing)]).is_empty());
        assert_eq!(told.look(1200, &[("a", Look::Missing)]), ["a gone"]);
        assert_eq!(told.state.next_due(), None);
    }

    #[test]
    fn a_folder_that_is_emptied_slowly_goes_as_one() {
        let mut told = Told::new();
        let names: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
        let files: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), told.file(-5000, "1"))).collect();
        told.look(0, &files);
        let missing: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), Look::Missing)).collect();
        for (count, ms) in (1..=20).zip((1000..).step_by(90)) {
            assert!(told.look(ms, &missing[..count]).is_empty(), "the last went less than 100 ms ago");
        }
        let last = 1000 + 19 * 90;
        assert!(told.look(last + 8000, &missing).is_empty() && !told.state.is_empty());
        assert!(told.look(last + 10_000, &missing).is_empty(), "all are missing, so it is the disk that is");
        assert!(told.state.is_empty());
        assert_eq!(told.state.next_due(), None, "nobody waits for it with a clock");
        assert!(told.state.all_deleted(), "somebody says that it is meant");
        assert_eq!(told.look(last + 20_000, &missing).len(), 20);
        assert!(!told.state.is_empty());
    }

    #[test]
    fn a_volume_with_nothing_but_what_cannot_be_read_counts_as_empty() {
        let unreadable = || Look::Fault(Fault::unreadable(std::io::ErrorKind::PermissionDenied.into()));
        let files = ["a", "b"].map(|name| (FilePath::from(name), Digest::of(b"1")));
        let mut told = Told::new();
        let now = told.at(0);
        told.state.remember(files.into(), now.instant);
        told.look(0, &[("lost+found", unreadable()), ("a", Look::Missing), ("b", Look::Missing)]);
        assert!(told.state.is_empty(), "at the first look");

        let mut told = Told::new();
        let there = [("a", told.file(-5000, "1")), ("b", told.file(-5000, "1"))];
        told.look(0, &there);
        let gone = [("lost+found", unreadable()), ("a", Look::Missing), ("b", Look::Missing)];
        for ms in [1000, 1100, 9000, 11_000, 12_000] {
            let changes = told.look(ms, &gone);
            assert!(!changes.iter().any(|change| change.ends_with(" gone")), "{changes:?}");
        }
        assert!(told.state.is_empty(), "while it is watched");
        told.look(13_000, &there);
        assert!(!told.state.is_empty(), "the volume is back");
    }

    #[test]
    fn a_copy_that_began_by_deleting_is_waited_for() {
        let mut told = Told::new();
        let names: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
        let files: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), told.file(-5000, "1"))).collect();
        told.look(0, &files);
        let looks = |there: usize| -> Vec<(&str, Look)> {
            files.iter().enumerate().map(|(at, (name, file))| (*name, if at < there { file.clone() } else { Look::Missing })).collect()
        };
        assert!(told.look(1000, &looks(0)).is_empty());
        // One comes every two seconds, for as long as the longest wait several times over.
        for there in 1..=20 {
            assert!(told.look(2000 + 2000 * there as u64, &looks(there)).is_empty(), "{there} are there again");
        }
        assert!(told.state.next_due().is_none());
    }

    #[test]
    fn what_does_not_come_back_is_gone_when_the_copy_has_ended() {
        let mut told = Told::new();
        let names: Vec<String> = (0..4).map(|number| number.to_string()).collect();
        let files: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), told.file(-5000, "1"))).collect();
        told.look(0, &files);
        let missing = |from: usize| -> Vec<(&str, Look)> { names[from..].iter().map(|name| (name.as_str(), Look::Missing)).collect() };
        told.look(1000, &missing(0));
        let back = [("0", told.file(-5000, "1")), ("new", told.file(8000, "1"))];
        assert_eq!(told.look(9000, &back), ["new = 1"]);
        assert!(told.look(18_900, &missing(1)).is_empty());
        assert_eq!(told.look(19_000, &missing(1)), ["1 gone", "2 gone", "3 gone"]);
    }

    #[test]
    fn a_guard_is_missed_for_longest_and_while_others_come_and_go() {
        let mut told = Told::new();
        let (guard, function) = ("adm/_middleware.rhai", "adm/s.rhai");
        let others: Vec<String> = (0..9).map(|number| format!("{number}.rhai")).collect();
        let mut files: Vec<(&str, Look)> = others.iter().map(|name| (name.as_str(), told.file(-5000, "1"))).collect();
        files.extend([(guard, told.file(-5000, "1")), (function, told.file(-5000, "1"))]);
        told.look(0, &files);
        assert!(told.look(1000, &[(guard, Look::Missing), (function, Look::Missing)]).is_empty());
        assert_eq!(told.look(1100, &[(guard, Look::Missing), (function, Look::Missing)]), ["adm/s.rhai gone"]);
        assert_eq!(told.look(5000, &[(function, told.file(-5000, "1"))]), ["adm/s.rhai = 1"]);
        assert!(told.look(11_100, &[(guard, Look::Missing)]).is_empty());
        assert!(told.look(14_900, &[(guard, Look::Missing)]).is_empty());
        assert_eq!(told.look(15_000, &[(guard, Look::Missing)]), ["adm/_middleware.rhai gone"]);
    }

    #[test]
    fn what_is_open_for_writing_stays_what_it_was() {
        let mut told = Told::new();
        told.look(0, &[("a", told.file(-5000, "1"))]);
        let until = told.at(60_000).instant;
        assert!(told.look(1000, &[("a", Look::BeingWritten(until))]).is_empty());
        assert_eq!(told.look(1000, &[("b", Look::BeingWritten(until))]), ["b unsettled"]);
        assert_eq!(told.due_in_ms(1000), Some(59_000));
        assert_eq!(told.look(9000, &[("a", told.file(9000, "2"))]), ["a = 2", "a unsettled"]);
        assert_eq!(told.look(9200, &[("a", Look::Unchanged), ("b", told.file(9000, "1"))]), ["a settled", "b = 1", "b settled"]);
    }

    #[test]
    fn where_nobody_says_that_a_file_is_closed_it_waits_until_it_is_left_alone() {
        let mut told = Told::new();
        told.look(0, &[("a", told.file(-5000, "1"))]);
        let unwatched = |told: &Told, changed_at_ms: i64, text: &str| {
            Look::Read(told.signature(changed_at_ms), Content::new(text.as_bytes()), Trust::Unwatched)
        };
        assert!(told.look(1000, &[("a", unwatched(&told, 900, "2"))]).is_empty());
        assert_eq!(told.due_in_ms(1000), Some(2900));
        assert!(told.look(3900, &[("a", unwatched(&told, 3000, "23"))]).is_empty(), "written to again");
        assert_eq!(told.look(6000, &[("a", unwatched(&told, 3000, "23"))]), ["a = 23"]);
        assert!(told.look(9000, &[("a", unwatched(&told, 8900, "23"))]).is_empty(), "touched");
    }

    #[test]
    fn what_is_remembered_is_missing_until_it_is_seen() {
        let mut told = Told::new();
        let digest = |text: &str| Content::new(text.as_bytes()).digest;
        let remembered = [("same", "1"), ("other", "1"), ("young", "1"), ("gone", "1")].map(|(path, text)| (path.into(), digest(text)));
        let changes = told.state.remember(remembered.into(), told.at(0).instant);
        let changes: Vec<String> = changes.iter().map(in_words).collect();
        assert_eq!(changes, ["gone unsettled", "other unsettled", "same unsettled", "young unsettled"]);
        let young = Look::Read(told.signature(-100), Content::new("2".as_bytes()), Trust::Watched);
        let looks = [
            ("same", told.file(-500, "1")),
            ("other", told.file(-5000, "2")),
            ("young", young.clone()),
            ("new", young.clone()),
            ("gone", Look::Missing),
        ];
        let changes = told.look(10, &looks);
        assert_eq!(changes, ["same = 1", "same settled", "other = 2", "other settled", "new unsettled"], "the rest may be on its way");
        assert_eq!(told.look(110, &[("gone", Look::Missing)]), ["gone settled"], "that is: it is gone");
        let looks = [("young", young.clone()), ("new", young)];
        assert_eq!(told.look(2900, &looks), ["young = 2", "young settled", "new = 2", "new settled"]);
    }

    #[test]
    fn a_root_that_is_empty_at_the_first_look_loses_nothing() {
        let mut told = Told::new();
        let digest = Content::new("1".as_bytes()).digest;
        told.state.remember([("a".into(), digest), ("b".into(), digest)].into(), told.at(0).instant);
        assert!(told.look(0, &[("a", Look::Missing), ("b", Look::Missing)]).is_empty());
        assert!(told.state.is_empty());
        assert_eq!(told.look(60_000, &[("a", told.file(0, "1"))]), ["a = 1", "a settled"]);
        assert!(!told.state.is_empty());
        assert!(told.look(69_900, &[("b", Look::Missing)]).is_empty());
        assert_eq!(told.look(70_000, &[("b", Look::Missing)]), ["b settled"], "that is: it is gone");
    }

    #[test]
    fn more_than_half_of_ten_are_missed_for_longer() {
        let mut told = Told::new();
        let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        let files: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), told.file(-5000, "1"))).collect();
        told.look(0, &files);
        let missing: Vec<(&str, Look)> = names[..6].iter().map(|name| (name.as_str(), Look::Missing)).collect();
        assert!(told.look(1000, &missing).is_empty());
        assert!(told.look(1999, &missing).is_empty());
        assert_eq!(told.look(2000, &missing).len(), 6);
    }

    #[test]
    fn what_the_node_itself_deletes_is_gone_at_once_and_may_come_back() {
        let mut told = Told::new();
        told.look(0, &[("a", told.file(-5000, "1")), ("b", told.file(-5000, "1"))]);
        for path in ["a", "b", "never"] {
            told.state.deleted(&path.into());
        }
        assert_eq!(told.look(1000, &[("a", Look::Missing), ("b", told.file(900, "2"))]), ["b = 2", "b unsettled", "a gone"]);
        assert!(told.look(2000, &[("b", Look::Missing)]).iter().all(|change| change == "b settled"), "this time nobody said so");
    }

    #[test]
    fn it_knows_what_is_below_a_folder() {
        let mut told = Told::new();
        told.look(0, &[("a/b/c", told.file(0, "1")), ("ab", told.file(0, "1"))]);
        assert_eq!(
            ["a", "a/b", "ab", "a/b/c", "b", ""].map(|folder| told.state.has_below(folder)),
            [true, true, false, false, false, false]
        );
    }
}
