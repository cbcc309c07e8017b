//! Checks that a commit is signed by somebody who may deploy.

use std::path::{Path, PathBuf};

use super::{
    hosted,
    own::OwnRepository,
    program::{GitError, LOCAL, git, run},
};
use crate::function::Diagnostic;

/// The repository that signatures are verified in, in the data folder. It has no objects and no settings: others may write those of the
/// repository that is followed.
pub const FOLDER: &str = "signatures.git";
/// How signatures of ssh begin. Others ask for keys where their programs keep them.
const SSH: &[u8] = b"-----BEGIN SSH SIGNATURE-----";

/// Knows whose signatures count.
pub struct Signers {
    /// A file of `git`'s `gpg.ssh.allowedSignersFile`.
    allowed: PathBuf,
    verifying: OwnRepository,
}

impl Signers {
    /// Takes the signers that are listed in a file.
    pub fn new(allowed: PathBuf, verifying: OwnRepository) -> Self {
        Self { allowed, verifying }
    }

    /// Returns what is wrong with the signature of a commit; nothing if one of the allowed signers made it. `signature` is what the commit
    /// holds, if it is signed, and the objects are in these folders.
    pub async fn problem(&self, commit: &str, signature: Option<&[u8]>, objects: &[PathBuf]) -> Result<Option<Diagnostic>, GitError> {
        let short = commit.get(..10).unwrap_or(commit);
        let wrong = match signature {
            None => Some(("is not signed".to_owned(), "sign it: `git commit --amend -S` with `gpg.format = ssh`".to_owned())),
            Some(signature) if !signature.trim_ascii_start().starts_with(SSH) => Some((
                "is not signed with a key of ssh".into(),
                "other kinds of signatures are not taken: `git config gpg.format ssh`".into(),
            )),
            Some(_) => self.verify(commit, objects).await?,
        };
        let problem =
            |(what, hint): (String, String)| Diagnostic::error("", format!("commit {short} {what}, and `require_signed` is on")).hint(hint);
        Ok(wrong.map(problem))
    }

    async fn verify(&self, commit: &str, objects: &[PathBuf]) -> Result<Option<(String, String)>, GitError> {
        if !self.verifying.path().join("HEAD").exists() {
            hosted::make(self.verifying.path(), "none")?;
        }
        let allowed = self.allowed.canonicalize().unwrap_or_else(|_| self.allowed.clone());
        let signers = allowed.display().to_string();
        let mut verify = git(&self.verifying, &[("gpg.ssh.allowedSignersFile", &signers)]);
        let objects: Vec<String> = objects.iter().map(|folder| quoted(folder)).collect();
        verify.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects.join(":"));
        verify.args(["verify-commit", "--raw"]).arg(commit);
        let said = match run(verify, LOCAL).await {
            Ok(_) => return Ok(None),
            Err(GitError::Failed { said, .. }) => said,
            Err(error) => return Err(error),
        };
        Ok(Some(match said.as_str() {
            said if said.contains("No principal matched") || said.contains("No such file") => (
                format!("is signed by nobody who is listed in `{signers}`"),
                "add the signer's public key there, or let somebody who is there sign it".into(),
            ),
            said => {
                let hint = format!("git says: {}", said.lines().last().unwrap_or_default());
                ("has a signature that cannot be confirmed".into(), hint)
            }
        }))
    }
}

/// Writes a path so that nothing in it separates paths.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', r"\\").replace('"', "\\\""))
}
