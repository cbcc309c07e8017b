//! The record of one sync: what the source wanted, what went live, what did not and why. Plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::clock::DeploymentId;
use crate::function::{Content, Diagnostic, FilePath, FunctionName, Revision, SharedFunction, Tree, Version};

/// One state of the source, read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Names this state.
    pub revision: Revision,
    /// Every `.rhai` file in it.
    pub tree: Tree,
    /// Files written so recently that a mistake in them may be half a save. They go live if they check; if they do not, the last good
    /// content stays, nothing is reported, and the source says `changed` again once they have settled.
    pub unsettled: Vec<FilePath>,
    /// What the source itself found wrong: links that leave the root, names that are not UTF-8. Those files are not in `tree`.
    pub problems: Vec<Diagnostic>,
}

/// What made a sync happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The node started.
    Start,
    /// A file was saved in the directory.
    Save,
    /// A git push.
    Push,
    /// An upload through the control plane.
    Upload,
    /// An operator went back.
    Rollback,
}

/// Whether anything of a sync went live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentStatus {
    /// It is (or was) what requests meet. With diagnostics: some files were kept at their last good content.
    Live,
    /// Nothing changed; the diagnostics say why.
    Rejected,
}

/// A function that a deployment added (`from` is none), changed, or removed (`to` is none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionChange {
    /// Which.
    pub function: FunctionName,
    /// Live before.
    pub from: Option<Version>,
    /// Live after.
    pub to: Option<Version>,
}

/// The record of one sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Rises with time.
    pub id: DeploymentId,
    /// What the source held.
    pub revision: Revision,
    /// What made it happen.
    pub cause: Cause,
    /// Who, where that is known (git: the author; upload: the token's name).
    pub by: Option<String>,
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

/// What a live deployment changes in the store, beside its record.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The files of the live tree that are new or different (content), or gone (none), against the live deployment before.
    pub files: BTreeMap<FilePath, Option<Content>>,
    /// The functions whose version is new in this deployment.
    pub functions: Vec<SharedFunction>,
}
