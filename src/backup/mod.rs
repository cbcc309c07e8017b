//! A node in one file: its database, the databases of its functions that are files, the repository that it hosts, its settings. Taken while it runs, and put back into an empty place.
//!
//! The file is a gzipped tar. First comes `backup.json`, which says what the rest is. Then come the tables in pieces of lines, what git
//! packed, the databases as they are, and the settings. Last is `sums.json` with the digest of everything before it; without it a file is not whole. Rows are written
//! in the same way whichever database they come from, so either can be put back into the other.

mod create;
mod file;
mod restore;

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use create::{BackupSummary, create};
pub use restore::{RestoreSummary, is_unfinished, restore, verify};

use crate::{
    source::git::GitError,
    sql::NotCopied,
    store::{StoreError, transfer::TableSchema},
};

/// The format of files that this program writes.
const FORMAT: u32 = 2;
/// The first format that it reads, which has no databases of functions.
const FIRST_FORMAT: u32 = 1;

/// Members of the file.
const HEAD: &str = "backup.json";
const SUMS: &str = "sums.json";
const SETTINGS: &str = "picloud.toml";
const REPOSITORY: &str = "functions.bundle";
/// The pieces of a table are `tables/NAME/000001.jsonl` and so on.
const TABLES: &str = "tables";

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How the file is made.
    pub format: u32,
    /// The version of the program.
    pub picloud: String,
    /// When it was begun.
    pub created: String,
    /// The number of the database's last migration.
    pub schema: i64,
    /// The tables, each after those that it refers to.
    pub tables: Vec<TableSchema>,
    /// The branch that deploys, if the node hosts its repository.
    pub branch: Option<String>,
}

/// Why a backup was not made or not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A database of functions.
    #[error(transparent)]
    Database(#[from] NotCopied),
    /// A file or folder.
    #[error("cannot {what} `{}`", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which.
        path: PathBuf,
        /// Why it did not work.
        #[source]
        source: io::Error,
    },
    /// There is a file of that name.
    #[error("there is a file `{}` already, and nothing was changed\n  hint: name a new one, for example with the date", .0.display())]
    Exists(PathBuf),
    /// There is no folder for the file.
    #[error("there is no folder `{}` to put the backup in", .0.display())]
    NoFolder(PathBuf),
    /// The settings cannot be read, so it is not known which of them are secrets.
    #[error("the settings in `{}` are no TOML", .0.display())]
    Settings(PathBuf),
    /// The file is no backup, or not whole, or not as it was made.
    #[error("`{}` cannot be put back: {reason}; nothing was changed\n  hint: {hint}", path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// The place is not empty.
    #[error("`{}` is not empty, and nothing was changed\n  hint: name a new folder with `--data`, or move this one away", .0.display())]
    NotEmpty(PathBuf),
}

impl BackupError {
    fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
