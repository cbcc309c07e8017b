//! What of a snapshot can go live.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use super::{Sync, examine::Examiner, settle::Settled};
use crate::{
    deployment::{Commit, Following, Snapshot},
    function::{Diagnostic, Digest, FilePath, Revision, Tree},
};

/// What of a snapshot can go live, and how that came to be known.
pub(super) struct Proposal {
    pub revision: Revision,
    pub commit: Option<Commit>,
    pub settled: Settled,
    /// What the source itself found wrong.
    pub problems: Vec<Diagnostic>,
    /// A commit with mistakes: nothing of it goes live.
    pub is_refused: bool,
    /// What is to hold about following the source once it is live.
    pub following: Following,
    pub began: Instant,
}

/// What the source holds.
pub(super) struct Wanted {
    pub revision: Revision,
    pub tree: Arc<Tree>,
    /// What the source itself found wrong.
    pub problems: Vec<Diagnostic>,
    /// A commit goes live whole or not at all.
    pub is_commit: bool,
}

impl Proposal {
    /// Returns what the source holds.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            revision: self.revision.clone(),
            tree: self.settled.wanted.clone(),
            problems: self.problems.clone(),
            is_commit: self.commit.is_some(),
        }
    }
}

impl Sync {
    /// Returns why nothing of a snapshot may go live, if an operator said so.
    pub(super) fn held(&self, snapshot: &Snapshot) -> Option<String> {
        let Following { suspended, pin } = &self.following;
        if let Some(suspension) = suspended {
            return Some(suspension.to_string());
        }
        let pin = pin.as_ref()?;
        let is_abandoned = snapshot.commit.is_some() && snapshot.revision == pin.abandoned;
        (pin.hold || is_abandoned).then(|| pin.to_string())
    }

    /// Returns why files of a directory are not live as they are there, if an operator went back: they stay as they are until they are saved.
    pub(super) fn held_files(&self) -> Option<String> {
        self.following.pin.as_ref().map(ToString::to_string)
    }

    /// Finds what of a snapshot can go live.
    pub(super) async fn propose(&self, snapshot: Snapshot, began: Instant) -> Proposal {
        self.examiner().propose(snapshot, began).await
    }
}

impl Examiner {
    /// Finds what of a snapshot can go live: of a commit all or nothing, of a directory every file that is right.
    pub(super) async fn propose(&self, mut snapshot: Snapshot, began: Instant) -> Proposal {
        let (revision, commit, problems) = (snapshot.revision.clone(), snapshot.commit.take(), snapshot.problems.clone());
        if commit.is_some() {
            let tree = Arc::new(snapshot.tree);
            let mut report = self.check(&tree).await;
            report.diagnostics.extend(problems.iter().cloned());
            report.diagnostics.sort();
            let (is_refused, diagnostics) = (!report.is_good(), report.diagnostics.clone());
            if is_refused {
                (report.functions, report.diagnostics) = (self.functions.clone(), Vec::new());
            }
            let (wanted, tree) = (tree.clone(), if is_refused { self.tree.clone() } else { tree });
            let settled = Settled { wanted, tree, report, diagnostics, broken: Vec::new() };
            let following = Following { pin: self.following.pin.clone().filter(|_| is_refused), ..self.following.clone() };
            return Proposal { revision, commit, settled, problems, is_refused, following, began };
        }
        let mut following = self.following.clone();
        if let Some(pin) = &mut following.pin {
            // What a file holds is not always known, and then nothing ends because of it.
            let unknown: BTreeSet<&FilePath> = snapshot.unsettled.iter().filter(|file| !snapshot.tree.contains_key(*file)).collect();
            let is_same = |file: &FilePath, digest: &Option<Digest>| snapshot.tree.get(file).map(|content| content.digest) == *digest;
            pin.files.retain(|file, digest| unknown.contains(file) || is_same(file, digest));
            for file in pin.files.keys() {
                match self.tree.get(file) {
                    Some(live) => drop(snapshot.tree.insert(file.clone(), live.clone())),
                    None => drop(snapshot.tree.remove(file)),
                }
            }
        }
        following.pin = following.pin.filter(|pin| !pin.files.is_empty());
        let settled = self.settle(snapshot).await;
        Proposal { revision, commit, settled, problems, is_refused: false, following, began }
    }
}
