//! The knowledge of one path, and how a look changes it.

use std::time::{Duration, Instant};

use super::Change;
use crate::{
    function::{Content, Digest, FilePath},
    source::directory::{
        fault::FileFault,
        look::{Now, Trust},
        scan::signature::Signature,
        settings::DirectorySettings,
    },
};

/// A content that was read within this time of its last change is read again later, even if `stat` stays the same. The next write may fall
/// into the same tick of the file system's clock. (10 ms is the coarsest tick of Linux.)
pub(super) const RACY: Duration = Duration::from_millis(20);

/// The knowledge of one path.
#[derive(Debug, Default)]
pub(super) struct FileEntry {
    /// Its content, if it has one.
    pub digest: Option<Digest>,
    /// Its content before this source was first looked at, if it has not been seen since.
    pub remembered: Option<Digest>,
    /// What `stat` said of the file when `digest` was read; none if the file has been something else since.
    pub signature: Option<Signature>,
    /// Until when the same signature does not prove the same content.
    pub racy_until: Option<Instant>,
    /// Until when the content may be half a save.
    pub unsettled_until: Option<Instant>,
    /// Whether others have been told that it may be.
    pub is_unsettled: bool,
    /// What others have been told is wrong with it; then it has no content.
    pub problem: Option<FileFault>,
    /// Why the disk does not say what the content is, for now.
    pub doubt: Option<Doubt>,
    /// When to look again; its key in `State::due`.
    pub due: Option<Instant>,
}

/// Why the disk does not say what the content of a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doubt {
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

impl FileEntry {
    /// Returns whether others know of it.
    pub(super) fn is_known(&self) -> bool {
        self.digest.is_some() || self.problem.is_some() || self.remembered.is_some()
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self.doubt, Some(Doubt::Missing { .. }))
    }

    fn is_waiting(&self) -> bool {
        matches!(self.doubt, Some(Doubt::BeingWritten { .. }))
    }

    /// Takes in that the file is as it was, or that nothing is known against it.
    pub(super) fn confirm(&mut self) {
        self.racy_until = None;
        self.doubt = None;
    }

    /// Takes in that somebody may be writing to it. Until then it is what it was.
    pub(super) fn wait(&mut self, until: Instant) {
        self.signature = None;
        self.racy_until = None;
        self.doubt = Some(Doubt::BeingWritten { until });
    }

    /// Takes in what a file holds.
    #[expect(clippy::too_many_arguments, reason = "what was read, of what, and when")]
    pub(super) fn read(
        &mut self,
        settings: &DirectorySettings,
        path: &FilePath,
        signature: Signature,
        content: Content,
        trust: Trust,
        now: Now,
        changes: &mut Vec<Change>,
    ) {
        let is_news = self.digest != Some(content.digest);
        // What comes back may have come before anybody watched it.
        let may_be_half = trust == Trust::Unwatched || (trust == Trust::Watched && (self.is_missing() || self.is_waiting()));
        let is_as_remembered = self.remembered == Some(content.digest);
        let age = now.age(&signature, settings.unclosed_for);
        if is_news && !is_as_remembered && may_be_half && age < settings.unclosed_for {
            return self.wait(now.instant + (settings.unclosed_for - age));
        }
        if content.bytes.is_empty() && is_news {
            let until = match self.doubt {
                Some(Doubt::Empty { signature: before, until }) if before == signature => until,
                _ => now.instant + (settings.empty_after - now.age(&signature, settings.empty_after)),
            };
            if now.instant < until {
                self.signature = None;
                self.doubt = Some(Doubt::Empty { signature, until });
                return;
            }
        }
        self.doubt = None;
        self.remembered = None;
        if self.problem.take().is_some() {
            changes.push(Change::Problem(path.clone(), None));
        }
        if self.signature != Some(signature) {
            let is_racy = now.age(&signature, RACY) < RACY;
            self.racy_until = is_racy.then(|| now.instant + RACY);
            self.signature = Some(signature);
        }
        if is_news {
            self.digest = Some(content.digest);
            self.unsettled_until = Some(now.instant + (settings.settle - now.age(&signature, settings.settle)));
            changes.push(Change::Content(path.clone(), Some(content)));
        }
    }

    /// Takes in that the path cannot be used. Its content goes only when that has lasted, and never without a word.
    pub(super) fn fault(&mut self, path: &FilePath, fault: FileFault, patience: Duration, now: Instant, changes: &mut Vec<Change>) {
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
