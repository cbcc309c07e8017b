//! Why an earlier deployment does not answer.

use super::Problem;
use crate::{
    function::Diagnostic,
    store::{FindError, SHORTEST_REVISION},
    sync::earlier::EarlierError,
};

const OUTDATED: &str = "the files of this deployment do not check by today's rules and limits";

/// Mistakes that are told of a deployment whose files have become wrong.
pub const FIRST_DIAGNOSTICS: usize = 10;

impl Problem {
    /// Tells whoever orders a run on an earlier deployment what is wrong with its files. `shown` takes out what the sender may not know.
    pub fn with_mistakes(self, shown: impl FnOnce(Vec<Diagnostic>) -> Vec<Diagnostic>) -> Self {
        match self {
            Self::Earlier(EarlierError::Outdated { diagnostics, .. }) => {
                let first = diagnostics.iter().take(FIRST_DIAGNOSTICS).cloned().collect();
                Self::NotInvocable { why: OUTDATED.into(), diagnostics: shown(first) }
            }
            other => other,
        }
    }
}

/// Returns one sentence that is safe for anyone to read, and what to do.
pub fn message(error: &EarlierError) -> String {
    match error {
        EarlierError::Find(FindError::Unknown(_)) => "no deployment that was live has this id or revision".into(),
        EarlierError::Find(FindError::Short(_)) => {
            format!("a revision is named by its first {SHORTEST_REVISION} characters or more")
        }
        EarlierError::Find(FindError::Ambiguous { .. }) => "more than one revision begins so\n  hint: give more of it".into(),
        EarlierError::Find(FindError::NothingLive) => "nothing was ever live".into(),
        EarlierError::Find(FindError::NeverLive(_)) => "this deployment was rejected and never live".into(),
        EarlierError::Outdated { .. } => OUTDATED.into(),
        EarlierError::Find(FindError::Store(_)) | EarlierError::NoDatabase => {
            "the database that has the earlier deployments does not answer\n  hint: try again".into()
        }
        EarlierError::NoThread(_) => "the node has too much to do\n  hint: try again".into(),
    }
}
