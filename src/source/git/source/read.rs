//! Reads branches and commits, each for a limited time.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::{GitSource, Inner};
use crate::{
    blocking,
    deployment::Snapshot,
    function::{Diagnostic, Revision},
    source::{
        edit::{Edit, EditError},
        git::{
            commit::{self, CommitTarget},
            denied,
            error::RepositoryError,
            pushes::PushRecord,
            refs::{self, Head},
            signature::Signers,
            target::PushTarget as _,
        },
    },
};

impl Inner {
    /// Leaves of all branches, which are in order of name, those that matter.
    pub(super) fn choose(&self, heads: Vec<Head>, quarantine: Option<&Path>) -> Result<Vec<Head>, RepositoryError> {
        let (mut chosen, mut others): (Vec<Head>, Vec<Head>) = heads.into_iter().partition(|head| head.branch == self.settings.branch);
        if self.settings.previews > 0 {
            self.reader.sort_by_time(&mut others, quarantine)?;
        }
        others.truncate(self.settings.previews);
        chosen.append(&mut others);
        Ok(chosen)
    }

    /// Says why references cannot be read.
    pub(super) fn no_references(&self, error: io::Error) -> RepositoryError {
        denied::in_references(&self.repository, error)
    }
}

impl GitSource {
    /// Returns the branches that matter: the one that deploys, and as many others as are shown.
    pub(super) async fn heads(&self) -> Result<Vec<Head>, RepositoryError> {
        let inner = self.0.clone();
        self.reading(move || inner.choose(refs::heads(&inner.repository).map_err(|error| inner.no_references(error))?, None)).await
    }

    /// Reads a commit; what a push has brought and git has not yet accepted lies in `quarantine`.
    pub async fn read(&self, commit: &str, quarantine: Option<PathBuf>) -> Result<Snapshot, RepositoryError> {
        let unsigned = match &self.0.signers {
            Some(signers) => self.unsigned(signers, commit, quarantine.clone()).await?,
            None => None,
        };
        let (reader, commit) = (self.0.reader.clone(), commit.to_owned());
        let mut snapshot = self.reading(move || reader.read(&commit, quarantine.as_deref())).await?;
        snapshot.problems.extend(unsigned);
        Ok(snapshot)
    }

    async fn unsigned(&self, signers: &Signers, commit: &str, quarantine: Option<PathBuf>) -> Result<Option<Diagnostic>, RepositoryError> {
        let (reader, name) = (self.0.reader.clone(), commit.to_owned());
        let folders = reader.folders(quarantine.as_deref());
        let signature = self.reading(move || reader.signature(&name, quarantine.as_deref())).await?;
        Ok(signers.problem(commit, signature.as_deref(), &folders).await?)
    }

    /// Reads a commit of the deploy branch, and says who pushed it and what it replaces.
    pub(super) async fn deployed(&self, commit: &str) -> Result<Snapshot, RepositoryError> {
        let last = self.state().last.clone();
        if let Some(last) = last.as_ref().filter(|last| last.revision.0 == commit) {
            return Ok(last.clone());
        }
        let mut snapshot = self.read(commit, None).await?;
        let pushed = self.pushed(snapshot.revision.clone()).await;
        let replaces = match (&pushed, last) {
            (Some(pushed), _) => pushed.replaces.clone(),
            // A history that was shortened or is gone cannot be compared; then nothing is said.
            (None, Some(last)) => {
                let is_contained = self.contains(commit, &last.revision.0, None).await.unwrap_or(true);
                (!is_contained).then_some(last.revision)
            }
            (None, None) => None,
        };
        if let Some(said) = &mut snapshot.commit {
            said.pushed_by = pushed.map(|pushed| pushed.by);
            said.replaces = replaces;
        }
        self.state().last = Some(snapshot.clone());
        Ok(snapshot)
    }

    async fn pushed(&self, commit: Revision) -> Option<PushRecord> {
        let pushes = self.0.pushes.clone();
        blocking::run(move || pushes.arrived(&commit)).await.flatten()
    }

    /// Returns whether no function file would be left.
    pub(super) fn is_emptied_by(&self, edit: &Edit) -> bool {
        let is_gone = |path| edit.files.get(path).is_some_and(|file| file.after.is_none());
        let is_base = |last: &&Snapshot| last.revision == edit.base;
        edit.files.values().all(|file| file.after.is_none())
            && self.state().last.as_ref().filter(is_base).is_some_and(|last| last.tree.keys().all(is_gone))
    }

    /// Returns where the node's own commits go.
    fn target(&self) -> CommitTarget<'_> {
        CommitTarget { repository: &self.0.repository, branch: &self.0.settings.branch, root: &self.0.settings.root }
    }

    /// Returns the modes of the files that an edit changes, unless something is in its way.
    pub(super) async fn modes(&self, edit: &Edit) -> Result<BTreeMap<String, i32>, EditError> {
        let (reader, base) = (self.0.reader.clone(), commit::base(edit).map(str::to_owned));
        let paths: Vec<String> = edit.files.keys().map(|path| self.target().in_repository(path)).collect();
        self.reading(move || commit::modes(&reader, base.as_deref(), paths)).await
    }
}
