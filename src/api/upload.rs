//! Files that are to be live: checks of them, and whole trees.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    deployment::DeploymentId,
    function::{Diagnostic, FunctionName, Revision},
    sync::{diff::tree::TreeDiff, orders::upload::UploadOutcome},
};

/// Files that are to be checked: one script by its name, or many by their paths.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckOrder {
    /// Of one script.
    pub name: Option<FunctionName>,
    /// Its source.
    pub source: Option<String>,
    /// Paths of many files, and what is in them.
    pub files: Option<BTreeMap<String, String>>,
}

/// What is wrong with files, and what they would change.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckAnswer {
    /// Whether they have no mistake.
    pub ok: bool,
    /// Mistakes and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The functions that they would add, change and remove.
    pub plan: TreeDiff,
    /// The same for people.
    pub text: String,
}

/// What a tree changed, or would.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TreeAnswer {
    /// The functions that it adds, changes and removes.
    pub plan: TreeDiff,
    /// The same for people.
    pub text: String,
    /// How many, for people.
    pub summary: String,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// What is live.
    pub live: Option<LiveRevision>,
    /// Why it is not live although it is written.
    pub held: Option<String>,
    /// Nothing was written.
    pub is_dry_run: bool,
}

/// A deployment that is live, and its revision.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LiveRevision {
    /// Its id.
    pub deployment: DeploymentId,
    /// What the source held.
    pub revision: Revision,
}

impl TreeAnswer {
    /// Says what came of an upload.
    pub fn new(outcome: UploadOutcome, is_dry_run: bool) -> Self {
        let UploadOutcome { plan, diagnostics, live, held } = outcome;
        let live = live.map(|(deployment, revision)| LiveRevision { deployment, revision });
        Self { text: plan.to_string(), summary: plan.summary(), plan, diagnostics, live, held, is_dry_run }
    }
}
