//! Goes through the folders of a commit, and takes what is a function file.

use std::{collections::HashMap, ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path, sync::PoisonError};

use git2::{ObjectType, Oid};

use super::Reader;
use crate::{
    function::{Content, Diagnostic, FilePath, Tree, diagnostic::near_miss, role::is_source_file, route::stray::stray},
    source::{
        git::{
            left_out,
            mode::{FOLDER, LINK, SUBMODULE},
            objects::Objects,
        },
        names::{MAX_DEPTH, MAX_ENTRIES, is_skipped},
    },
};

/// The longest path that a link can hold, in bytes.
const MAX_LINK: u64 = 4096;

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

/// Goes through the functions folder of a commit.
pub(super) struct Walk<'a> {
    reader: &'a Reader,
    objects: &'a Objects,
    /// The folder of everything, for links.
    top: &'a git2::Tree<'a>,
    /// The function files.
    pub tree: Tree,
    /// What is wrong with entries.
    pub problems: Vec<Diagnostic>,
    /// Files that are not read and may be meant as some that are.
    pub strays: Vec<String>,
    /// The contents of the function files, by blob.
    pub seen: HashMap<Oid, Content>,
    /// Files and folders that were met.
    pub entries: usize,
}

impl<'a> Walk<'a> {
    /// Has met nothing yet.
    pub fn new(reader: &'a Reader, objects: &'a Objects, top: &'a git2::Tree<'a>) -> Self {
        Self { reader, objects, top, tree: Tree::new(), problems: Vec::new(), strays: Vec::new(), seen: HashMap::new(), entries: 0 }
    }

    /// Goes through all of it.
    pub fn root(&mut self) -> Result<(), git2::Error> {
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
            self.problems.push(match why {
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
                    self.problems.push(problem.hint("keep functions in a repository or a folder (`root`) of their own"));
                }
                return Ok(());
            }
            let name = entry.name_bytes();
            let (mode, os_name) = (entry.filemode(), OsStr::from_bytes(name));
            let path: FilePath = format!("{above}{}", String::from_utf8_lossy(name)).into();
            let is_read = is_source_file(&path) || mode == FOLDER;
            if is_skipped(os_name) || !is_read {
                let path = std::str::from_utf8(name).ok().map(|name| format!("{above}{name}"));
                self.strays.extend(path.filter(|path| stray(path, |_| false).is_some()));
            }
            if is_skipped(os_name) {
                continue;
            }
            if !is_read {
                if mode == SUBMODULE || (mode == LINK && self.leads_to_folder(above, entry.id())?) {
                    self.problems.push(left_out::warning(path, mode));
                }
                continue;
            }
            let problem = |message: String, hint: &str| Diagnostic::error(path.clone(), message).hint(hint);
            if std::str::from_utf8(name).is_err() {
                self.problems.push(problem("this name is not UTF-8".into(), "rename it; names become URLs, and those are UTF-8"));
                continue;
            }
            match mode {
                FOLDER if depth == MAX_DEPTH => {
                    let problem = problem(format!("this folder is more than {MAX_DEPTH} folders deep"), "move its files further up");
                    self.problems.push(problem);
                }
                FOLDER => self.folder(&self.objects.find_tree(entry.id())?, &format!("{path}/"), depth + 1)?,
                _ if entry.kind() == Some(ObjectType::Blob) && mode != LINK => self.file(path, entry.id())?,
                _ => {
                    let hint = "commit the file itself; links and submodules in a git source are not followed";
                    self.problems.push(problem("this is not a file".into(), hint));
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
                    self.problems.push(Diagnostic::error(path, message).hint(hint));
                    return Ok(());
                }
                Content::new(self.objects.find_blob(blob, self.reader.max_file_bytes)?.content())
            }
        };
        self.seen.insert(blob, content.clone());
        self.tree.insert(path, content);
        Ok(())
    }
}
