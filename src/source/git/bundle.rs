//! A whole repository as one file, as git itself packs it.

use std::path::{Path, absolute};

use super::{
    hosted,
    own::OwnRepository,
    program::{GitError, LOCAL, PACKING, git, run},
};

/// Packs every reference of a repository, and all that they hold; returns whether there is anything.
pub async fn pack(repository: &OwnRepository, file: &Path) -> Result<bool, GitError> {
    let mut refs = git(repository, &[]);
    refs.args(["for-each-ref", "--count=1"]);
    // Git refuses to pack nothing.
    if run(refs, LOCAL).await?.is_empty() {
        return Ok(false);
    }
    let mut bundle = git(repository, &[]);
    // A whole path is no option, whatever the file is called.
    let file = absolute(file).map_err(GitError::CannotRun)?;
    bundle.args(["bundle", "create", "--quiet"]).arg(file).arg("--all");
    run(bundle, PACKING).await?;
    Ok(true)
}

/// Makes a bare repository, and puts into it what was packed.
pub async fn unpack(file: Option<&Path>, repository: &OwnRepository, branch: &str) -> Result<(), GitError> {
    hosted::make(repository.path(), branch)?;
    let Some(file) = file else { return Ok(()) };
    let file = absolute(file).map_err(GitError::CannotRun)?;
    let mut fetch = git(repository, &[("protocol.file.allow", "always")]);
    fetch.args(["fetch", "--quiet", "--no-auto-gc"]).arg(file).arg("+refs/*:refs/*");
    run(fetch, PACKING).await.map(drop)
}
