//! A whole repository as one file, as git itself packs it.

use std::path::Path;

use super::program::{GitError, LOCAL, PACKING, git, init_bare, run};

/// Packs every reference of a repository, and all that they hold; returns whether there is anything.
pub async fn pack(repository: &Path, file: &Path) -> Result<bool, GitError> {
    let mut refs = git(repository, &[]);
    refs.args(["for-each-ref", "--count=1"]);
    // Git refuses to pack nothing.
    if run(refs, LOCAL).await?.is_empty() {
        return Ok(false);
    }
    let mut bundle = git(repository, &[]);
    bundle.args(["bundle", "create", "--quiet"]).arg(file).arg("--all");
    run(bundle, PACKING).await?;
    Ok(true)
}

/// Makes a bare repository, and puts into it what was packed.
pub async fn unpack(file: Option<&Path>, repository: &Path, branch: &str) -> Result<(), GitError> {
    init_bare(repository, branch).await?;
    let Some(file) = file else { return Ok(()) };
    let mut fetch = git(repository, &[]);
    fetch.args(["fetch", "--quiet", "--no-auto-gc"]).arg(file).arg("+refs/*:refs/*");
    run(fetch, PACKING).await.map(drop)
}
