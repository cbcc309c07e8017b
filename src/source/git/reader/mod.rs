//! Reads the functions of a commit straight from the object database. Only objects are opened this way, no settings and no hooks of the
//! repository, so it does not matter whose it is.

mod walk;

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use git2::{ErrorClass, ErrorCode, ObjectType, Odb, OdbLookupFlags, Oid};

use self::walk::Walk;
use super::{denied, error::RepositoryError, objects::Objects, plain, refs::Head};
use crate::{
    deployment::{Commit, Snapshot},
    function::{Content, Revision, route::stray::stray},
    source::names::MAX_ENTRIES,
};

/// Why a branch cannot point to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadProblem {
    /// It is an annotated tag of this name.
    Tag(String),
    /// It is a file or a folder.
    NoCommit(&'static str),
    /// Commits are missing that its history begins with.
    Shallow,
}

/// Reads commits of one repository.
pub struct Reader {
    repository: PathBuf,
    /// The folder of functions; empty: all of it.
    root: String,
    max_file_bytes: u64,
    /// What was read lately, by blob: of ten thousand files a push changes one.
    contents: Mutex<HashMap<Oid, Content>>,
}

impl Reader {
    /// Makes a reader that has read nothing.
    pub fn new(repository: PathBuf, root: String, max_file_bytes: u64) -> Self {
        Self { repository, root, max_file_bytes, contents: Mutex::default() }
    }

    /// Reads a commit. What a push has brought and git has not yet accepted lies in `quarantine`. This reads files: call it where it may block.
    pub fn read(&self, commit: &str, quarantine: Option<&Path>) -> Result<Snapshot, RepositoryError> {
        let unreadable = |error| self.unreadable(error, quarantine);
        let objects = self.objects(quarantine).map_err(unreadable)?;
        let commit = Oid::from_str(commit).and_then(|id| objects.find_commit(id)).map_err(unreadable)?;
        let top = objects.top(&commit).map_err(unreadable)?;
        let mut walk = Walk::new(self, &objects, &top);
        walk.root().map_err(unreadable)?;
        if walk.entries > MAX_ENTRIES {
            // It is refused, and not worth checking.
            walk.tree.clear();
            walk.seen.clear();
        }
        let Walk { tree, mut problems, strays, seen, .. } = walk;
        problems.extend(strays.iter().filter_map(|path| stray(path, |other| tree.contains_key(other))));
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.extend(seen);
        if contents.len() > 2 * tree.len() + 1_000 {
            let used: HashSet<_> = tree.values().map(|content| content.digest).collect();
            contents.retain(|_, content| used.contains(&content.digest));
        }
        let author = commit.author();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = Commit {
            author: format!("{} <{}>", text(author.name_bytes()), text(author.email_bytes())),
            subject: text(commit.message_bytes().split(|byte| *byte == b'\n').next().unwrap_or_default()),
            time_us: commit.time().seconds().saturating_mul(1_000_000),
            pushed_by: None,
            replaces: None,
        };
        Ok(Snapshot { revision: Revision(commit.id().to_string()), tree, unsettled: Vec::new(), problems, commit: Some(said) })
    }

    /// Returns whether a commit contains another.
    pub fn contains(&self, commit: &str, other: &str, quarantine: Option<&Path>) -> Result<bool, RepositoryError> {
        let answer = || {
            let objects = self.objects(quarantine)?;
            let (commit, other) = (Oid::from_str(commit)?, Oid::from_str(other)?);
            objects.contains(commit, other)
        };
        answer().map_err(|error| self.unreadable(error, quarantine))
    }

    /// Returns why a branch cannot point to something that a push has brought, if it cannot.
    pub fn head_problem(&self, id: &str, quarantine: Option<&Path>) -> Result<Option<HeadProblem>, RepositoryError> {
        let answer = || {
            let (objects, id) = (self.objects(quarantine)?, Oid::from_str(id)?);
            Ok(match objects.odb()?.read_header(id)?.1 {
                ObjectType::Commit => self.is_shallow(&objects, id, quarantine)?.then_some(HeadProblem::Shallow),
                ObjectType::Tag => Some(HeadProblem::Tag(String::from_utf8_lossy(objects.find_tag(id)?.name_bytes()).into_owned())),
                kind => Some(HeadProblem::NoCommit(kind.str())),
            })
        };
        answer().map_err(|error| self.unreadable(error, quarantine))
    }

    /// Returns whether commits are missing that lead from this one to what the repository has had before.
    fn is_shallow(&self, objects: &Objects, commit: Oid, quarantine: Option<&Path>) -> Result<bool, git2::Error> {
        if quarantine.is_none() {
            return Ok(false);
        }
        let (before, now) = (self.objects(None)?, objects.odb()?);
        let before = before.odb()?;
        let (mut next, mut seen) = (vec![commit], HashSet::from([commit]));
        while let Some(id) = next.pop() {
            if before.exists_ext(id, OdbLookupFlags::NO_REFRESH) {
                continue;
            }
            if !now.exists_ext(id, OdbLookupFlags::NO_REFRESH) {
                return Ok(true);
            }
            next.extend(objects.find_commit(id)?.parent_ids().filter(|parent| seen.insert(*parent)));
        }
        Ok(false)
    }

    /// Returns the signature that a commit holds, if it is signed.
    pub fn signature(&self, commit: &str, quarantine: Option<&Path>) -> Result<Option<Vec<u8>>, RepositoryError> {
        let answer = || match self.objects(quarantine)?.signature(Oid::from_str(commit)?) {
            Ok(signature) => Ok(Some(signature)),
            Err(error) if error.code() == ErrorCode::NotFound && error.class() != ErrorClass::Odb => Ok(None),
            Err(error) => Err(error),
        };
        answer().map_err(|error| self.unreadable(error, quarantine))
    }

    /// Puts those first that were committed to last. Those that cannot be read come last.
    pub fn sort_by_time(&self, heads: &mut [Head], quarantine: Option<&Path>) -> Result<(), RepositoryError> {
        let objects = self.objects(quarantine).map_err(|error| self.unreadable(error, quarantine))?;
        let time = |head: &Head| Some(objects.find_commit(Oid::from_str(&head.commit).ok()?).ok()?.time().seconds());
        heads.sort_by_cached_key(|head| Reverse(time(head)));
        Ok(())
    }

    /// Returns the folders that objects are in: the repository's, and that of what a push has brought.
    pub fn folders(&self, quarantine: Option<&Path>) -> Vec<PathBuf> {
        [Some(self.repository.join("objects").as_path()), quarantine].into_iter().flatten().map(Path::to_owned).collect()
    }

    /// Says why objects cannot be read: of what this process may not read, libgit2 says that it is not there, or not what.
    pub(super) fn unreadable(&self, error: git2::Error, quarantine: Option<&Path>) -> RepositoryError {
        denied::in_objects(&self.repository, quarantine, error)
    }

    pub(super) fn objects(&self, quarantine: Option<&Path>) -> Result<Objects, git2::Error> {
        let database = Odb::new()?;
        for place in self.folders(quarantine) {
            plain::must_hold_its_own(&place).map_err(|error| {
                let class = if error.kind() == ErrorKind::PermissionDenied { ErrorClass::Os } else { ErrorClass::None };
                git2::Error::new(ErrorCode::GenericError, class, error.to_string())
            })?;
            // libgit2 takes paths as UTF-8.
            let place = place.to_str().ok_or_else(|| git2::Error::from_str("the path of the repository is not UTF-8"))?;
            database.add_disk_alternate(place)?;
        }
        Objects::of(database)
    }
}
