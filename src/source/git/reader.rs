//! Reads the functions of a commit straight from the object database. Only objects are opened this way, no settings and no hooks of the
//! repository, so it does not matter whose it is.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    ffi::OsStr,
    io::ErrorKind,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use git2::{ErrorClass, ErrorCode, ObjectType, Odb, OdbLookupFlags, Oid};

use super::{RepositoryError, denied, left_out, objects::Objects, plain, refs::Head};
use crate::{
    deployment::{Commit, Snapshot},
    function::{Content, Diagnostic, FilePath, Revision, Tree, diagnostic::near_miss, route::stray::stray},
    source::names::{MAX_DEPTH, MAX_ENTRIES, is_function_file, is_skipped},
};

/// What git says of an entry that is a folder, a symbolic link, or a repository of its own.
pub(super) const FOLDER: i32 = 0o040_000;
pub(super) const LINK: i32 = 0o120_000;
pub(super) const SUBMODULE: i32 = 0o160_000;
/// The longest path that a link can hold, in bytes.
const MAX_LINK: u64 = 4096;

/// Why a branch cannot point to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
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
        let mut walk = Walk {
            reader: self,
            objects: &objects,
            top: &top,
            files: Files::default(),
            strays: Vec::new(),
            seen: HashMap::new(),
            entries: 0,
        };
        walk.root().map_err(unreadable)?;
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
            objects.contains(commit, other)
        };
        answer().map_err(|error| self.unreadable(error, quarantine))
    }

    /// Returns why a branch cannot point to something that a push has brought, if it cannot.
    pub fn unfit(&self, id: &str, quarantine: Option<&Path>) -> Result<Option<Unfit>, RepositoryError> {
        let answer = || {
            let (objects, id) = (self.objects(quarantine)?, Oid::from_str(id)?);
            Ok(match objects.odb()?.read_header(id)?.1 {
                ObjectType::Commit => self.is_shallow(&objects, id, quarantine)?.then_some(Unfit::Shallow),
                ObjectType::Tag => Some(Unfit::Tag(String::from_utf8_lossy(objects.find_tag(id)?.name_bytes()).into_owned())),
                kind => Some(Unfit::NoCommit(kind.str())),
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

/// Returns the folder whose name differs least from this one.
fn near_folder(folder: &git2::Tree<'_>, name: &str) -> Option<String> {
    let names: Vec<String> = folder
        .iter()
        .filter(|entry| entry.filemode() == FOLDER)
        .map(|entry| String::from_utf8_lossy(entry.name_bytes()).into_owned())
        .collect();
    let same = names.iter().find(|other| other.eq_ignore_ascii_case(name)).map(String::as_str);
    same.or_else(|| near_miss(name, names.iter().map(String::as_str))).map(str::to_owned)
}

#[derive(Default)]
struct Files {
    tree: Tree,
    problems: Vec<Diagnostic>,
}

struct Walk<'a> {
    reader: &'a Reader,
    objects: &'a Objects,
    /// The folder of everything, for links.
    top: &'a git2::Tree<'a>,
    files: Files,
    /// Files that are not read and may be meant as some that are.
    strays: Vec<String>,
    seen: HashMap<Oid, Content>,
    entries: usize,
}

impl Walk<'_> {
    fn root(&mut self) -> Result<(), git2::Error> {
        let root = self.reader.root.as_str();
        if root.is_empty() {
            return self.folder(self.top, "", 0);
        }
        let mut folder = self.top.clone();
        for name in root.split('/') {
            let entry = folder.get_name(name).map(|entry| (entry.filemode(), entry.id()));
            let why = match entry {
                Some((FOLDER, id)) => {
                    folder = self.objects.find_tree(id)?;
                    continue;
                }
                Some((mode, _)) => Err(left_out::what(mode)),
                None => Ok(near_folder(&folder, name)),
            };
            let problem = Diagnostic::error("", format!("the commit has no folder `{root}`"));
            self.files.problems.push(match why {
                Err(what) => Diagnostic { message: format!("{}: `{name}` is {what}", problem.message), ..problem }
                    .hint("commit the folder itself, with its files"),
                Ok(Some(near)) => problem.hint(format!("did you mean `{near}`? Another folder is set as `root` in the section `[source]`")),
                Ok(None) => problem.hint("functions belong there; another folder is set as `root` in the section `[source]`"),
            });
            return Ok(());
        }
        self.folder(&folder, "", 0)
    }

    /// Returns whether a link leads to a folder of the commit, or out of it.
    fn leads_to_folder(&self, above: &str, link: Oid) -> Result<bool, git2::Error> {
        if self.objects.size(link)? as u64 > MAX_LINK {
            return Ok(false);
        }
        let link = self.objects.find_blob(link, MAX_LINK)?;
        let from = Path::new(&self.reader.root).join(above);
        Ok(match left_out::target(&from, link.content()) {
            None => true,
            Some(target) if target.as_os_str().is_empty() => true,
            Some(target) => self.objects.entry(self.top, &target).is_ok_and(|entry| entry.filemode() == FOLDER),
        })
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
            let is_read = is_function_file(os_name) || mode == FOLDER;
            if is_skipped(os_name) || !is_read {
                let path = std::str::from_utf8(name).ok().map(|name| format!("{above}{name}"));
                self.strays.extend(path.filter(|path| stray(path, |_| false).is_some()));
            }
            if is_skipped(os_name) {
                continue;
            }
            let path: FilePath = format!("{above}{}", String::from_utf8_lossy(name)).into();
            if !is_read {
                if mode == SUBMODULE || (mode == LINK && self.leads_to_folder(above, entry.id())?) {
                    self.files.problems.push(left_out::warning(path, mode));
                }
                continue;
            }
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
                let size_bytes = self.objects.size(blob)?;
                if size_bytes as u64 > self.reader.max_file_bytes {
                    let message = format!("the file has {size_bytes} bytes; the limit is {}", self.reader.max_file_bytes);
                    let hint = "move parts of it into modules that it imports, or raise the limit";
                    self.files.problems.push(Diagnostic::error(path, message).hint(hint));
                    return Ok(());
                }
                Content::new(self.objects.find_blob(blob, self.reader.max_file_bytes)?.content())
            }
        };
        self.seen.insert(blob, content.clone());
        self.files.tree.insert(path, content);
        Ok(())
    }
}
