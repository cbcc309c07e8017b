//! The references of a repository, read and moved as the files that they are. Git is not asked: it would do what the repository's settings
//! say, and others may write those.

#[cfg(test)]
mod tests;
pub mod update;

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::Path,
};

use git2::Reference;
use rustix::fs::FileType;

use super::folder::Folder;

/// The folder of branches.
pub const HEADS: &str = "refs/heads/";
/// The folder of tags.
pub const TAGS: &str = "refs/tags/";
/// The folder of all references.
const ALL: &str = "refs/";
/// A reference is a line; longer than any that is one.
const MAX_BYTES: u64 = 4096;
/// The file of packed references, in bytes: some half a million.
const MAX_PACKED_BYTES: u64 = 64 << 20;
/// References that are looked at, and the deepest folder of them.
const MAX_REFERENCES: usize = 500_000;
const MAX_DEPTH: usize = 64;
/// A symbolic reference leads to another at most so often, as in git.
const MAX_STEPS: usize = 5;
/// The beginning of a symbolic reference.
const SYMBOLIC: &str = "ref: ";
/// The end of the name of a file that locks another, as git locks it.
const LOCK: &str = ".lock";

/// A branch and the commit that it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its name: `main`, `fix/typo`.
    pub branch: String,
    /// 40 hexadecimal digits.
    pub commit: String,
}

/// Returns whether a branch can have this name.
pub fn is_branch(name: &str) -> bool {
    let whole = format!("{HEADS}{name}");
    !name.starts_with('-') && !name.contains('\0') && Reference::is_valid_name(&whole) && taken_for(&whole).is_none()
}

/// Returns the reference that git takes this one for: `refs/heads/main`, if this is `refs/heads/refs/heads/main`. Beside it nobody can push to
/// the other.
pub fn taken_for(name: &str) -> Option<&str> {
    [HEADS, TAGS, ALL].iter().find_map(|above| name.strip_prefix(above).filter(|rest| rest.starts_with(ALL)))
}

/// Returns every branch of a repository, in order of name. Branches that are damaged are left out.
pub fn heads(repository: &Path) -> io::Result<Vec<Head>> {
    let found = read(repository, HEADS)?;
    let head = |name: &String| {
        let (_, commit) = resolve(&found, name)?;
        Some(Head { branch: name.strip_prefix(HEADS)?.into(), commit: commit?.into() })
    };
    Ok(found.keys().filter_map(head).collect())
}

/// Returns the references of a repository that cannot be there together with this one: `a/b` where `a` is, and `a` where `a/b` is.
pub fn in_the_way(repository: &Path, name: &str) -> io::Result<Vec<String>> {
    let folder = name.splitn(3, '/').take(2).map(|part| format!("{part}/")).collect::<String>();
    Ok(read(repository, &folder)?.into_keys().filter(|other| exclude_each_other(other, name)).collect())
}

/// Returns whether one of two references would have to be the folder of the other.
pub fn exclude_each_other(one: &str, other: &str) -> bool {
    let is_inside = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    is_inside(one, other) || is_inside(other, one)
}

/// The content of a reference.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Commit(String),
    Symbolic(String),
    /// Nothing that git writes. It hides what was packed of it.
    Damaged,
}

impl Target {
    fn of(text: &str) -> Self {
        let text = text.trim_end();
        match text.strip_prefix(SYMBOLIC) {
            Some(name) => Self::Symbolic(name.trim().into()),
            None if is_commit(text) => Self::Commit(text.into()),
            None => Self::Damaged,
        }
    }
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) && text.bytes().any(|digit| digit != b'0')
}

/// Follows symbolic references to the last name, and to what it points to, if that is known.
fn resolve<'a>(found: &'a BTreeMap<String, Target>, name: &'a str) -> Option<(&'a str, Option<&'a str>)> {
    let mut name = name;
    for _ in 0..MAX_STEPS {
        match found.get(name) {
            Some(Target::Symbolic(next)) => name = next,
            Some(Target::Commit(commit)) => return Some((name, Some(commit))),
            Some(Target::Damaged) | None => return name.starts_with(HEADS).then_some((name, None)),
        }
    }
    None
}

/// Reads every reference below a folder, which ends in `/`.
fn read(repository: &Path, folder: &str) -> io::Result<BTreeMap<String, Target>> {
    let top = Folder::open(repository)?;
    // A repository that is not there is not one without branches.
    let refs = top.find("refs")?.ok_or(ErrorKind::NotFound)?;
    let mut found = BTreeMap::new();
    // Loose ones first: git packs a reference before it deletes its file.
    let mut start = Some(refs);
    for name in folder.split('/').skip(1).filter(|name| !name.is_empty()) {
        start = start.map(|above| above.find(name)).transpose()?.flatten();
    }
    if let Some(start) = start {
        loose(&start, folder, 0, &mut found)?;
    }
    let packed = top.text("packed-refs", MAX_PACKED_BYTES)?.unwrap_or_default();
    for line in packed.lines() {
        let Some((commit, name)) = line.split_once(' ') else { continue };
        if name.starts_with(folder) && is_commit(commit) && found.len() < MAX_REFERENCES {
            found.entry(name.to_owned()).or_insert_with(|| Target::Commit(commit.into()));
        }
    }
    Ok(found)
}

fn loose(folder: &Folder, path: &str, depth: usize, found: &mut BTreeMap<String, Target>) -> io::Result<()> {
    for (file, kind) in folder.entries()? {
        let name = format!("{path}{file}");
        if name.ends_with(LOCK) || found.len() >= MAX_REFERENCES {
            continue;
        }
        if kind == FileType::Directory && depth < MAX_DEPTH {
            if let Some(below) = folder.find(&file)? {
                loose(&below, &format!("{name}/"), depth + 1, found)?;
            }
        } else if kind == FileType::RegularFile
            && let Some(text) = folder.text(&file, MAX_BYTES)?
        {
            found.insert(name, Target::of(&text));
        }
    }
    Ok(())
}
