//! The record of one sync: what the source wanted, what went live, what did not and why. Plain data.

mod following;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use following::{Following, Pin, Suspension, shortened};

pub use crate::id::DeploymentId;
use crate::{
    audit::Origin,
    clock::rfc3339,
    function::{Content, Diagnostic, FilePath, FunctionName, Revision, SharedFunction, Tree, Version},
};

/// One state of the source, read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Names this state.
    pub revision: Revision,
    /// Every `.rhai` file in it.
    pub tree: Tree,
    /// Files written so recently that a mistake in them may be half a save. They go live if they check. If they do not, the last good
    /// content stays and nothing is reported. The source says `changed` again once they have settled.
    pub unsettled: Vec<FilePath>,
    /// What the source itself found wrong: links that leave the root, names that are not UTF-8. Those files are not in `tree`.
    pub problems: Vec<Diagnostic>,
    /// What git says of this state. A commit goes live whole or not at all; of a directory every file that is right does.
    pub commit: Option<Commit>,
}

/// What git says of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Who wrote it: `Ada Lovelace <ada@example.org>`.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// When it was made, in microseconds since 1970, by the clock of whoever made it.
    #[serde(default)]
    pub time_us: i64,
    /// Who pushed it, where that is known: the name of a token or of a user of the machine.
    pub pushed_by: Option<String>,
    /// The commit that the branch pointed to before, if this one does not contain it: a forced push.
    pub replaces: Option<Revision>,
}

/// Bytes of a subject that are recorded.
const SUBJECT_BYTES: usize = 512;

impl Commit {
    /// Returns its subject as it is recorded.
    pub fn recorded_subject(&self) -> String {
        self.subject[..self.subject.floor_char_boundary(SUBJECT_BYTES)].to_owned()
    }
}

/// Returns the subject of a deployment that has no commit: the first of its files, and how many more there are. None without a file.
pub fn subject_of_files(files: &[&FilePath]) -> Option<String> {
    let (first, more) = files.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(format!("{}{more}", &first[..first.floor_char_boundary(SUBJECT_BYTES - more.len())]))
}

/// What made a sync happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The node started.
    Start,
    /// A file was saved in the directory.
    Save,
    /// A git push.
    Push,
    /// A fetch from a remote repository.
    Pull,
    /// An upload through the control plane.
    Upload,
    /// An operator went back.
    Rollback,
}

/// Whether anything of a sync went live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentStatus {
    /// It is (or was) what requests meet. With diagnostics: some files were kept at their last good content.
    Live,
    /// Nothing changed; the diagnostics say why.
    Rejected,
}

impl DeploymentStatus {
    /// Returns the word that tables and listings show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Rejected => "rejected",
        }
    }
}

/// A function that a deployment added (`from` is none), changed, or removed (`to` is none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionChange {
    /// Which.
    pub function: FunctionName,
    /// Live before.
    pub from: Option<Version>,
    /// Live after.
    pub to: Option<Version>,
}

/// The record of one sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Deployment {
    /// Rises with time.
    pub id: DeploymentId,
    /// What the source held.
    pub revision: Revision,
    /// What made it happen.
    pub cause: Cause,
    /// Who, where that is known (git: the author; upload and rollback: the token's name).
    pub by: Option<String>,
    /// Git: who pushed it, where that is known.
    pub pushed_by: Option<String>,
    /// What else there is to know: the reason for a rollback, the commit that a forced push left behind.
    pub note: Option<String>,
    /// Git: the first line of the commit's message, at most 512 bytes of it. Else the files: `shop/pay.post.rhai and 2 more`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Live or rejected.
    pub status: DeploymentStatus,
    /// Everything found wrong in that revision.
    pub diagnostics: Vec<Diagnostic>,
    /// What is different from the deployment before; empty if rejected.
    pub changes: Vec<FunctionChange>,
    /// Functions live after it.
    pub functions: u32,
    /// From the source's hint to the decision, in microseconds.
    pub took_us: i64,
}

/// How the note of a rollback begins.
const BACK_TO: &str = "back to ";

impl Deployment {
    /// Returns the note of a rollback to a deployment.
    pub fn note_of_rollback(to: DeploymentId, reason: Option<&str>) -> String {
        format!("{BACK_TO}{to}{}", reason.map(|reason| format!(": {reason}")).unwrap_or_default())
    }

    /// Returns how many functions it added, changed and removed.
    pub fn change_counts(&self) -> (usize, usize, usize) {
        let added = self.changes.iter().filter(|change| change.from.is_none()).count();
        let removed = self.changes.iter().filter(|change| change.to.is_none()).count();
        (added, self.changes.len() - added - removed, removed)
    }

    /// Returns the deployment that this one went back to, if it is a rollback.
    pub fn went_back_to(&self) -> Option<DeploymentId> {
        let to = self.note.as_deref().filter(|_| self.cause == Cause::Rollback)?.strip_prefix(BACK_TO)?;
        to.split(':').next()?.parse().ok()
    }
}

/// A deployment's own facts, without its diagnostics and changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeploymentSummary)]
pub struct Summary {
    /// Which.
    pub id: DeploymentId,
    /// When it was decided.
    pub time: String,
    /// Live or rejected.
    pub status: DeploymentStatus,
    /// What made it happen.
    pub cause: Cause,
    /// Who.
    pub by: Option<String>,
    /// Who pushed it.
    pub pushed_by: Option<String>,
    /// What else there is to know.
    pub note: Option<String>,
    /// Git: the first line of the commit's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the source held.
    pub revision: Revision,
    /// Functions live after it.
    pub functions: u32,
    /// From the source's hint to the decision, in microseconds.
    pub took_us: i64,
}

impl From<&Deployment> for Summary {
    fn from(deployment: &Deployment) -> Self {
        let Deployment { id, revision, cause, by, pushed_by, note, subject, status, functions, took_us, .. } = deployment.clone();
        Self { id, time: rfc3339(id.time_us()), status, cause, by, pushed_by, note, subject, revision, functions, took_us }
    }
}

/// What a live deployment changes in the store, beside its record.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The files of the live tree that are new or different (content), or gone (none), against the live deployment before.
    pub files: BTreeMap<FilePath, Option<Content>>,
    /// The functions whose version is new in this deployment.
    pub functions: Vec<SharedFunction>,
    /// What is to hold from now on about following the source, if this deployment changes it.
    pub following: Option<Following>,
    /// Where whoever wants it is, for the audit log; none: it comes from the source.
    pub origin: Option<Origin>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_commit_the_files_are_the_subject() {
        let (pay, long) = (FilePath::from("shop/pay.post.rhai"), FilePath::from("ä".repeat(SUBJECT_BYTES)));
        assert_eq!(subject_of_files(&[]), None);
        assert_eq!(subject_of_files(&[&pay]).as_deref(), Some("shop/pay.post.rhai"));
        assert_eq!(subject_of_files(&[&pay, &long, &long]).as_deref(), Some("shop/pay.post.rhai and 2 more"));
        let cut = subject_of_files(&[&long, &pay]).unwrap();
        assert!(cut.len() <= SUBJECT_BYTES && cut.ends_with("ä and 1 more"), "{cut}");
    }
}
