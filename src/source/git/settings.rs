//! Settings of a git source.

use std::{fmt, path::PathBuf, time::Duration};

use super::{branch::PreviewHost, url::redact};
use crate::secret::Secret;

/// Settings of a git source.
#[derive(Debug, Clone, PartialEq)]
pub struct GitSettings {
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

impl Default for GitSettings {
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

impl fmt::Display for GitSettings {
    /// Writes where the repository is and what of it is followed: `git https://… main:functions`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repository {
            Repository::Hosted => write!(f, "git hosted at /{FOLDER}"),
            Repository::Bare(path) => write!(f, "git {}", path.display()),
            Repository::Remote(remote) => write!(f, "git {}", redact(&remote.url, None)),
        }?;
        write!(f, ", {}:{}", self.branch, self.root)
    }
}

/// The folder of the hosted repository, or of the copy of a remote one, in the data folder.
pub const FOLDER: &str = "functions.git";
