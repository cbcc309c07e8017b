//! Checks an upload before it is written.

use std::sync::Arc;

use crate::{
    function::{
        Diagnostic, FilePath, Role, Tree,
        role::ENDING,
        route::{conflicts, file::check_path, stray::guard_of},
        topic_reach::TopicReach,
        tree::inside_files,
    },
    source::edit::path_problem,
    sync::{
        Sync,
        check::{Functions, Report},
        diff::tree::TreeDiff,
        fallback::is_below,
        live_checker::LiveChecker,
        orders::upload::{FilesCheck, OtherTopic, SourceChange, UploadError},
        proposal::SourceState,
    },
};

impl LiveChecker {
    /// Says what files would change if they were live beside the others.
    pub(in crate::sync) async fn check_files(&self, files: Tree, topics: &TopicReach) -> FilesCheck {
        let named: Vec<Diagnostic> = files.keys().filter_map(|path| name_problem(path)).collect();
        let paths: Vec<FilePath> = files.keys().cloned().collect();
        let mut tree = Tree::clone(&self.tree);
        tree.extend(files);
        let nested = inside_files(&tree);
        let Report { functions, mut diagnostics } = self.check(&Arc::new(tree)).await;
        let other = other_topic(topics, &paths, &self.functions, &functions);
        diagnostics.extend(other.map(|other| Diagnostic::error(other.file.clone(), other.to_string()).hint(other.hint())));
        diagnostics.extend(named.into_iter().chain(nested));
        diagnostics.sort();
        diagnostics.dedup();
        FilesCheck { plan: TreeDiff::between(&self.functions, &functions), diagnostics }
    }
}

impl Sync {
    /// Refuses what does not check. Of a directory, mistakes that were there before in other files are none of this change's.
    pub(super) async fn must_be_good(
        &self,
        wanted: &SourceState,
        change: &SourceChange,
        after: &Tree,
        paths: &[FilePath],
        report: &Report,
    ) -> Result<(), UploadError> {
        let is_changed = |found: &Diagnostic| paths.binary_search(&found.file).is_ok();
        let is_whole = wanted.is_commit || matches!(change, SourceChange::Tree(_));
        let mut errors: Vec<Diagnostic> = report.diagnostics.iter().filter(|found| found.is_error()).cloned().collect();
        errors.extend(inside_files(after));
        errors.extend(paths.iter().filter_map(|path| path_problem(path)).filter(|found| report_lacks(&report.diagnostics, found)));
        if wanted.is_commit {
            let others = wanted.problems.iter().filter(|found| found.is_error() && !found.file.is_empty() && !is_changed(found));
            errors.extend(others.cloned());
        }
        let shuts = |found: &Diagnostic| self.shuts(found, after, paths);
        errors.extend(wanted.problems.iter().filter(|found| found.is_error() && !is_changed(found) && shuts(found)).cloned());
        if !is_whole && !errors.is_empty() {
            let before = self.live_checker().check(&wanted.tree).await.diagnostics;
            errors.retain(|found| is_changed(found) || shuts(found) || !before.contains(found));
        }
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort();
        errors.dedup();
        let taken = conflicts(report.functions.iter().filter_map(|(path, function)| Some((path, function.route.as_ref()?))));
        let is_taken = !matches!(change, SourceChange::Tree(_)) && errors.iter().all(|found| taken.contains(found));
        if is_taken {
            errors.retain(is_changed);
            return Err(UploadError::RouteTaken(errors));
        }
        Err(UploadError::Wrong(errors))
    }

    /// Refuses handlers of topics that are none of their sender's.
    pub(super) fn must_have_topics(&self, own: &TopicReach, paths: &[FilePath], report: &Report) -> Result<(), UploadError> {
        other_topic(own, paths, &self.functions, &report.functions).map_or(Ok(()), |other| Err(UploadError::OtherTopic(other)))
    }

    /// Returns whether a mistake in a guard keeps changed files of its folder from going live.
    fn shuts(&self, found: &Diagnostic, after: &Tree, paths: &[FilePath]) -> bool {
        let Some(guard) = guard_of(&found.file) else { return false };
        let is_open = self.tree.contains_key(&guard) || (guard != found.file && after.contains_key(&guard));
        !is_open && paths.iter().any(|path| after.contains_key(path) && is_below(path, &guard))
    }
}

/// Finds a handler in these files of a topic that is none of their sender's. What a function handles already, whoever deployed that, it may go on
/// handling.
fn other_topic(own: &TopicReach, paths: &[FilePath], live: &Functions, checked: &Functions) -> Option<OtherTopic> {
    paths.iter().filter_map(|file| Some((file, checked.get(file)?))).find_map(|(file, function)| {
        let known = live.get(file).map_or(&[][..], |live| &live.manifest.handlers);
        let mut topics = function.manifest.handlers.iter().map(|handler| &handler.topic);
        let topic = topics.find(|topic| !own.has_all_of(topic) && !known.iter().any(|known| known.topic == **topic))?;
        Some(OtherTopic { file: file.clone(), topic: topic.clone(), own: own.clone() })
    })
}

fn report_lacks(report: &[Diagnostic], found: &Diagnostic) -> bool {
    !report.iter().any(|known| known.file == found.file && known.message == found.message)
}

/// Returns why a script cannot have its file at this path: no source would read it, or it would be for nothing.
pub(super) fn name_problem(path: &str) -> Option<Diagnostic> {
    let nothing = || {
        let problem = Diagnostic::error(path, "a file of this name is for nothing");
        Role::of(path).is_none().then(|| problem.hint("folders and files whose names begin with a dot are not served"))
    };
    let misnamed = || check_path(path).1.into_iter().find(Diagnostic::is_error);
    let suffixed = || {
        let name = path.strip_suffix(ENDING)?;
        let problem = Diagnostic::error(path, "the name of a script has no `.rhai` at its end");
        name.ends_with(ENDING).then(|| problem.hint("leave it out: the file gets it"))
    };
    path_problem(path).or_else(suffixed).or_else(nothing).or_else(misnamed)
}
