//! Makes the node's own commits, without git. Objects are written as files. The branch moves only if it is still where it was, so a push at
//! the same time is never lost. Hooks do not run: the caller has checked what they would check.

mod build;
mod objects;

use std::{collections::BTreeMap, io, path::Path};

use git2::{ErrorCode, Oid};

use self::build::build;
use super::{
    denied,
    error::RepositoryError,
    mode::{FOLDER, LINK, SUBMODULE},
    reader::Reader,
    refs::update::{MoveError, move_branch},
    settings::{GitSettings, Repository},
};
use crate::{
    function::Revision,
    source::edit::{Edit, EditError},
};

/// Modes of entries that the node does not replace.
const OTHERS: [i32; 2] = [LINK, SUBMODULE];

/// The branch and the folder that commits go to.
pub(super) struct CommitTarget<'a> {
    pub repository: &'a Path,
    pub branch: &'a str,
    /// The folder of functions; empty: all of it.
    pub root: &'a str,
}

impl CommitTarget<'_> {
    /// Returns the path of a function file in the repository.
    pub fn in_repository(&self, path: &str) -> String {
        if self.root.is_empty() { path.into() } else { format!("{}/{path}", self.root) }
    }
}

/// Returns why the node makes no commits in a repository, if it does not.
pub(super) fn forbidden(settings: &GitSettings) -> Option<String> {
    match &settings.repository {
        Repository::Remote(_) => Some(format!(
            "the functions come from a repository elsewhere ({settings}), and are changed there\n  hint: push to it, and this node follows"
        )),
        Repository::Hosted | Repository::Bare(_) if settings.allowed_signers.is_some() => Some(
            "only signed commits go live (`require_signed`), and the node signs none\n  hint: push a commit that you have signed".into(),
        ),
        Repository::Hosted | Repository::Bare(_) => None,
    }
}

/// Returns the commit that a change was made for; none if there is none yet.
pub(super) fn base(edit: &Edit) -> Option<&str> {
    Oid::from_str(&edit.base.0).is_ok().then_some(&*edit.base.0).filter(|base| base.len() == 40)
}

/// Returns the modes of the files that there are at these paths. What is neither file nor folder, there or on the way, is in the way.
pub(super) fn modes(reader: &Reader, base: Option<&str>, paths: Vec<String>) -> Result<BTreeMap<String, i32>, EditError> {
    let mut modes = BTreeMap::new();
    let Some(base) = base else { return Ok(modes) };
    let failed = |error| EditError::Failed { path: base.into(), why: said(reader, error) };
    let objects = reader.objects(None).map_err(failed)?;
    let top = Oid::from_str(base).and_then(|id| objects.top(&objects.find_commit(id)?)).map_err(failed)?;
    for path in paths {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let mode = match objects.entry(&top, Path::new(&path[..end])) {
                Ok(entry) => entry.filemode(),
                Err(error) if error.code() == ErrorCode::NotFound => break,
                Err(error) => return Err(failed(error)),
            };
            let is_file = end == path.len();
            let why = match mode {
                FOLDER if is_file => Some("it is a folder"),
                mode if OTHERS.contains(&mode) => Some("it is a link, or a repository of its own"),
                mode if mode != FOLDER && !is_file => Some("it is a file"),
                _ => None,
            };
            if let Some(why) = why {
                return Err(EditError::InTheWay { path: path[..end].into(), why });
            }
            if is_file {
                modes.insert(path.clone(), mode);
            }
        }
    }
    Ok(modes)
}

/// Makes a commit and moves the branch there, if it still is at the commit that the change was made for. This writes files: call it where it
/// may block.
pub(super) fn make(
    reader: &Reader,
    target: &CommitTarget<'_>,
    edit: &Edit,
    modes: &BTreeMap<String, i32>,
    is_emptied: bool,
    now_s: i64,
) -> Result<Revision, EditError> {
    let path = target.repository.display().to_string();
    let failed = |why: String| EditError::Failed { path: path.clone(), why };
    let refused = |error: io::Error| match denied::in_writing(target.repository, target.branch, &error) {
        Some(denied) => failed(denied.to_string()),
        None => EditError::refused(&path, "the repository", &error),
    };
    let base = base(edit);
    let (commit, new_objects) = build(reader, target, edit, base, modes, is_emptied, now_s).map_err(|error| failed(said(reader, error)))?;
    objects::write(target.repository, &new_objects).map_err(refused)?;
    match move_branch(target.repository, target.branch, base, &commit) {
        Ok(()) => Ok(Revision(commit)),
        Err(MoveError::Moved) => Err(EditError::Moved(format!("somebody has pushed to the branch `{}` meanwhile", target.branch))),
        Err(MoveError::InTheWay(other)) => Err(failed(format!("`{other}` is in the way of the branch `{}`", target.branch))),
        Err(MoveError::Io(error)) => Err(refused(error)),
    }
}

fn said(reader: &Reader, error: git2::Error) -> String {
    match reader.unreadable(error, None) {
        RepositoryError::Unreadable { source, .. } => source.message().into(),
        denied => denied.to_string(),
    }
}
