//! Remembers who pushed a commit. It is kept in the data folder, because a commit may go live only after a restart. The author in the
//! commit is not the one who pushed it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::function::Revision;

/// Commits that are remembered; a push that is refused later leaves one behind.
const MAX_PUSHES: usize = 64;

/// The gate's record of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRecord {
    /// Who pushed it.
    pub by: String,
    /// The commit that it does not contain and that the branch pointed to.
    pub replaces: Option<Revision>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownPush {
    commit: Revision,
    #[serde(flatten)]
    record: PushRecord,
    /// Whether the branch has pointed to it.
    has_arrived: bool,
}

/// The last pushes, the newest last.
pub struct Pushes {
    file: PathBuf,
    known: Mutex<Vec<KnownPush>>,
}

impl Pushes {
    /// Remembers what is in the data folder.
    pub fn in_data(data: &Path) -> Self {
        let file = data.join("pushes.json");
        let known = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let known = known.unwrap_or_else(|error| {
            tracing::warn!("cannot read who pushed last from `{}`: {error}", file.display());
            Vec::new()
        });
        Self { file, known: Mutex::new(known) }
    }

    /// Remembers who pushes a commit, until the branch has pointed to it and then to another. This writes a file: call it where it may block.
    pub fn expect(&self, commit: Revision, record: PushRecord) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|push| push.commit != commit);
        known.push(KnownPush { commit, record, has_arrived: false });
        let too_many = known.len().saturating_sub(MAX_PUSHES);
        known.drain(..too_many);
        self.write(&known);
    }

    /// Returns what is known of the commit that the branch points to. This may write a file.
    pub fn arrived(&self, commit: &Revision) -> Option<PushRecord> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.len();
        known.retain(|push| push.commit == *commit || !push.has_arrived);
        let mut is_news = known.len() != before;
        let push = known.iter_mut().find(|push| push.commit == *commit);
        let record = push.map(|push| {
            is_news |= !push.has_arrived;
            push.has_arrived = true;
            push.record.clone()
        });
        if is_news {
            self.write(&known);
        }
        record
    }

    fn write(&self, known: &[KnownPush]) {
        let write = || {
            let next = self.file.with_extension("json.next");
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
            file.write_all(&serde_json::to_vec(known)?)?;
            file.sync_all()?;
            fs::rename(next, &self.file)
        };
        if let Err(error) = write() {
            tracing::warn!("who pushed last is forgotten at the next start, because `{}` cannot be written: {error}", self.file.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(by: &str) -> PushRecord {
        PushRecord { by: by.into(), replaces: None }
    }

    #[test]
    fn a_push_is_remembered_until_the_branch_has_moved_on() {
        let data = tempfile::tempdir().unwrap();
        let commit = |name: usize| Revision(name.to_string());
        let before = Pushes::in_data(data.path());
        before.expect(commit(1), record("ann"));
        before.expect(commit(2), record("ben"));
        before.expect(commit(2), record("cyd"));
        // Read by a node that then ends without having recorded it.
        assert_eq!(before.arrived(&commit(1)), Some(record("ann")));
        let after = Pushes::in_data(data.path());
        assert_eq!(after.arrived(&commit(1)), Some(record("ann")));
        assert_eq!(after.arrived(&commit(2)), Some(record("cyd")));
        assert_eq!(after.arrived(&commit(1)), None, "whoever moves the branch back past the gate is not known");
        for number in 10..200 {
            after.expect(commit(number), record("dan"));
        }
        let last = Pushes::in_data(data.path());
        let count = last.known.lock().unwrap().len();
        assert_eq!((count, last.arrived(&commit(199))), (MAX_PUSHES, Some(record("dan"))));
        fs::write(data.path().join("pushes.json"), "{").unwrap();
        assert_eq!(Pushes::in_data(data.path()).arrived(&commit(199)), None);
    }
}
