//! Makes what can go live live: the executor loads it, the store records it, requests meet it.

use std::{collections::BTreeSet, sync::Arc};

use super::{Done, Sync, fallback::GoodTree, proposal::Proposal, record::Recording, whole};
use crate::{
    audit::Actor,
    deployment::{Cause, Changes, Commit, Deployment, DeploymentId, DeploymentStatus, FunctionChange, subject_of_files},
    function::{Diagnostic, FilePath, Revision, SharedFunction, Tree, tree::differences},
    live::{Table, scripts::Files},
    shown::count,
};

impl Sync {
    pub(super) fn show_files(&self, wanted: Arc<Tree>) {
        self.parts.live.show_files(Files { wanted, live: self.tree.clone() });
    }

    /// Keeps what is live; at the start that is what the store remembers.
    pub(super) async fn keep(&mut self) {
        if let (false, Some(deployment)) = (self.is_shown(), self.deployment.clone()) {
            let good = self.live_checker().fall_back(whole(&self.tree)).await;
            self.load(&good).await;
            self.swap(deployment, good);
        }
    }

    /// Compares what can go live with what is, and makes the difference live and known.
    pub(super) async fn deploy(&mut self, cause: Cause, by: Option<&Actor>, proposal: Proposal) -> Done {
        let mut deployment = self.deployment_of(cause, by, &proposal);
        let Proposal { revision, commit, good, is_refused, following, .. } = proposal;
        let is_commit = commit.is_some();
        // With the same files another warning is no news of a deployment: a secret is set, or removed.
        let is_known = |decided: &(Revision, Vec<Diagnostic>)| {
            errors(&decided.1).eq(errors(&good.diagnostics)) && (!is_commit || decided.0 == revision) && following == self.following
        };
        let files = differences(&self.tree, &good.tree);
        deployment.subject = deployment.subject.or_else(|| self.subject_of(&files, &good.diagnostics));
        let is_same = files.is_empty() && (self.deployment.is_some() || is_refused);
        if is_same && self.decided.as_ref().is_some_and(is_known) {
            self.confirm(&deployment, good, is_refused).await;
            return Done::Decided;
        }
        self.load(&good).await;
        let is_rejected = is_refused || (is_same && good.diagnostics.iter().any(Diagnostic::is_error));
        if is_rejected {
            deployment.status = DeploymentStatus::Rejected;
        }
        let changes = Changes {
            files: files.into_iter().map(|path| (path.clone(), good.tree.get(&path).cloned())).collect(),
            functions: self.new_functions(&good),
            following: (following != self.following).then(|| following.clone()),
            origin: by.map(|actor| actor.origin),
        };
        match self.record(&deployment, &changes).await {
            Recording::Done => {}
            Recording::Overtaken => return Done::WaitsForStore,
            Recording::Waits => {
                self.keep().await;
                return Done::WaitsForStore;
            }
        }
        if changes.following.is_some() {
            self.follow_as(following);
        }
        self.decided = Some((revision, good.diagnostics.clone()));
        self.announce(&good, &deployment, Some(deployment.id), if is_rejected { "is refused" } else { "is live" });
        // A refusal changes no function, but may add a file that is broken and answers so.
        match (is_rejected, self.deployment.clone()) {
            (false, _) => self.swap(deployment, good),
            (true, Some(live)) => self.swap(live, good),
            (true, None) => self.parts.live.set_status(|status| status.diagnostics.clone_from(&good.diagnostics)),
        }
        Done::Decided
    }

    /// Describes the deployment that a proposal would become.
    fn deployment_of(&self, cause: Cause, by: Option<&Actor>, proposal: &Proposal) -> Deployment {
        let Proposal { revision, commit, good, rollback, began, .. } = proposal;
        let forced = commit.as_ref().and_then(|commit| Some(format!("forced: does not contain {}", commit.replaces.as_ref()?)));
        let rollback = rollback.as_ref().filter(|rollback| commit.is_some() || rollback.is_ending()).map(ToString::to_string);
        let note = Some([forced, rollback].into_iter().flatten().collect::<Vec<_>>().join("; ")).filter(|note| !note.is_empty());
        Deployment {
            id: DeploymentId(self.parts.ids.next()),
            revision: revision.clone(),
            cause,
            by: commit.as_ref().map(|commit| commit.author.clone()).or_else(|| by.map(|actor| actor.who.clone())),
            pushed_by: commit.as_ref().and_then(|commit| commit.pushed_by.clone()),
            note,
            subject: commit.as_ref().map(Commit::recorded_subject),
            status: DeploymentStatus::Live,
            diagnostics: good.diagnostics.clone(),
            changes: self.changes(good),
            functions: good.report.functions.len() as u32,
            took_us: began.elapsed().as_micros() as i64,
        }
    }

    /// Names the files that differ from what is live, or those with mistakes where none does. What is live first has all, so it names none.
    fn subject_of(&self, differing: &[FilePath], found: &[Diagnostic]) -> Option<String> {
        let wrong: BTreeSet<&FilePath> = errors(found).map(|error| &error.file).filter(|file| !file.is_empty()).collect();
        let files: Vec<&FilePath> = if differing.is_empty() { wrong.into_iter().collect() } else { differing.iter().collect() };
        self.deployment.as_ref().and_then(|_| subject_of_files(&files))
    }

    /// Shows again what was decided before. After a start, requests meet nothing yet.
    async fn confirm(&mut self, deployment: &Deployment, good: GoodTree, is_refused: bool) {
        let is_loaded = self.is_shown();
        if let Some((_, decided)) = self.decided.as_mut().filter(|(_, decided)| *decided != good.diagnostics) {
            good.diagnostics.iter().filter(|found| is_loaded && !decided.contains(found)).for_each(|found| tracing::warn!("{found}"));
            decided.clone_from(&good.diagnostics);
            self.parts.live.set_status(|status| status.diagnostics.clone_from(&good.diagnostics));
        }
        if !is_loaded {
            match &self.deployment {
                Some(live) if !is_refused => {
                    let live = Deployment { changes: Vec::new(), took_us: deployment.took_us, ..live.clone() };
                    self.announce(&good, &live, Some(live.id), "is live as before");
                }
                _ => self.announce(&good, deployment, None, "is refused as before"),
            }
        }
        let is_other = good.broken.iter().map(|broken| &broken.file).ne(&self.broken);
        if let Some(live) = self.deployment.clone().filter(|_| !is_loaded || is_other) {
            self.load(&good).await;
            self.swap(live, good);
        }
    }

    /// Returns whether requests meet what is said to be live: not at the start, and not when another node's deployment came to be known.
    fn is_shown(&self) -> bool {
        let table = self.parts.live.table();
        table.is_loaded() && self.deployment.as_ref().is_none_or(|live| live.id == table.deployment)
    }

    pub(super) async fn load(&self, good: &GoodTree) {
        let functions: Vec<SharedFunction> = good.report.functions.values().cloned().collect();
        if let Err(diagnostics) = self.parts.executor.load(&functions).await {
            // Check has compiled every one of them.
            tracing::error!("the executor refuses what was checked: {diagnostics:?}");
        }
    }

    pub(super) fn swap(&mut self, deployment: Deployment, good: GoodTree) {
        let before = self.parts.live.table();
        self.parts.live.swap(Table::new(deployment.id, good.report.functions.values(), &good.broken, &before));
        let live = Arc::new(deployment.clone());
        self.parts.live.set_status(|status| {
            status.diagnostics.clone_from(&good.diagnostics);
            status.live = Some(live.clone());
        });
        self.deployment = Some(deployment);
        self.broken = good.broken.into_iter().map(|broken| broken.file).collect();
        self.tree = good.tree;
        self.functions = good.report.functions;
        self.show_files(good.wanted);
        drop(before);
    }

    pub(super) fn announce(&self, good: &GoodTree, deployment: &Deployment, id: Option<DeploymentId>, what: &str) {
        for diagnostic in &good.diagnostics {
            if diagnostic.is_error() {
                tracing::error!("{diagnostic}");
            } else {
                tracing::warn!("{diagnostic}");
            }
        }
        let number = |kind: fn(&FunctionChange) -> bool| deployment.changes.iter().filter(|change| kind(change)).count();
        let added = number(|change| change.from.is_none());
        let removed = number(|change| change.to.is_none());
        tracing::info!(
            deployment.id = id.map(tracing::field::display),
            revision = %deployment.revision,
            "{} {what}: {}, {added} added, {} changed, {removed} removed, in {} ms",
            deployment.revision,
            count(deployment.functions as usize, "function"),
            deployment.changes.len() - added - removed,
            deployment.took_us / 1000,
        );
    }
}

fn errors(diagnostics: &[Diagnostic]) -> impl Iterator<Item = &Diagnostic> {
    diagnostics.iter().filter(|found| found.is_error())
}
