//! What the gate asks of a repository that is pushed to.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{error::RepositoryError, pushes::PushRecord, reader::HeadProblem, settings::GitSettings};
use crate::{deployment::Snapshot, function::Revision};

/// Branches that a push moves, and the commits that they point to afterwards; none if it deletes them.
pub type BranchMoves = BTreeMap<String, Option<String>>;

/// A repository that is pushed to. What a push has brought and git has not yet accepted lies in its `quarantine`.
#[async_trait]
pub trait PushTarget: Send + Sync {
    /// Returns how it is followed.
    fn settings(&self) -> &GitSettings;

    /// Returns where it is.
    fn repository(&self) -> &Path;

    /// Reads a commit.
    async fn read(&self, commit: &str, quarantine: Option<PathBuf>) -> Result<Snapshot, RepositoryError>;

    /// Returns whether a commit contains another.
    async fn contains(&self, commit: &str, other: &str, quarantine: Option<PathBuf>) -> Result<bool, RepositoryError>;

    /// Returns why a branch cannot point to something that a push has brought, if it cannot.
    async fn head_problem(&self, id: &str, quarantine: Option<PathBuf>) -> Result<Option<HeadProblem>, RepositoryError>;

    /// Returns the references that cannot be there together with this one, which may be new.
    async fn in_the_way(&self, name: &str) -> Result<Vec<String>, RepositoryError>;

    /// Returns the other branches that are shown once a push has moved these.
    async fn shown_after(&self, moved: BranchMoves, quarantine: Option<PathBuf>) -> Result<Vec<String>, RepositoryError>;

    /// Remembers who pushes a commit.
    async fn expect(&self, commit: Revision, record: PushRecord);
}
