//! Errors of a repository.

use std::{fmt, io, path::PathBuf, time::Duration};

use super::program::GitError;
use crate::{source::edit::EditError, user};

/// Why a repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The program said no.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Its objects cannot be read.
    #[error("cannot read the repository `{}`", path.display())]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        #[source]
        source: git2::Error,
    },
    /// Its references cannot be read.
    #[error("cannot read the references of the repository `{}`", path.display())]
    NoReferences {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Reading it takes too long: something there is waited for.
    #[error("the repository `{}` could not be read within {limit:?}", path.display())]
    TooSlow {
        /// Where it is.
        path: PathBuf,
        /// How long it had.
        limit: Duration,
    },
    /// The system does not let it be read.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// It is there and cannot be used as it is.
    #[error("{0}")]
    Unusable(String),
}

impl From<RepositoryError> for EditError {
    fn from(error: RepositoryError) -> Self {
        Self::Failed { path: "the branch".into(), why: error.to_string() }
    }
}

/// The user of this process may not do something. Most likely he was not yet in the group that may when it was started.
#[derive(Debug, thiserror::Error)]
pub struct PermissionDenied {
    user: String,
    deed: &'static str,
    pub(super) path: PathBuf,
}

impl fmt::Display for PermissionDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, deed, path } = self;
        write!(
            f,
            "`{user}` may not {deed} `{}`\n  hint: let this user be in the group that may, and start the node again: it has the groups that it was \
             started with",
            path.display()
        )
    }
}

impl PermissionDenied {
    /// Says that something cannot be read.
    pub(super) fn read(path: PathBuf) -> Self {
        Self { user: user::name(), deed: "read", path }
    }

    /// Says that nothing can be made in a folder.
    pub fn write_into(path: PathBuf) -> Self {
        Self { user: user::name(), deed: "write into", path }
    }
}
