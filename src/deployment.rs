//! The record of one sync: what the source wanted, what went live, what did not and why. Plain data.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::audit::Origin;
use crate::clock::rfc3339;
use crate::function::{Content, Diagnostic, Digest, FilePath, FunctionName, Revision, SharedFunction, Tree, Version};
pub use crate::id::DeploymentId;

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
    /// Who pushed it, where that is known: the name of a token or of a user of the machine.
    pub pushed_by: Option<String>,
    /// The commit that the branch pointed to before, if this one does not contain it: a forced push.
    pub replaces: Option<Revision>,
}

/// What an operator has told the node about following its source. Survives restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Following {
    /// Nothing of the source goes live until it is resumed.
    pub suspended: Option<Suspension>,
    /// An operator went back, and the source is not to undo that.
    pub pin: Option<Pin>,
}

impl Following {
    /// Says what holds the source back, to those who need not know who wanted it and why.
    pub fn in_short(&self) -> Option<String> {
        let suspended = self.suspended.as_ref().map(|suspension| format!("the source is suspended since {}", rfc3339(suspension.since_us)));
        suspended.or_else(|| {
            let pin = self.pin.as_ref()?;
            Some(format!("a rollback to deployment {} holds the source back since {}", pin.to, rfc3339(pin.since_us)))
        })
    }
}

/// Nothing of the source goes live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Who asked for it.
    pub by: String,
    /// When, in microseconds since 1970.
    pub since_us: i64,
}

/// An operator went back to an earlier deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The deployment that was gone back to.
    pub to: DeploymentId,
    /// The revision that the source held then: it does not go live again by itself.
    pub abandoned: Revision,
    /// The files that differ from what is live, as they were then (none: not there). Each stays as it is live until the source has another
    /// content of it, or of what a function of it uses.
    pub files: BTreeMap<FilePath, Option<Digest>>,
    /// Nothing newer ends the pin either, only an operator does.
    pub hold: bool,
    /// Who went back.
    pub by: String,
    /// Why, as they say.
    pub reason: Option<String>,
    /// When, in microseconds since 1970.
    pub since_us: i64,
}

impl Pin {
    /// Names it with who, when and why: `admin's rollback of 2026-11-24T21:40Z ("leaks customer data")`.
    pub fn name(&self) -> String {
        let time = rfc3339(self.since_us);
        let why = self.reason.as_ref().map(|reason| format!(" (\"{reason}\")")).unwrap_or_default();
        format!("{}'s rollback of {}Z{why}", self.by, time.get(.."2026-11-24T21:40".len()).unwrap_or(&time))
    }
}

/// Files that are named; of more it is said how many.
const NAMED: usize = 5;

/// Writes a list of files.
pub fn shortened(files: &[FilePath]) -> String {
    let named = files.iter().take(NAMED).map(|file| &**file).collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the source is suspended by {} since {}; `picloud source resume` follows it again", self.by, rfc3339(self.since_us))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, abandoned, by, since_us, .. } = self;
        write!(f, "{by} went back from {abandoned} to deployment {to} at {}", rfc3339(*since_us))?;
        if let Some(reason) = &self.reason {
            write!(f, " ({reason})")?;
        }
        if self.hold {
            return f.write_str("; nothing of the source goes live until `picloud unpin`");
        }
        let files: Vec<FilePath> = self.files.keys().cloned().collect();
        let stay = if files.len() == 1 { "stays so until it changes" } else { "stay so until they change" };
        write!(f, "; {} {stay} in the source, or until `picloud unpin`", shortened(&files))
    }
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
    /// A fetch from a remote repository.
    Pull,
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
    /// Who, where that is known (git: the author; upload and rollback: the token's name).
    pub by: Option<String>,
    /// Git: who pushed it, where that is known.
    pub pushed_by: Option<String>,
    /// What else there is to know: the reason for a rollback, the commit that a forced push left behind.
    pub note: Option<String>,
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

    /// Returns the deployment that this one went back to, if it is a rollback.
    pub fn went_back_to(&self) -> Option<DeploymentId> {
        let to = self.note.as_deref().filter(|_| self.cause == Cause::Rollback)?.strip_prefix(BACK_TO)?;
        to.split(':').next()?.parse().ok()
    }
}

/// A deployment as programs read it: with the time that its id holds.
#[derive(Debug, Serialize)]
pub struct Timed<'a> {
    time: String,
    #[serde(flatten)]
    deployment: &'a Deployment,
}

impl<'a> From<&'a Deployment> for Timed<'a> {
    fn from(deployment: &'a Deployment) -> Self {
        Self { time: rfc3339(deployment.id.time_us()), deployment }
    }
}

/// A deployment's own facts, without its diagnostics and changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// What the source held.
    pub revision: Revision,
    /// Functions live after it.
    pub functions: u32,
    /// From the source's hint to the decision, in microseconds.
    pub took_us: i64,
}

impl From<&Deployment> for Summary {
    fn from(deployment: &Deployment) -> Self {
        let Deployment { id, revision, cause, by, pushed_by, note, status, functions, took_us, .. } = deployment.clone();
        Self { id, time: rfc3339(id.time_us()), status, cause, by, pushed_by, note, revision, functions, took_us }
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
