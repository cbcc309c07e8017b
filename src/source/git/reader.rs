//! Reads the functions of a commit straight from the object database. Only objects are opened this way, no settings and no hooks of the
//! repository, so it does not matter whose it is.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use git2::{ObjectType, Odb, Oid, Repository as Objects};

use super::RepositoryError;
use crate::{
    deployment::{Commit, Snapshot},
    function::{Content, Diagnostic, FilePath, Revision, Tree, route::stray::stray},
    source::names::{MAX_DEPTH, MAX_ENTRIES, is_function_file, is_skipped},
};

/// What git says of an entry that is a folder, and of one that is a symbolic link.
pub(super) const FOLDER: i32 = 0o040_000;
const LINK: i32 = 0o120_000;

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
        let unreadable = |source| RepositoryError::Unreadable { path: self.repository.clone(), source };
        let objects = self.objects(quarantine).map_err(unreadable)?;
        let commit = Oid::from_str(commit).and_then(|id| objects.find_commit(id)).map_err(unreadable)?;
        let mut walk =
            Walk { reader: self, objects: &objects, files: Files::default(), strays: Vec::new(), seen: HashMap::new(), entries: 0 };
        walk.root(&commit.tree().map_err(unreadable)?).map_err(unreadable)?;
        if walk.entries > MAX_ENTRIES {
            // It is refused, and not worth checking.
            walk.files.tree.clear();
            walk.seen.clear();
        }
        let Walk { files: Files { tree, mut problems }, strays, seen, .. } = walk;
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
            Ok(commit == other || objects.graph_descendant_of(commit, other)?)
        };
        answer().map_err(|source| RepositoryError::Unreadable { path: self.repository.clone(), source })
    }

    pub(super) fn objects(&self, quarantine: Option<&Path>) -> Result<Objects, git2::Error> {
        let database = Odb::new()?;
        for place in [Some(self.repository.join("objects").as_path()), quarantine].into_iter().flatten() {
            // libgit2 takes paths as UTF-8.
            let place = place.to_str().ok_or_else(|| git2::Error::from_str("the path of the repository is not UTF-8"))?;
            database.add_disk_alternate(place)?;
        }
        Objects::from_odb(database)
    }
}

#[derive(Default)]
struct Files {
    tree: Tree,
    problems: Vec<Diagnostic>,
}

struct Walk<'a> {
    reader: &'a Reader,
    objects: &'a Objects,
    files: Files,
    /// Files that are not read and may be meant as some that are.
    strays: Vec<String>,
    seen: HashMap<Oid, Content>,
    entries: usize,
}

impl Walk<'_> {
    fn root(&mut self, top: &git2::Tree<'_>) -> Result<(), git2::Error> {
        let root = self.reader.root.as_str();
        if root.is_empty() {
            return self.folder(top, "", 0);
        }
        let folder = top.get_path(Path::new(root)).ok().and_then(|entry| entry.to_object(self.objects).ok()?.into_tree().ok());
        match folder {
            Some(folder) => self.folder(&folder, "", 0),
            None => {
                let problem = Diagnostic::error("", format!("the commit has no folder `{root}`"));
                self.files.problems.push(problem.hint("functions belong there; another folder is set as `root` below `[source]`"));
                Ok(())
            }
        }
    }

    fn folder(&mut self, folder: &git2::Tree<'_>, above: &str, depth: usize) -> Result<(), git2::Error> {
        for entry in folder {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                if self.entries == MAX_ENTRIES + 1 {
                    let problem = Diagnostic::error("", format!("the commit has more than {MAX_ENTRIES} files and folders"));
                    self.files.problems.push(problem.hint("keep functions in a repository or a folder (`root`) of their own"));
                }
                return Ok(());
            }
            let name = entry.name_bytes();
            let (mode, os_name) = (entry.filemode(), OsStr::from_bytes(name));
            if is_skipped(os_name) || !(is_function_file(os_name) || mode == FOLDER) {
                let path = std::str::from_utf8(name).ok().map(|name| format!("{above}{name}"));
                self.strays.extend(path.filter(|path| stray(path, |_| false).is_some()));
                continue;
            }
            let path: FilePath = format!("{above}{}", String::from_utf8_lossy(name)).into();
            let problem = |message: String, hint: &str| Diagnostic::error(path.clone(), message).hint(hint);
            if std::str::from_utf8(name).is_err() {
                self.files.problems.push(problem("this name is not UTF-8".into(), "rename it; names become URLs, and those are UTF-8"));
                continue;
            }
            match mode {
                FOLDER if depth == MAX_DEPTH => {
                    let problem = problem(format!("this folder is more than {MAX_DEPTH} folders deep"), "move its files further up");
                    self.files.problems.push(problem);
                }
                FOLDER => self.folder(&self.objects.find_tree(entry.id())?, &format!("{path}/"), depth + 1)?,
                _ if entry.kind() == Some(ObjectType::Blob) && mode != LINK => self.file(path, entry.id())?,
                _ => {
                    let hint = "commit the file itself; links and submodules in a git source are not followed";
                    self.files.problems.push(problem("this is not a file".into(), hint));
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, path: FilePath, blob: Oid) -> Result<(), git2::Error> {
        let known = self.reader.contents.lock().unwrap_or_else(PoisonError::into_inner).get(&blob).cloned();
        let content = match known {
            Some(content) => content,
            None => {
                let (size_bytes, _) = self.objects.odb()?.read_header(blob)?;
                if size_bytes as u64 > self.reader.max_file_bytes {
                    let message = format!("the file has {size_bytes} bytes; the limit is {}", self.reader.max_file_bytes);
                    let hint = "move parts of it into modules that it imports, or raise the limit";
                    self.files.problems.push(Diagnostic::error(path, message).hint(hint));
                    return Ok(());
                }
                Content::new(self.objects.find_blob(blob)?.content())
            }
        };
        self.seen.insert(blob, content.clone());
        self.files.tree.insert(path, content);
        Ok(())
    }
}
