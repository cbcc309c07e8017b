//! Names repositories of this node alone, where the program `git` may run. Git does what a repository's settings say, so whoever may write
//! those may have it run anything. In a repository that others may write, references and objects are read without git ([`super::refs`],
//! [`super::reader`]).

use std::{
    io,
    path::{Path, PathBuf},
};

/// A bare repository in a data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRepository(PathBuf);

impl OwnRepository {
    /// Names the repository of this name in a data folder, which is there. The repository need not be.
    pub fn in_data(data: &Path, name: &str) -> io::Result<Self> {
        // Git and its hooks run elsewhere, so the path is whole.
        Ok(Self(data.canonicalize()?.join(name)))
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}
