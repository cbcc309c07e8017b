//! Whether a commit is signed by somebody who may deploy.

use std::path::Path;

use super::{
    GitError,
    program::{LOCAL, git, run},
};
use crate::function::Diagnostic;

/// Returns what is wrong with a commit's signature; nothing if one of the allowed signers made it.
pub async fn problem(repository: &Path, commit: &str, quarantine: Option<&Path>, allowed: &Path) -> Result<Option<Diagnostic>, GitError> {
    let allowed = allowed.canonicalize().unwrap_or_else(|_| allowed.into());
    let signers = allowed.display().to_string();
    let mut verify = git(repository, &[("gpg.ssh.allowedSignersFile", &signers)]);
    if let Some(quarantine) = quarantine {
        verify.env("GIT_OBJECT_DIRECTORY", quarantine).env("GIT_ALTERNATE_OBJECT_DIRECTORIES", repository.join("objects"));
    }
    verify.args(["verify-commit", "--raw"]).arg(commit);
    let said = match run(verify, LOCAL).await {
        Ok(_) => return Ok(None),
        Err(GitError::Failed { said, .. }) => said,
        Err(error) => return Err(error),
    };
    let short = commit.get(..10).unwrap_or(commit);
    let (what, hint) = match said.as_str() {
        "" => ("is not signed".to_owned(), "sign it: `git commit --amend -S` with `gpg.format = ssh`".to_owned()),
        said if said.contains("No principal matched") || said.contains("No such file") => (
            format!("is signed by nobody who is listed in `{signers}`"),
            "add the signer's public key there, or let somebody who is there sign it".into(),
        ),
        said => ("has a signature that cannot be confirmed".to_owned(), format!("git says: {}", said.lines().last().unwrap_or_default())),
    };
    Ok(Some(Diagnostic::error("", format!("commit {short} {what}, and `require_signed` is on")).hint(hint)))
}
