//! Commits that the node makes itself. `git fast-import` writes the objects, and the branch moves only if it is still where it was: a push
//! that comes at the same time is never lost. Hooks do not run; whoever calls this has checked what they would check.

use std::{collections::BTreeMap, path::Path};

use git2::{ErrorCode, Oid};

use super::{
    GitError, Repository, Settings,
    program::{LOCAL, feed, git},
    reader::{FOLDER, Reader},
};
use crate::{
    function::Revision,
    source::edit::{Edit, EditError},
};

/// Where a new commit stands until the branch moves there.
const SCRATCH: &str = "refs/picloud/upload";
/// Keeps a folder in git that has nothing else in it.
const KEEP: &str = ".gitkeep";
const NEW_FILE: i32 = 0o100_644;
/// What git says of a file that is none of ours to replace: a symbolic link, a submodule.
const OTHERS: [i32; 2] = [0o120_000, 0o160_000];
/// What git says when a reference is elsewhere, or when somebody is moving one just now.
const MOVED: [&str; 3] = ["cannot lock ref", "reference already exists", ".lock'"];
/// No commit.
const NONE: &str = "0000000000000000000000000000000000000000";

/// Where commits go.
pub(super) struct Place<'a> {
    pub repository: &'a Path,
    pub branch: &'a str,
    /// The folder of functions; empty: all of it.
    pub root: &'a str,
}

impl Place<'_> {
    /// Returns the path of a function file in the repository.
    pub fn in_repository(&self, path: &str) -> String {
        if self.root.is_empty() { path.into() } else { format!("{}/{path}", self.root) }
    }
}

/// Returns why the node makes no commits in a repository, if it does not.
pub(super) fn forbidden(settings: &Settings) -> Option<String> {
    match &settings.repository {
        Repository::Remote(_) => Some(format!(
            "the functions come from a repository elsewhere ({settings}), and are changed there: push to it, and this node follows"
        )),
        Repository::Hosted | Repository::Bare(_) if settings.allowed_signers.is_some() => {
            Some("only signed commits go live (`require_signed`), and the node signs none: push a commit that you have signed".into())
        }
        Repository::Hosted | Repository::Bare(_) => None,
    }
}

/// Returns the commit that a change was made for; none if there is none yet.
pub(super) fn base(edit: &Edit) -> Option<&str> {
    Oid::from_str(&edit.base.0).is_ok().then_some(&*edit.base.0).filter(|base| base.len() == NONE.len())
}

/// Returns the modes of the files that there are at these paths. What is neither file nor folder, there or on the way, is in the way.
pub(super) fn modes(reader: &Reader, base: Option<&str>, paths: Vec<String>) -> Result<BTreeMap<String, i32>, EditError> {
    let mut modes = BTreeMap::new();
    let Some(base) = base else { return Ok(modes) };
    let failed = |error: git2::Error| EditError::Failed { path: base.into(), why: error.message().into() };
    let objects = reader.objects(None).map_err(failed)?;
    let top = Oid::from_str(base).and_then(|id| objects.find_commit(id)?.tree()).map_err(failed)?;
    for path in paths {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let mode = match top.get_path(Path::new(&path[..end])) {
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

/// Makes a commit and moves the branch there, if it still is at the commit that the change was made for.
pub(super) async fn make(
    place: &Place<'_>,
    edit: &Edit,
    modes: &BTreeMap<String, i32>,
    is_emptied: bool,
    now_s: i64,
) -> Result<Revision, EditError> {
    let failed = |error: GitError| EditError::Failed { path: place.repository.display().to_string(), why: error.to_string() };
    // Loose objects are not kept safe from a power cut by themselves, and the branch is.
    let mut import = git(place.repository, &[("core.fsync", "committed,loose-object")]);
    import.args(["fast-import", "--quiet", "--force", "--done", "--date-format=raw"]);
    let stream = stream(place, edit, modes, is_emptied, now_s);
    let said = feed(import, Some(&stream), LOCAL).await.map_err(failed)?;
    let commit = String::from_utf8_lossy(&said).trim().to_owned();
    if Oid::from_str(&commit).is_err() {
        return Err(EditError::Failed { path: place.repository.display().to_string(), why: "git named no commit".into() });
    }
    let mut moved = git(place.repository, &[]);
    moved.args(["update-ref", "--stdin"]);
    let (branch, base) = (place.branch, base(edit).unwrap_or(NONE));
    let transaction = format!("update refs/heads/{branch} {commit} {base}\ndelete {SCRATCH}\n");
    match feed(moved, Some(transaction.as_bytes()), LOCAL).await {
        Ok(_) => Ok(Revision(commit)),
        // It is elsewhere, or somebody is moving it just now.
        Err(GitError::Failed { said, .. }) if MOVED.iter().any(|sign| said.contains(sign)) => {
            tracing::debug!("a commit was not taken: {said}");
            Err(EditError::Moved)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Writes a commit as `git fast-import` reads it.
fn stream(place: &Place<'_>, edit: &Edit, modes: &BTreeMap<String, i32>, is_emptied: bool, now_s: i64) -> Vec<u8> {
    let Edit { author, message, .. } = edit;
    let mut stream = Vec::new();
    let mut line = |text: String, data: Option<&[u8]>| {
        stream.extend_from_slice(text.as_bytes());
        stream.push(b'\n');
        if let Some(data) = data {
            stream.extend_from_slice(format!("data {}\n", data.len()).as_bytes());
            stream.extend_from_slice(data);
            stream.push(b'\n');
        }
    };
    line(format!("commit {SCRATCH}\nmark :1"), None);
    line(format!("author {author} <{author}@picloud> {now_s} +0000"), None);
    line(format!("committer {author} <{author}@picloud> {now_s} +0000"), Some(format!("{message}\n").as_bytes()));
    if let Some(base) = base(edit) {
        line(format!("from {base}"), None);
    }
    // Deletions first: a folder may take the place of a file.
    for path in edit.files.iter().filter(|(_, file)| file.after.is_none()).map(|(path, _)| place.in_repository(path)) {
        line(format!("D {}", quoted(&path)), None);
    }
    for (path, file) in &edit.files {
        let Some(content) = &file.after else { continue };
        let path = place.in_repository(path);
        let mode = modes.get(&path).copied().unwrap_or(NEW_FILE);
        line(format!("M {mode:o} inline {}", quoted(&path)), Some(&content.bytes));
    }
    if is_emptied && !place.root.is_empty() {
        line(format!("M {NEW_FILE:o} inline {}", quoted(&place.in_repository(KEEP))), Some(b""));
    }
    line("get-mark :1\ndone".into(), None);
    stream
}

/// Writes a path so that nothing in it means anything.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n"))
}
