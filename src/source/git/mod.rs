//! A git repository as a source: hosted by the node, pushed to by a path or over ssh, or fetched from elsewhere. A commit is read straight
//! from the object database; nothing is ever checked out.
//!
//! Git does what a repository's settings say, and others may write those of a repository that is shared. So the program `git` runs only in
//! repositories of this node ([`OwnRepository`]); of all others references and objects are read, and written, without it.

mod beneath;
pub mod branch;
pub mod bundle;
mod commit;
mod denied;
mod follow;
pub mod hosted;
mod left_out;
mod objects;
mod own;
mod plain;
pub mod program;
mod pushes;
mod readable;
mod reader;
mod reads;
mod refs;
pub mod remote;
pub mod serve;
mod signature;
mod watch;

use std::{fmt, io, path::PathBuf, time::Duration};

pub use beneath::{FileId, Folder};
pub use branch::PreviewHost;
pub use denied::Denied;
pub use follow::{GitSource, Moved};
pub use left_out::of_working_copy;
pub use own::OwnRepository;
pub use program::GitError;
pub use pushes::Pushed;
pub use readable::{is_free, must_be_readable};
pub use reader::Unfit;
pub use reads::Reads;
pub use refs::{HEADS, TAGS, is_branch, taken_for};

use crate::secret::Secret;

/// How a repository is followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which one.
    pub repository: Repository,
    /// The branch that deploys.
    pub branch: String,
    /// The folder of functions in it; empty: the whole repository.
    pub root: String,
    /// A remote is asked this often, and references are looked at this often in case nobody reports a change.
    pub interval: Duration,
    /// One fetch may take this long, and one read of a bare repository.
    pub timeout: Duration,
    /// A push may have so many bytes.
    pub max_push_bytes: u64,
    /// A larger file is a problem and is not read.
    pub max_file_bytes: u64,
    /// Whether the deploy branch may be pushed to a commit that does not contain the one before.
    pub allow_force: bool,
    /// Only commits signed by one of these go live: a file of `git`'s `gpg.ssh.allowedSignersFile`.
    pub allowed_signers: Option<PathBuf>,
    /// As many other branches are shown, those committed to last.
    pub previews: usize,
    /// The host names that they are shown under, too.
    pub preview_host: Option<PreviewHost>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            repository: Repository::Hosted,
            branch: "main".into(),
            root: "functions".into(),
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(60),
            max_push_bytes: 256 << 20,
            max_file_bytes: 256 * 1024,
            allow_force: true,
            allowed_signers: None,
            previews: 0,
            preview_host: None,
        }
    }
}

/// Where a repository is.
#[derive(Debug, Clone, PartialEq)]
pub enum Repository {
    /// In the data folder; pushed to over HTTP.
    Hosted,
    /// A bare repository on this machine; pushed to by its path or over ssh.
    Bare(PathBuf),
    /// Elsewhere; fetched into the data folder.
    Remote(Remote),
}

/// A repository elsewhere, and how to get in.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    /// `https://…`, `ssh://…`, `git@host:path`, `file://…`. Never holds a password.
    pub url: String,
    /// For https: the user that goes with the token.
    pub user: String,
    /// For https.
    pub token: Option<Secret>,
    /// For ssh: the file of the private key.
    pub ssh_key: Option<PathBuf>,
    /// For ssh: the file of known host keys.
    pub known_hosts: Option<PathBuf>,
}

impl fmt::Display for Settings {
    /// Writes where the repository is and what of it is followed: `git https://… main:functions`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repository {
            Repository::Hosted => write!(f, "git hosted at /{FOLDER}"),
            Repository::Bare(path) => write!(f, "git {}", path.display()),
            Repository::Remote(remote) => write!(f, "git {}", remote::url::redact(&remote.url, None)),
        }?;
        write!(f, ", {}:{}", self.branch, self.root)
    }
}

/// The folder of the hosted repository, or of the copy of a remote one, in the data folder.
pub const FOLDER: &str = "functions.git";

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
    Denied(#[from] Denied),
    /// It is there and cannot be used as it is.
    #[error("{0}")]
    Unusable(String),
}
