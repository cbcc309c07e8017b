//! Makes a commit in memory: the new contents, the folders above them, and the commit.

use std::collections::BTreeMap;

use git2::{ObjectType, Odb, Oid, Signature, Time};

use super::{CommitTarget, objects::NewObject};
use crate::source::{
    edit::Edit,
    git::{mode::FOLDER, objects::Objects, reader::Reader},
};

/// Keeps a folder in git that has nothing else in it.
const KEEP: &str = ".gitkeep";
const NEW_FILE: i32 = 0o100_644;
/// A backend of objects in memory comes before those on the disk.
const BEFORE_DISK: i32 = 1000;

/// Makes a commit in memory, and returns its name and everything that is new.
pub(super) fn build(
    reader: &Reader,
    target: &CommitTarget<'_>,
    edit: &Edit,
    base: Option<&str>,
    modes: &BTreeMap<String, i32>,
    is_emptied: bool,
    now_s: i64,
) -> Result<(String, Vec<NewObject>), git2::Error> {
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

/// The new mode and blob of a file, or nothing if it is removed.
type Change = Option<(i32, Oid)>;

struct Builder<'a> {
    objects: &'a Objects,
    database: &'a Odb<'a>,
    made: Vec<NewObject>,
}

impl Builder<'_> {
    fn keep(&mut self, kind: ObjectType, content: &[u8]) -> Result<Oid, git2::Error> {
        let id = self.database.write(kind, content)?;
        self.made.push(NewObject { id, kind, content: content.into() });
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
        self.made.push(NewObject { id, kind: ObjectType::Tree, content });
        Ok(Some(id))
    }
}
