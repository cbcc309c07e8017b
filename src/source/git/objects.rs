//! The objects of a repository. The header of each says how large it is. Objects above the limits are not unpacked: a small push could hold
//! a gigabyte.

use std::{
    collections::{BinaryHeap, HashMap},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use git2::{Blob, Commit, Error, ErrorClass, ErrorCode, Odb, Oid, Repository, Signature, Tag, Tree, TreeBuilder, TreeEntry};

/// The largest commit or tag that is read, in bytes.
const MAX_TEXT: usize = 1 << 20;
/// The largest folder: some 400,000 names.
const MAX_TREE: usize = 16 << 20;

/// Objects that are read by their kinds, each up to a size.
pub struct Objects(Repository);

impl Objects {
    pub fn of(database: Odb<'_>) -> Result<Self, Error> {
        Repository::from_odb(database).map(Self)
    }

    pub fn odb(&self) -> Result<Odb<'_>, Error> {
        self.0.odb()
    }

    /// Returns how many bytes an object has, whatever its kind.
    pub fn size(&self, id: Oid) -> Result<usize, Error> {
        Ok(self.0.odb()?.read_header(id)?.0)
    }

    pub fn find_commit(&self, id: Oid) -> Result<Commit<'_>, Error> {
        self.must_fit(id, MAX_TEXT)?;
        self.0.find_commit(id)
    }

    pub fn find_tag(&self, id: Oid) -> Result<Tag<'_>, Error> {
        self.must_fit(id, MAX_TEXT)?;
        self.0.find_tag(id)
    }

    pub fn find_tree(&self, id: Oid) -> Result<Tree<'_>, Error> {
        self.must_fit(id, MAX_TREE)?;
        self.0.find_tree(id)
    }

    pub fn find_blob(&self, id: Oid, max_bytes: u64) -> Result<Blob<'_>, Error> {
        self.must_fit(id, usize::try_from(max_bytes).unwrap_or(usize::MAX))?;
        self.0.find_blob(id)
    }

    /// Returns the folder of everything.
    pub fn top(&self, commit: &Commit<'_>) -> Result<Tree<'_>, Error> {
        self.find_tree(commit.tree_id())
    }

    /// Returns what is at a path below a folder.
    pub fn entry(&self, folder: &Tree<'_>, path: &Path) -> Result<TreeEntry<'static>, Error> {
        let nothing = || Error::new(ErrorCode::NotFound, ErrorClass::Tree, format!("nothing is at `{}`", path.display()));
        let entry_of = |folder: &Tree<'_>, name: &[u8]| folder.get_name_bytes(name).map(|entry| entry.to_owned()).ok_or_else(nothing);
        let mut names = path.iter().map(OsStrExt::as_bytes);
        let mut entry = entry_of(folder, names.next().unwrap_or_default())?;
        for name in names {
            if entry.kind() != Some(git2::ObjectType::Tree) {
                return Err(nothing());
            }
            entry = entry_of(&self.find_tree(entry.id())?, name)?;
        }
        Ok(entry)
    }

    /// Returns the signature of a commit.
    pub fn signature(&self, commit: Oid) -> Result<Vec<u8>, Error> {
        self.must_fit(commit, MAX_TEXT)?;
        Ok(self.0.extract_signature(&commit, None)?.0.to_vec())
    }

    /// Returns whether a commit contains another. Both histories are followed, the newest commits first, until only commits are left that
    /// both contain.
    pub fn contains(&self, commit: Oid, other: Oid) -> Result<bool, Error> {
        let mut seen: HashMap<Oid, Sides> = HashMap::new();
        let mut next = BinaryHeap::new();
        // Of those that wait, how many are not contained in both.
        let mut open = 0_usize;
        let mut see = |next: &mut BinaryHeap<_>, open: &mut usize, id: Oid, sides: Sides| -> Result<(), Error> {
            let known = seen.entry(id).or_default();
            if known.with(sides) == *known {
                return Ok(());
            }
            *known = known.with(sides);
            *open += usize::from(!known.is_both());
            next.push((self.find_commit(id)?.time().seconds(), id, *known));
            Ok(())
        };
        see(&mut next, &mut open, other, Sides { of_other: true, ..Sides::default() })?;
        see(&mut next, &mut open, commit, Sides { of_commit: true, ..Sides::default() })?;
        while open > 0 {
            let Some((_, id, sides)) = next.pop() else { break };
            open -= usize::from(!sides.is_both());
            if id == other && sides.of_commit {
                return Ok(true);
            }
            for parent in self.find_commit(id)?.parent_ids() {
                see(&mut next, &mut open, parent, sides)?;
            }
        }
        Ok(next.iter().any(|(_, id, sides)| *id == other && sides.of_commit))
    }

    pub fn treebuilder(&self, folder: Option<&Tree<'_>>) -> Result<TreeBuilder<'_>, Error> {
        self.0.treebuilder(folder)
    }

    /// Writes a commit, and keeps it nowhere.
    pub fn commit_text(&self, author: &Signature<'_>, message: &str, tree: &Tree<'_>, parents: &[&Commit<'_>]) -> Result<Vec<u8>, Error> {
        Ok(self.0.commit_create_buffer(author, author, message, tree, parents)?.to_vec())
    }

    fn must_fit(&self, id: Oid, max_bytes: usize) -> Result<(), Error> {
        let (bytes, kind) = self.0.odb()?.read_header(id)?;
        if bytes <= max_bytes {
            return Ok(());
        }
        Err(Error::from_str(&format!("the {} {id} has {bytes} bytes, and at most {max_bytes} are read", kind.str())))
    }
}

/// Which of two commits contain one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Sides {
    of_commit: bool,
    of_other: bool,
}

impl Sides {
    fn with(self, more: Self) -> Self {
        Self { of_commit: self.of_commit || more.of_commit, of_other: self.of_other || more.of_other }
    }

    fn is_both(self) -> bool {
        self.of_commit && self.of_other
    }
}
