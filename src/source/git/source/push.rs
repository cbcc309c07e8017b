//! What the gate asks about a push before it is taken, and what it says of it.

use std::path::PathBuf;

use super::{BranchMoves, GitSource};
use crate::{
    blocking,
    function::Revision,
    source::git::{
        error::RepositoryError,
        pushes::Pushed,
        reader::Unfit,
        refs::{self, HEADS, Head},
    },
};

impl GitSource {
    /// Returns whether a commit contains another.
    pub async fn contains(&self, commit: &str, other: &str, quarantine: Option<PathBuf>) -> Result<bool, RepositoryError> {
        let (reader, commit, other) = (self.0.reader.clone(), commit.to_owned(), other.to_owned());
        self.reading(move || reader.contains(&commit, &other, quarantine.as_deref())).await
    }

    /// Returns why a branch cannot point to something that a push has brought, if it cannot.
    pub async fn unfit(&self, id: &str, quarantine: Option<PathBuf>) -> Result<Option<Unfit>, RepositoryError> {
        let (reader, id) = (self.0.reader.clone(), id.to_owned());
        self.reading(move || reader.unfit(&id, quarantine.as_deref())).await
    }

    /// Returns the references that cannot be there together with this one, which may be new.
    pub async fn in_the_way(&self, name: &str) -> Result<Vec<String>, RepositoryError> {
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

    /// Remembers who pushes a commit.
    pub async fn expect(&self, commit: Revision, pushed: Pushed) {
        let pushes = self.0.pushes.clone();
        let _ = blocking::run(move || pushes.expect(commit, pushed)).await;
    }

    /// Returns the other branches that are shown once a push has moved these; what it has brought lies in `quarantine`.
    pub async fn shown_after(&self, moved: BranchMoves, quarantine: Option<PathBuf>) -> Result<Vec<String>, RepositoryError> {
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
