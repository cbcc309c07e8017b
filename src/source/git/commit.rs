//! Makes the node's own commits, without git. Objects are written as files. The branch moves only if it is still where it was, so a push at
//! the same time is never lost. Hooks do not run: the caller has checked what they would check.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind, Write as _},
    path::Path,
};

use flate2::{Compression, write::ZlibEncoder};
use git2::{ErrorCode, ObjectType, Odb, Oid, Signature, Time};

use super::{
    error::RepositoryError,
    folder::Folder,
    mode::{FOLDER, LINK, SUBMODULE},
    objects::Objects,
    reader::Reader,
    refs::update::{MoveError, move_branch},
    settings::{GitSettings, Repository},
};
use crate::{
    function::Revision,
    source::edit::{Edit, EditError},
};

/// Keeps a folder in git that has nothing else in it.
const KEEP: &str = ".gitkeep";
const NEW_FILE: i32 = 0o100_644;
/// What is none of ours to retarget.
const OTHERS: [i32; 2] = [LINK, SUBMODULE];
/// A backend of objects in memory comes before those on the disk.
const BEFORE_DISK: i32 = 1000;

/// Where commits go.
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
    let failed = |why: String| EditError::Failed { path: target.repository.display().to_string(), why };
    let base = base(edit);
    let (commit, made) = build(reader, target, edit, base, modes, is_emptied, now_s).map_err(|error| failed(said(reader, error)))?;
    write(target.repository, &made).map_err(|error| failed(error.to_string()))?;
    match move_branch(target.repository, target.branch, base, &commit) {
        Ok(()) => Ok(Revision(commit)),
        Err(MoveError::Moved) => Err(EditError::Moved(format!("somebody has pushed to the branch `{}` meanwhile", target.branch))),
        Err(MoveError::InTheWay(other)) => Err(failed(format!("`{other}` is in the way of the branch `{}`", target.branch))),
        Err(MoveError::Io(error)) => Err(failed(error.to_string())),
    }
}

fn said(reader: &Reader, error: git2::Error) -> String {
    match reader.unreadable(error, None) {
        RepositoryError::Unreadable { source, .. } => source.message().into(),
        denied => denied.to_string(),
    }
}

/// An object as it is named, and what it holds.
struct Made {
    id: Oid,
    kind: ObjectType,
    content: Vec<u8>,
}

/// Makes a commit in memory, and returns its name and everything that is new.
fn build(
    reader: &Reader,
    target: &CommitTarget<'_>,
    edit: &Edit,
    base: Option<&str>,
    modes: &BTreeMap<String, i32>,
    is_emptied: bool,
    now_s: i64,
) -> Result<(String, Vec<Made>), git2::Error> {
    let objects = reader.objects(None)?;
    let database = objects.odb()?;
    let _memory = database.add_new_mempack_backend(BEFORE_DISK)?;
    let mut builder = Builder { objects: &objects, database: &database, made: Vec::new() };
    let parent = base.map(|base| objects.find_commit(Oid::from_str(base)?)).transpose()?;
    let mut changes = BTreeMap::new();
    for (path, file) in &edit.files {
        let path = target.in_repository(path);
        let change = match &file.after {
            Some(content) => {
                let mode = modes.get(&path).copied().unwrap_or(NEW_FILE);
                Some((mode, builder.keep(ObjectType::Blob, &content.bytes)?))
            }
            None => None,
        };
        changes.insert(path, change);
    }
    if is_emptied && !target.root.is_empty() {
        changes.insert(target.in_repository(KEEP), Some((NEW_FILE, builder.keep(ObjectType::Blob, b"")?)));
    }
    let top = parent.as_ref().map(|parent| objects.top(parent)).transpose()?;
    let changes = changes.iter().map(|(path, change)| (path.as_str(), *change)).collect();
    let tree = builder.folder(top.as_ref(), changes)?.map_or_else(|| builder.keep(ObjectType::Tree, b""), Ok)?;
    let tree = objects.find_tree(tree)?;
    let author = Signature::new(&edit.author, &format!("{}@picloud", edit.author), &Time::new(now_s, 0))?;
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    let commit = objects.commit_text(&author, &format!("{}\n", edit.message), &tree, &parents)?;
    let commit = builder.keep(ObjectType::Commit, &commit)?;
    Ok((commit.to_string(), builder.made))
}

/// What becomes of a file: its mode and its blob, or nothing if it goes.
type Change = Option<(i32, Oid)>;

struct Builder<'a> {
    objects: &'a Objects,
    database: &'a Odb<'a>,
    made: Vec<Made>,
}

impl Builder<'_> {
    fn keep(&mut self, kind: ObjectType, content: &[u8]) -> Result<Oid, git2::Error> {
        let id = self.database.write(kind, content)?;
        self.made.push(Made { id, kind, content: content.into() });
        Ok(id)
    }

    /// Returns the folder as it is with these changes, by path below it; nothing if nothing is left in it.
    fn folder(&mut self, before: Option<&git2::Tree<'_>>, changes: BTreeMap<&str, Change>) -> Result<Option<Oid>, git2::Error> {
        let mut folder = self.objects.treebuilder(before)?;
        let mut below: BTreeMap<&str, BTreeMap<&str, Change>> = BTreeMap::new();
        let mut files = Vec::new();
        for (path, change) in changes {
            match (path.split_once('/'), change) {
                (Some((name, rest)), _) => drop(below.entry(name).or_default().insert(rest, change)),
                // Deletions first: a folder may take the place of a file.
                (None, None) if folder.get(path)?.is_some() => folder.remove(path)?,
                (None, None) => {}
                (None, Some(file)) => files.push((path, file)),
            }
        }
        for (name, changes) in below {
            let inner = match folder.get(name)? {
                Some(entry) if entry.filemode() == FOLDER => Some(self.objects.find_tree(entry.id())?),
                _ => None,
            };
            match self.folder(inner.as_ref(), changes)? {
                Some(inner) => drop(folder.insert(name, inner, FOLDER)?),
                None if folder.get(name)?.is_some() => folder.remove(name)?,
                None => {}
            }
        }
        for (name, (mode, blob)) in files {
            folder.insert(name, blob, mode)?;
        }
        if folder.is_empty() {
            return Ok(None);
        }
        let id = folder.write()?;
        let content = self.database.read(id)?.data().to_vec();
        self.made.push(Made { id, kind: ObjectType::Tree, content });
        Ok(Some(id))
    }
}

/// Writes objects as git writes single ones. They have their names only when their contents are on the disk.
fn write(repository: &Path, made: &[Made]) -> io::Result<()> {
    let objects = Folder::open(repository)?.enter("objects")?;
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    let mut written = BTreeSet::new();
    for Made { id, kind, content } in made {
        let name = id.to_string();
        let (folder, file) = name.split_at(2);
        if !written.insert(name.clone()) {
            continue;
        }
        if !folders.contains_key(folder) {
            folders.insert(folder.into(), objects.enter(folder)?);
        }
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(format!("{} {}\0", kind.str(), content.len()).as_bytes())?;
        packed.write_all(content)?;
        let (folder, packed, temporary) = (&folders[folder], packed.finish()?, temporary(file));
        match folder.make(&temporary, &packed, false) {
            // Of a node that was killed here.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                folder.remove(&temporary)?;
                folder.make(&temporary, &packed, false)?;
            }
            made => drop(made?),
        }
    }
    objects.sync_all()?;
    for name in written {
        let (folder, file) = name.split_at(2);
        folders[folder].rename(&temporary(file), file)?;
    }
    Ok(())
}

/// A name that git takes for something unfinished, and removes after a while.
fn temporary(file: &str) -> String {
    format!("tmp_obj_picloud_{file}")
}
