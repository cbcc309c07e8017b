//! Finds the part of a snapshot that can go live.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use super::{
    check::Report,
    fallback::GoodTree,
    live_checker::LiveChecker,
    pin::{self, CheckedTree, KeptFiles, PinOutcome},
};
use crate::{
    deployment::{Commit, Following, Pin, Snapshot},
    function::{Diagnostic, Digest, FilePath, Revision, Tree},
};

/// The part of a snapshot that can go live, and its facts.
pub(super) struct Proposal {
    pub revision: Revision,
    pub commit: Option<Commit>,
    pub good: GoodTree,
    /// Mistakes that the source itself found.
    pub problems: Vec<Diagnostic>,
    /// A commit with mistakes: nothing of it goes live.
    pub is_refused: bool,
    /// The words of operators that hold once it is live.
    pub following: Following,
    /// The effect on a rollback, if there is one.
    pub rollback: Option<PinOutcome>,
    pub began: Instant,
}

/// The state of the source at the last look.
pub(super) struct SourceState {
    pub revision: Revision,
    pub tree: Arc<Tree>,
    /// Mistakes that the source itself found.
    pub problems: Vec<Diagnostic>,
    /// Migrations that may be half of a save.
    pub unsettled: Vec<FilePath>,
    /// A commit goes live whole or not at all.
    pub is_commit: bool,
}

impl Proposal {
    /// Returns what the source holds.
    pub fn wanted(&self, unsettled: Vec<FilePath>) -> SourceState {
        SourceState {
            revision: self.revision.clone(),
            tree: self.good.wanted.clone(),
            problems: self.problems.clone(),
            unsettled,
            is_commit: self.commit.is_some(),
        }
    }
}

impl LiveChecker {
    /// Finds what of a snapshot can go live: of a commit all or nothing, of a directory every file that is right.
    pub(super) async fn propose(&self, mut snapshot: Snapshot, began: Instant) -> Proposal {
        let (revision, commit, problems) = (snapshot.revision.clone(), snapshot.commit.take(), snapshot.problems.clone());
        if commit.is_some() {
            let tree = Arc::new(snapshot.tree);
            let mut report = self.check(&tree).await;
            report.diagnostics.extend(problems.iter().cloned());
            report.diagnostics.sort();
            let diagnostics = report.diagnostics.clone();
            let mut good = GoodTree { wanted: tree.clone(), tree, report, diagnostics, broken: Vec::new() };
            let kept = if good.report.is_good() { self.keep_rollback(&mut good).await } else { None };
            let (following, rollback) = kept.unwrap_or_else(|| (self.following.clone(), None));
            let is_refused = good.diagnostics.iter().any(Diagnostic::is_error);
            if is_refused {
                good.tree = self.tree.clone();
                good.report = Report { functions: self.functions.clone(), diagnostics: Vec::new() };
            }
            return Proposal { revision, commit, good, problems, is_refused, following, rollback, began };
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
        let stays = following.pin.iter().flat_map(|pin| pin.files.keys().cloned()).collect();
        let rollback = self.following.pin.as_ref().map(|pin| PinOutcome::new(pin.clone(), &stays));
        let good = self.fall_back(snapshot).await;
        Proposal { revision, commit, good, problems, is_refused: false, following, rollback, began }
    }

    /// Keeps the files that a rollback has put back and that the commit does not change. If the result does not check, the commit goes live
    /// as it is. If it would remove a guard that was put back, that is a mistake of the commit.
    async fn keep_rollback(&self, good: &mut GoodTree) -> Option<(Following, Option<PinOutcome>)> {
        let Some(pin) = self.following.pin.as_ref().filter(|pin| !pin.hold) else { return Some((self.following.clone(), None)) };
        let mut kept = match self.kept(pin, good).await {
            Ok(kept) => kept,
            Err(guard) => {
                good.diagnostics.push(pin::cannot_stay(&guard, pin));
                return None;
            }
        };
        if !kept.files.is_empty() {
            let tree = Arc::new(pin::with_kept(&good.tree, &self.tree, &kept.files));
            let report = self.check(&tree).await;
            match kept.guards.first() {
                _ if report.is_good() => (good.tree, good.report) = (tree, report),
                Some(guard) => {
                    good.diagnostics.push(pin::cannot_stay(guard, pin));
                    return None;
                }
                None => kept.files.clear(),
            }
        }
        let kept = kept.files;
        let files = pin.files.iter().filter(|(file, _)| kept.contains(*file)).map(|(file, digest)| (file.clone(), *digest)).collect();
        let still = (!kept.is_empty()).then(|| Pin { files, ..pin.clone() });
        Some((Following { pin: still, ..self.following.clone() }, Some(PinOutcome::new(pin.clone(), &kept))))
    }

    /// Returns what of a rollback stays beside what the source holds, or the guard that cannot.
    async fn kept(&self, pin: &Pin, good: &GoodTree) -> Result<KeptFiles, FilePath> {
        let (engine, pin) = (self.engine.clone(), pin.clone());
        let (tree, functions) = (good.tree.clone(), good.report.functions.clone());
        let (live_tree, live_functions) = (self.tree.clone(), self.functions.clone());
        let keep = move || {
            let live = CheckedTree { tree: &live_tree, functions: &live_functions };
            pin::kept(&engine, &pin, CheckedTree { tree: &tree, functions: &functions }, live)
        };
        self.on_checker(move |_| keep()).await
    }
}
