//! The references of a repository, read and moved as the files that they are. Git is not asked: it would do what the repository's settings
//! say, and others may write those.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::Path,
};

use git2::Reference;
use rustix::fs::FileType;

use super::beneath::Folder;

/// Where branches are.
pub const HEADS: &str = "refs/heads/";
/// Where tags are.
pub const TAGS: &str = "refs/tags/";
/// Where all of them are.
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
/// What a symbolic reference begins with.
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

/// Why a branch was not moved.
#[derive(Debug)]
pub enum MoveError {
    /// It is elsewhere, or somebody is moving it just now.
    Moved,
    /// Another branch has its name as a folder, or the other way round.
    InTheWay(String),
    /// The system refused.
    Io(io::Error),
}

impl From<io::Error> for MoveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
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

/// Moves a branch to a commit, if it still is where it was (none: not there). Git cannot move it at the same time.
pub fn move_branch(repository: &Path, branch: &str, from: Option<&str>, to: &str) -> Result<(), MoveError> {
    let name = format!("{HEADS}{branch}");
    let before = read(repository, HEADS)?;
    // A branch that is another name of a branch moves that.
    let name = resolve(&before, &name).map_or(name.clone(), |(name, _)| name.to_owned());
    if let Some(other) = in_the_way(repository, &name)?.into_iter().next() {
        return Err(MoveError::InTheWay(other));
    }
    let (folder, file) = name.rsplit_once('/').unwrap_or(("refs", &name));
    let folder = Folder::open(repository)?.enter(folder)?;
    let lock = format!("{file}{LOCK}");
    let written = match folder.make(&lock, format!("{to}\n").as_bytes(), true) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(MoveError::Moved),
        made => made.and_then(|file| file.sync_all()).map_err(MoveError::Io),
    };
    let moved = written.and_then(|()| {
        // Whoever held the lock before may have moved it.
        let now = read(repository, HEADS)?;
        if resolve(&now, &name).and_then(|(_, commit)| commit) != from {
            return Err(MoveError::Moved);
        }
        // Where the branches `a/b` were, an empty folder may be left.
        let _ = folder.remove_folder(file);
        Ok(folder.rename(&lock, file)?)
    });
    if moved.is_err() {
        let _ = folder.remove(&lock);
    }
    moved?;
    Ok(folder.sync()?)
}

/// What a reference says.
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("refs/heads")).unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn found(folder: &tempfile::TempDir) -> Vec<String> {
        heads(folder.path()).unwrap().into_iter().map(|head| format!("{} {}", head.branch, &head.commit[..1])).collect()
    }

    #[test]
    fn branches_are_files_or_lines_of_the_packed_ones() {
        let packed = format!("# pack-refs with: peeled\n{ONE} refs/heads/a\n{ONE} refs/heads/b/c\n{ONE} refs/tags/v1\n^{TWO}\nnonsense\n");
        let folder = repository(&[
            ("packed-refs", &packed),
            ("refs/heads/a", &format!("{TWO}\n")),
            ("refs/heads/d", TWO),
            ("refs/heads/d.lock", ONE),
            ("refs/heads/alias", "ref: refs/heads/d\n"),
            ("refs/heads/circle", "ref: refs/heads/circle\n"),
            ("refs/heads/lost", "ref: refs/heads/nowhere\n"),
            ("refs/heads/secret", "ref: ../../secret\n"),
            ("secret", ONE),
            ("refs/heads/none", "0000000000000000000000000000000000000000\n"),
            ("refs/tags/v2", ONE),
        ]);
        assert_eq!(found(&folder), ["a 2", "alias 2", "b/c 1", "d 2"]);
        // What is damaged does not bring back what was packed of it.
        fs::write(folder.path().join("refs/heads/b").join("c"), "").unwrap_or_else(|_| {
            fs::create_dir(folder.path().join("refs/heads/b")).unwrap();
            fs::write(folder.path().join("refs/heads/b/c"), "").unwrap();
        });
        assert_eq!(found(&folder), ["a 2", "alias 2", "d 2"]);
        assert!(heads(&folder.path().join("elsewhere")).is_err(), "no repository is not one without branches");
    }

    #[test]
    fn what_is_no_file_is_no_branch_and_is_not_waited_for() {
        let folder = repository(&[("secret", ONE)]);
        std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("refs/heads/link")).unwrap();
        let pipe = folder.path().join("refs/heads/pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("packed-refs"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        assert_eq!(found(&folder), Vec::<String>::new());
    }

    #[test]
    fn a_branch_moves_only_from_where_it_was() {
        let folder = repository(&[("packed-refs", &format!("{ONE} refs/heads/packed\n")), ("refs/heads/alias", "ref: refs/heads/packed")]);
        let go = |branch: &str, from: Option<&str>, to: &str| match move_branch(folder.path(), branch, from, to) {
            Ok(()) => "done".to_owned(),
            Err(MoveError::Moved) => "moved".into(),
            Err(MoveError::InTheWay(other)) => format!("{other} is in the way"),
            Err(MoveError::Io(error)) => error.to_string(),
        };
        for (branch, from, to, came_of_it) in [
            ("new", None, ONE, "done"),
            ("new", None, TWO, "moved"),
            ("new", Some(TWO), ONE, "moved"),
            ("new", Some(ONE), TWO, "done"),
            ("packed", Some(ONE), TWO, "done"),
            ("alias", Some(TWO), ONE, "done"),
            ("gone", Some(ONE), TWO, "moved"),
            ("deep/er/one", None, ONE, "done"),
            ("deep/er", None, ONE, "refs/heads/deep/er/one is in the way"),
            ("new/er", None, ONE, "refs/heads/new is in the way"),
        ] {
            assert_eq!(go(branch, from, to), came_of_it, "{branch}");
        }
        assert_eq!(found(&folder), ["alias 1", "deep/er/one 1", "new 2", "packed 1"]);
        fs::write(folder.path().join("refs/heads/new.lock"), "").unwrap();
        assert_eq!(go("new", Some(TWO), ONE), "moved", "somebody else is moving it");
        assert!(!folder.path().join("refs/heads/packed.lock").exists());
    }

    #[test]
    fn a_link_to_a_folder_shows_no_branches_of_another_repository() {
        let (folder, other) = (repository(&[("refs/heads/a", ONE)]), repository(&[("refs/heads/private", TWO), ("refs/heads/b/c", TWO)]));
        let link = |from: &str, to: &str| std::os::unix::fs::symlink(other.path().join(from), folder.path().join(to)).unwrap();
        link("refs/heads/b", "refs/heads/b");
        assert_eq!(found(&folder), ["a 1"]);
        for place in ["refs/heads", "refs"] {
            fs::rename(folder.path().join(place), folder.path().join("kept")).unwrap();
            link(place, place);
            assert!(!heads(folder.path()).is_ok_and(|heads| !heads.is_empty()), "{place}");
            fs::remove_file(folder.path().join(place)).unwrap();
            fs::rename(folder.path().join("kept"), folder.path().join(place)).unwrap();
        }
    }

    #[test]
    fn a_link_leads_nobody_elsewhere() {
        let (folder, elsewhere) = (repository(&[]), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("refs/heads/out")).unwrap();
        assert!(matches!(move_branch(folder.path(), "out/main", None, ONE), Err(MoveError::Io(_))));
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
