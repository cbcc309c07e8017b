//! The fence between this node and a database that another node may have.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::store::error::Unavailable;

/// Takes the advisory lock of this database and schema, and returns the number of the session that has it then.
///
/// The key of the lock is `picl` as a number (1885954924), and the hash of the schema's name.
pub(in crate::store) const TRY_LOCK: &str =
    "SELECT CASE WHEN pg_try_advisory_lock(1885954924, hashtext(current_schema())) THEN pg_backend_pid() END";

/// The sessions that have this lock.
pub(in crate::store) const HOLDERS: &str = "
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND CAST(classid AS bigint) = 1885954924
        AND CAST(objid AS bigint) = CAST(hashtext(current_schema()) AS bigint) & 4294967295";

/// Keeps a node from writing while it does not hold the lease. Readers, and commands on Postgres, have a fence that is always open.
///
/// The lease sets its state; each write asks it.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Fence(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The other node that has the database, as far as this node knows.
    other: Option<String>,
    /// Postgres' number of the session that holds this node's lock. Each transaction asks whether it still does.
    session: Option<i32>,
    /// Why that session has ended, until there is a new one.
    broken: Option<String>,
    /// The file that was opened: its path, device and inode.
    file: Option<(PathBuf, (u64, u64))>,
}

impl Fence {
    /// Closes the fence: another node has the database.
    pub(in crate::store) fn lost_to(&self, other: String) {
        self.state().other = Some(other);
    }

    /// Opens the fence: this session has the lock.
    pub(in crate::store) fn held_by(&self, session: i32) {
        let mut state = self.state();
        (state.other, state.broken) = (None, None);
        state.session = Some(session);
    }

    /// Closes the fence: the session that had the lock has ended, and there is no new one yet.
    pub(in crate::store) fn broken(&self, why: String) {
        self.state().broken = Some(why);
    }

    /// Allows writes only to the file that this path leads to now.
    pub(in crate::store) fn bind(&self, path: &Path) {
        self.state().file = path.metadata().ok().map(|file| (path.into(), inode(&file)));
    }

    /// Refuses a transaction of Postgres that goes on to ask the [`question`](Self::question), or a statement of SQLite.
    pub(super) fn check(&self) -> sqlx::Result<()> {
        let state = self.state();
        if let Some(other) = &state.other {
            return Err(Unavailable::OtherNode(other.clone()).into());
        }
        match &state.file {
            Some((path, opened)) if !path.metadata().is_ok_and(|file| inode(&file) == *opened) => {
                Err(Unavailable::FileGone(path.clone()).into())
            }
            _ => Ok(()),
        }
    }

    /// Refuses a statement that does not ask the question, also while the session of the lock is known to be broken.
    pub(super) fn check_session(&self) -> sqlx::Result<()> {
        self.check()?;
        match &self.state().broken {
            Some(why) => Err(Unavailable::NotHeld(why.clone()).into()),
            None => Ok(()),
        }
    }

    /// Returns a statement that asks whether the session still holds the lock.
    pub(super) fn question(&self) -> Option<String> {
        self.state().session.map(|session| format!("SELECT EXISTS (SELECT 1 FROM ({HOLDERS}) AS holders WHERE pid = {session})"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
