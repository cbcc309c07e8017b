//! Answers what the gate asks about a push before it is taken.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::GitSource;
use crate::{
    blocking,
    deployment::Snapshot,
    function::Revision,
    source::git::{
        error::RepositoryError,
        pushes::PushRecord,
        reader::HeadProblem,
        refs::{self, HEADS, Head},
        settings::GitSettings,
        target::{BranchMoves, PushTarget},
    },
};

#[async_trait]
impl PushTarget for GitSource {
    fn settings(&self) -> &GitSettings {
        GitSource::settings(self)
    }

    fn repository(&self) -> &Path {
        GitSource::repository(self)
    }

    async fn read(&self, commit: &str, quarantine: Option<PathBuf>) -> Result<Snapshot, RepositoryError> {
        GitSource::read(self, commit, quarantine).await
    }

    async fn contains(&self, commit: &str, other: &str, quarantine: Option<PathBuf>) -> Result<bool, RepositoryError> {
        let (reader, commit, other) = (self.0.reader.clone(), commit.to_owned(), other.to_owned());
        self.reading(move || reader.contains(&commit, &other, quarantine.as_deref())).await
    }

    async fn head_problem(&self, id: &str, quarantine: Option<PathBuf>) -> Result<Option<HeadProblem>, RepositoryError> {
        let (reader, id) = (self.0.reader.clone(), id.to_owned());
        self.reading(move || reader.head_problem(&id, quarantine.as_deref())).await
    }

    async fn in_the_way(&self, name: &str) -> Result<Vec<String>, RepositoryError> {
        let (inner, name) = (self.0.clone(), name.to_owned());
        let deploy = format!("{HEADS}{}", self.0.settings.branch);
        self.reading(move || {
            // The branch that deploys has its name although it may not be there yet.
            if refs::exclude_each_other(&name, &deploy) {
                return Ok(vec![deploy]);
            }
            refs::in_the_way(&inner.repository, &name).map_err(|error| inner.no_references(error))
        })
        .await
    }

    async fn expect(&self, commit: Revision, record: PushRecord) {
        let pushes = self.0.pushes.clone();
        let _ = blocking::run(move || pushes.expect(commit, record)).await;
    }

    async fn shown_after(&self, moved: BranchMoves, quarantine: Option<PathBuf>) -> Result<Vec<String>, RepositoryError> {
        if self.0.settings.previews == 0 {
            return Ok(Vec::new());
        }
        let inner = self.0.clone();
        self.reading(move || {
            let heads = refs::heads(&inner.repository).map_err(|error| inner.no_references(error))?;
            let mut heads: BranchMoves = heads.into_iter().map(|head| (head.branch, Some(head.commit))).collect();
            heads.extend(moved);
            let heads = heads.into_iter().filter_map(|(branch, commit)| Some(Head { branch, commit: commit? })).collect();
            let chosen = inner.choose(heads, quarantine.as_deref())?.into_iter().map(|head| head.branch);
            Ok(chosen.filter(|branch| *branch != inner.settings.branch).collect())
        })
        .await
    }
}
