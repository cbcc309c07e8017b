//! What of a directory's state can go live: every file that is right, and of those that are not the last content that was.
//!
//! The result is a whole tree that checks. So a directory's deployment is like a commit's, and can be rebuilt and gone back to alike.

use std::{collections::BTreeSet, sync::Arc};

use super::check::{Checker, Report};
use crate::{
    deployment::Snapshot,
    function::{
        Diagnostic, FilePath, Route, Tree,
        route::{
            Methods,
            file::{Role, classify},
        },
    },
    live::BrokenFile,
};

/// A tree that checks, and what had to be left out of it.
#[derive(Debug)]
pub struct Settled {
    /// What can go live.
    pub tree: Arc<Tree>,
    /// Its functions.
    pub report: Report,
    /// Everything that is wrong in the snapshot; nothing about files that were written a moment ago.
    pub diagnostics: Vec<Diagnostic>,
    /// Files that serve requests by their names, and have no content that ever was right.
    pub broken: Vec<BrokenFile>,
}

/// Finds what of a snapshot can go live, where `live` is.
pub fn settle(checker: &mut Checker, snapshot: Snapshot, live: &Tree) -> Settled {
    // A file that was emptied a moment ago is not in the tree, and not deleted.
    let emptied: Vec<FilePath> = snapshot.unsettled.iter().filter(|path| !snapshot.tree.contains_key(*path)).cloned().collect();
    let mut candidate = Candidate { tree: Arc::new(snapshot.tree), live };
    candidate.revert_all(&emptied);
    for problem in snapshot.problems.iter().filter(|problem| problem.is_error()) {
        // A folder that cannot be read keeps what was below it.
        let below: Vec<FilePath> = live.keys().filter(|path| is_below(path, &problem.file)).cloned().collect();
        candidate.revert_all(below.iter().chain([&problem.file]));
    }
    let unsettled: BTreeSet<&FilePath> = snapshot.unsettled.iter().collect();
    let mut told = None;
    // Every pass but the last puts at least one file back or takes one out, and none ever returns.
    let report = loop {
        let report = checker.check(&candidate.tree);
        if report.is_good() {
            break report;
        }
        let wrong: BTreeSet<FilePath> =
            report.diagnostics.iter().filter(|found| found.is_error()).map(|found| found.file.clone()).collect();
        // What may be half a save is put back without a word; so is any module that may be, for its importers' sake.
        let suspects: Vec<FilePath> =
            unsettled.iter().filter(|path| wrong.contains(**path) || !is_function(path)).map(|path| (*path).clone()).collect();
        if candidate.revert_all(&suspects) {
            continue;
        }
        told.get_or_insert(report.diagnostics);
        // A file that is as it was when it was right is wrong because of a module or a guard.
        let others: Vec<FilePath> = candidate.tree.keys().chain(live.keys()).filter(|path| !is_function(path)).cloned().collect();
        if !candidate.revert_all(&wrong) && !candidate.revert_all(&others) {
            Arc::make_mut(&mut candidate.tree).retain(|path, _| !wrong.contains(path));
        }
    };
    let mut diagnostics = told.unwrap_or_else(|| report.diagnostics.clone());
    diagnostics.extend(snapshot.problems.iter().cloned());
    diagnostics.sort();
    diagnostics.dedup();
    let broken = broken_files(&candidate.tree, &diagnostics);
    Settled { tree: candidate.tree, report, diagnostics, broken }
}

fn is_function(path: &str) -> bool {
    matches!(classify(path).role, Role::Function { .. })
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

struct Candidate<'a> {
    tree: Arc<Tree>,
    live: &'a Tree,
}

impl Candidate<'_> {
    /// Puts a file back to its live content, or takes it out if it has none. Returns whether that changed anything.
    fn revert(&mut self, path: &FilePath) -> bool {
        if self.tree.get(path) == self.live.get(path) {
            return false;
        }
        let tree = Arc::make_mut(&mut self.tree);
        match self.live.get(path) {
            Some(content) => drop(tree.insert(path.clone(), content.clone())),
            None => drop(tree.remove(path)),
        }
        true
    }

    fn revert_all<'a>(&mut self, paths: impl IntoIterator<Item = &'a FilePath>) -> bool {
        paths.into_iter().fold(false, |changed, path| self.revert(path) | changed)
    }
}

fn broken_files(tree: &Tree, diagnostics: &[Diagnostic]) -> Vec<BrokenFile> {
    let files: BTreeSet<&FilePath> = diagnostics.iter().filter(|found| found.is_error()).map(|found| &found.file).collect();
    files
        .into_iter()
        .filter(|file| !tree.contains_key(*file))
        .filter_map(|file| {
            let Role::Function { segments, method } = classify(file).role else { return None };
            let methods = method.map_or(Methods::Any, Methods::Suffix);
            let own: Arc<[Diagnostic]> = diagnostics.iter().filter(|found| found.file == *file).cloned().collect();
            Some(BrokenFile { file: file.clone(), route: Route { segments: segments.into(), methods }, diagnostics: own })
        })
        .collect()
}
