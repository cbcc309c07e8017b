//! Finds what of a directory's state can go live: every file that is right, and the last good content of those that are not.
//!
//! The result is a whole tree that checks. So a directory's deployment is like a commit's: it can be rebuilt, and one can go back to it.

use std::{collections::BTreeSet, sync::Arc};

use super::check::{Checker, Report};
use crate::{
    deployment::Snapshot,
    function::{
        Diagnostic, FilePath, Role, Route, Tree,
        role::guard_paths,
        route::{FileRoute, Methods, stray::guard_meant_by},
    },
    live::BrokenFile,
};

/// A tree that checks, and what had to be left out of it.
#[derive(Debug)]
pub struct GoodTree {
    /// The tree of the source.
    pub wanted: Arc<Tree>,
    /// The part of it that can go live.
    pub tree: Arc<Tree>,
    /// Its functions.
    pub report: Report,
    /// Everything that is wrong in the snapshot; nothing about files that were written a moment ago.
    pub diagnostics: Vec<Diagnostic>,
    /// Files that serve requests by their names, and have no content that ever was right.
    pub broken: Vec<BrokenFile>,
}

/// Finds what of a snapshot can go live, where `live` is.
pub fn fall_back(checker: &mut Checker, snapshot: Snapshot, live: &Tree) -> GoodTree {
    let wanted = Arc::new(snapshot.tree);
    let mut candidate = Candidate { tree: wanted.clone(), live, hopeless: BTreeSet::new() };
    for problem in snapshot.problems.iter().filter(|problem| problem.is_error()) {
        // A folder that cannot be read keeps what was below it.
        let below: Vec<FilePath> = live.keys().filter(|path| is_inside(path, &problem.file)).cloned().collect();
        candidate.revert_all(below.iter().chain([&problem.file]));
    }
    let unsettled: BTreeSet<&FilePath> = snapshot.unsettled.iter().collect();
    // Begun, or emptied a moment ago, and not deleted.
    for path in unsettled.iter().filter(|path| !wanted.contains_key(**path)) {
        candidate.revert(path);
    }
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
            candidate.give_up(wrong);
        }
    };
    let mut diagnostics = told.unwrap_or_else(|| report.diagnostics.clone());
    diagnostics.extend(snapshot.problems.iter().cloned());
    diagnostics.sort();
    diagnostics.dedup();
    let broken = if Arc::ptr_eq(&wanted, &candidate.tree) && snapshot.problems.is_empty() {
        Vec::new()
    } else {
        broken_files(&wanted, &unsettled, &candidate.tree, &diagnostics)
    };
    let tree = candidate.tree;
    GoodTree { wanted, tree, report, diagnostics, broken }
}

fn is_function(path: &str) -> bool {
    FileRoute::of(path).is_some()
}

fn is_inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

struct Candidate<'a> {
    tree: Arc<Tree>,
    live: &'a Tree,
    /// Wrong even as they were live, since the rules changed: they stay out.
    hopeless: BTreeSet<FilePath>,
}

impl Candidate<'_> {
    /// Puts a file back to its live content, or takes it out if it has none. Returns whether that changed anything.
    fn revert(&mut self, path: &FilePath) -> bool {
        let live = self.live.get(path).filter(|_| !self.hopeless.contains(path));
        let is_changed = self.tree.get(path) != live;
        if is_changed {
            let tree = Arc::make_mut(&mut self.tree);
            match live {
                Some(content) => drop(tree.insert(path.clone(), content.clone())),
                None => drop(tree.remove(path)),
            }
        }
        is_changed | (live.is_none() && self.shut(path))
    }

    fn revert_all<'a>(&mut self, paths: impl IntoIterator<Item = &'a FilePath>) -> bool {
        paths.into_iter().fold(false, |changed, path| self.revert(path) | changed)
    }

    /// Without its guard a folder would be open to anyone. So what was live in it stays as it was, and nothing new goes live.
    fn shut(&mut self, guard: &FilePath) -> bool {
        if let Some(meant) = guard_meant_by(guard) {
            return self.revert(&meant);
        }
        if Role::of(guard) != Some(Role::Guard) {
            return false;
        }
        let below: Vec<FilePath> = self.tree.keys().filter(|path| is_below(path, guard)).cloned().collect();
        self.revert_all(&below)
    }

    /// Takes out what is wrong as it was live, and the functions whose guard is.
    fn give_up(&mut self, wrong: BTreeSet<FilePath>) {
        self.hopeless.extend(wrong);
        let unguarded: Vec<FilePath> =
            self.tree.keys().filter(|path| self.hopeless.iter().any(|guard| is_below(path, guard))).cloned().collect();
        self.hopeless.extend(unguarded);
        Arc::make_mut(&mut self.tree).retain(|path, _| !self.hopeless.contains(path));
    }
}

/// Returns whether a file is a guard of a function.
pub(super) fn is_below(function: &str, guard: &str) -> bool {
    is_function(function) && guard_paths(function).any(|path| path == guard)
}

/// Finds the files that serve requests by their names and cannot: they are wrong, or a module or a guard of theirs is.
fn broken_files(wanted: &Tree, unsettled: &BTreeSet<&FilePath>, tree: &Tree, diagnostics: &[Diagnostic]) -> Vec<BrokenFile> {
    let errors = || diagnostics.iter().filter(|found| found.is_error());
    let settled = wanted.keys().filter(|path| !unsettled.contains(path));
    let files: BTreeSet<&FilePath> = errors().map(|found| &found.file).chain(settled).filter(|path| !tree.contains_key(*path)).collect();
    files
        .into_iter()
        .filter_map(|file| {
            let FileRoute { segments, method } = FileRoute::of(file)?;
            let methods = method.map_or(Methods::Any, Methods::Suffix);
            let own: Vec<Diagnostic> = diagnostics.iter().filter(|found| found.file == *file).cloned().collect();
            let shared = || errors().filter(|found| !is_function(&found.file)).cloned().collect();
            let diagnostics = if own.is_empty() { shared() } else { own };
            Some(BrokenFile { file: file.clone(), route: Route { segments: segments.into(), methods }, diagnostics: diagnostics.into() })
        })
        .collect()
}
