//! Changes through the control plane: the order and its answers.

use serde::Serialize;

use super::error::OrderError;
use crate::{
    audit::Actor,
    deployment::DeploymentId,
    function::{Content, Diagnostic, FilePath, FunctionName, Revision, Tree, topic::TopicPattern, topic_reach::TopicReach},
    source::edit::EditError,
    sync::diff::tree::TreeDiff,
};

/// A change of the source.
#[derive(Debug, Clone)]
pub enum SourceChange {
    /// A script that is not there yet.
    Create(FunctionName, Content),
    /// Another content of a script that is there (none: it is deleted). With tags, only if one of them names what there is.
    Replace(FunctionName, Option<Content>, Option<Vec<String>>),
    /// These files and no others.
    Tree(Tree),
}

/// A wish to change the source.
#[derive(Debug, Clone)]
pub struct Upload {
    /// How.
    pub change: SourceChange,
    /// The actor who asks for it.
    pub by: Actor,
    /// The topics that its handlers may take, beside those that the handlers of their function take already.
    pub topics: TopicReach,
    /// More than half of the functions may go.
    pub allow_mass_delete: bool,
    /// Only say what would change.
    pub is_dry_run: bool,
}

/// The outcome of an upload.
#[derive(Debug, Clone, Serialize)]
pub struct UploadOutcome {
    /// The functions that it adds, changes and removes.
    pub plan: TreeDiff,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The live deployment and its revision.
    pub live: Option<(DeploymentId, Revision)>,
    /// Why what was asked for is not live although it is written, a sentence; none if it is live, and in a dry run.
    pub held: Option<String>,
}

/// The changes that files would make if they were live beside the others.
#[derive(Debug, Clone, Serialize)]
pub struct FilesCheck {
    /// Mistakes.
    pub diagnostics: Vec<Diagnostic>,
    /// The functions that they would add, change and remove.
    pub plan: TreeDiff,
}

/// A handler of a topic that is none of its sender's.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{file}` would handle `{topic}`, and its sender's token has the topics `{own}`")]
pub struct OtherTopic {
    /// The file.
    pub file: FilePath,
    /// What it would handle.
    pub topic: TopicPattern,
    /// What its sender's functions may handle.
    pub own: TopicReach,
}

impl OtherTopic {
    /// Says what to do.
    pub fn hint(&self) -> &'static str {
        "handle one of those, or have the handler deployed once with a token for the whole node"
    }
}

/// Why a source was not changed. Nothing of it is written then, or what was written is taken back.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A script of this name is there.
    #[error("there is a script `{0}` already\n  hint: change it with PUT")]
    Exists(FunctionName),
    /// No script of this name is there.
    #[error("there is no script `{0}`")]
    Unknown(FunctionName),
    /// It is not what whoever changes it has seen.
    #[error("the script `{0}` has changed since\n  hint: get it again, and send its ETag as `If-Match`")]
    Moved(FunctionName),
    /// Another function answers the same requests.
    #[error("another function answers the same requests")]
    RouteTaken(Vec<Diagnostic>),
    /// It does not check.
    #[error("{}, and nothing was written", mistakes(.0))]
    Wrong(Vec<Diagnostic>),
    /// It has a handler for topics that are none of its sender's.
    #[error("{other}, so nothing was written\n  hint: {hint}", other = .0, hint = .0.hint())]
    OtherTopic(OtherTopic),
    /// Its migrations cannot be applied.
    #[error("{}, and {}", mistakes(found), taken_back(stays.as_ref()))]
    Unmigrated {
        /// What is wrong with them.
        found: Vec<Diagnostic>,
        /// Why what was written is still in the source, if it is.
        stays: Option<EditError>,
    },
    /// Too many functions would go.
    #[error("this would remove {} of {} functions, and nothing was written\n  hint: if that is meant, say `allow_mass_delete=true`", .0.removed, .0.before)]
    MassDelete(Box<TreeDiff>),
    /// An operator wants the source not to be followed.
    #[error("nothing was written: {why}\n  hint: {hint}")]
    Held {
        /// What was said, by whom.
        why: String,
        /// What ends it.
        hint: &'static str,
    },
    /// What the source holds is not known.
    #[error("nothing was written, because the source cannot be read{}", .0.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    SourceAway(Option<String>),
    /// The source was not changed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The database is away, or the node is stopping.
    #[error(transparent)]
    Order(#[from] OrderError),
}

fn mistakes(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|found| found.is_error()).count();
    if errors == 1 { "there is 1 mistake".into() } else { format!("there are {errors} mistakes") }
}

fn taken_back(stays: Option<&EditError>) -> String {
    match stays {
        None => "what was written is taken back".into(),
        Some(why) => format!("what was written stays in the source: {why}\n  hint: `picloud status` shows what is live"),
    }
}

impl SourceChange {
    /// Returns the message of the commit that makes this change.
    pub fn message(&self) -> String {
        match self {
            Self::Create(name, _) => format!("create {name}"),
            Self::Replace(name, Some(_), _) => format!("change {name}"),
            Self::Replace(name, None, _) => format!("delete {name}"),
            Self::Tree(_) => "deploy a tree".into(),
        }
    }
}
