//! Seam 1: where function files come from. A source only says «look again» and shows one whole state; the sync loop decides what it means.

pub mod directory;
pub mod edit;
pub mod git;
mod names;
pub mod tarball;

use std::collections::BTreeMap;

use async_trait::async_trait;

use self::edit::{Edit, EditError};
use crate::{
    deployment::{Cause, Snapshot},
    function::{Digest, FilePath},
};

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The root is not there: not mounted, moved away, or never made. Nothing is unloaded for it.
    #[error("the functions folder `{path}` is missing")]
    RootMissing {
        /// As configured.
        path: std::path::PathBuf,
    },
    /// There is a file in its place.
    #[error("the functions folder `{path}` is a file")]
    RootIsFile {
        /// As configured.
        path: std::path::PathBuf,
    },
    /// The root holds no function although there were some: its volume is away, or somebody has deleted all of them. Nothing is unloaded
    /// before somebody says so.
    #[error("the functions folder `{path}` is empty; its volume may not be mounted (`picloud sync` takes it as it is)")]
    RootEmpty {
        /// As configured.
        path: std::path::PathBuf,
    },
    /// The file system refused.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// What was being read.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The repository has no such branch: nothing was pushed yet, or it was deleted. Nothing is unloaded for it.
    #[error("the repository has no branch `{branch}`; push one, and it goes live{}", other.as_ref().map(|other| format!(" (it has `{other}`; another is named as `branch` in the section `[source]`)")).unwrap_or_default())]
    NoBranch {
        /// As configured.
        branch: String,
        /// One that there is.
        other: Option<String>,
    },
    /// Nothing of the remote is here yet.
    #[error("nothing was fetched yet{}", problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default())]
    NotFetched {
        /// Why not, if that is known.
        problem: Option<String>,
    },
    /// The repository could not be read.
    #[error(transparent)]
    Repository(#[from] git::RepositoryError),
}

/// Where function files come from.
#[async_trait]
pub trait Source: Send + Sync {
    /// Waits until the source may differ from the last snapshot. May be wrong in both directions for a moment, never for long.
    async fn changed(&self);

    /// Reads the whole state.
    async fn snapshot(&self) -> Result<Snapshot, SourceError>;

    /// Changes files, all or none, if they are still as they were in the revision that the change was made for. The next snapshot shows it.
    async fn edit(&self, edit: Edit) -> Result<(), EditError>;

    /// Says whether [`Source::edit`] would change these files, and changes none.
    async fn try_edit(&self, edit: Edit) -> Result<(), EditError>;

    /// Returns what makes a change of it.
    fn cause(&self) -> Cause {
        Cause::Save
    }

    /// Tells which files were there when the source was last followed. One that is missing at the first look may be on its way.
    async fn remember(&self, _files: BTreeMap<FilePath, Digest>) {}

    /// Looks at everything now, as somebody wants it, and asks the place that the source is a copy of. Where that is meant, takes a folder that
    /// is empty as it is.
    async fn refresh(&self, _takes_empty: bool) {}

    /// Has that place asked soon; [`Source::changed`] tells if something came of it.
    fn poke(&self) {}

    /// Returns what keeps it from knowing the newest state, a sentence, although it has one to show.
    fn problem(&self) -> Option<String> {
        None
    }

    /// Returns when it looks again without being told, in microseconds since 1970, if it does.
    fn next_look_us(&self) -> Option<i64> {
        None
    }

    /// Reads what other branches hold, by name, the newest first.
    async fn previews(&self) -> Result<Vec<(String, Snapshot)>, SourceError> {
        Ok(Vec::new())
    }
}
