//! Why an earlier deployment does not answer.

use crate::{
    store::{FindError, SHORTEST_REVISION},
    sync::archive::ArchiveError,
};

/// Returns one sentence that is safe for anyone to read.
pub fn detail(error: &ArchiveError) -> String {
    match error {
        ArchiveError::Find(FindError::Unknown(_)) => "no deployment that was live has this id or revision".into(),
        ArchiveError::Find(FindError::Short(_)) => {
            format!("a revision is named by its first {SHORTEST_REVISION} characters or more")
        }
        ArchiveError::Find(FindError::Ambiguous { .. }) => "more than one revision begins so; give more of it".into(),
        ArchiveError::Find(FindError::NothingLive) => "nothing was ever live".into(),
        ArchiveError::Find(FindError::NeverLive(_)) => "this deployment was rejected and never live".into(),
        ArchiveError::Outdated { .. } => "the files of this deployment do not check by today's rules and limits".into(),
        ArchiveError::Find(FindError::Store(_)) | ArchiveError::NoDatabase => {
            "the database that has the earlier deployments does not answer; try again".into()
        }
        ArchiveError::NoThread(_) => "the node has too much to do; try again".into(),
    }
}
