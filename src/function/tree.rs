//! A whole state of the source in memory: paths and contents. Every check, version and rollback works on one of these.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Diagnostic, Digest, FilePath, Revision};

/// Every file of one state of the source that matters to functions: all `.rhai` files, routed or not.
pub type Tree = BTreeMap<FilePath, Content>;

/// A file's bytes and their digest. Cheap to clone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256 of `bytes`.
    pub digest: Digest,
    /// As they are in the source; not necessarily UTF-8.
    pub bytes: Arc<[u8]>,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Content {}

impl Content {
    /// Returns whether there is nothing in it but white space.
    pub fn is_blank(&self) -> bool {
        self.bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.bytes).trim_ascii().is_empty()
    }

    /// Takes these bytes and computes their digest.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::of(&bytes), bytes }
    }
}

/// Returns the digest of a tree: equal if and only if paths and contents are equal.
pub fn digest(tree: &Tree) -> Digest {
    Digest::of_parts(tree.iter().flat_map(|(path, content)| [path.as_bytes(), &content.digest.as_bytes()[..]]))
}

/// Returns the revision that names the state of a directory.
pub fn directory_revision(tree: &Tree) -> Revision {
    Revision(format!("dir-{}", &digest(tree).to_string()[..32]))
}

/// Returns the paths whose content differs between two trees.
pub fn differences(before: &Tree, after: &Tree) -> Vec<FilePath> {
    // Both are in order of path, so one walk over both is enough.
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    let mut changed = Vec::new();
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return changed,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        let one = before.next_if(|_| order.is_le());
        let other = after.next_if(|_| order.is_ge());
        if one.map(|(_, content)| content) != other.map(|(_, content)| content) {
            changed.extend(one.or(other).map(|(path, _)| path.clone()));
        }
    }
}

/// Finds files that lie in another file: no folder can hold both.
pub fn inside_files(tree: &Tree) -> Vec<Diagnostic> {
    let inside = |path: &FilePath| {
        let file = path.match_indices('/').map(|(at, _)| &path[..at]).find(|folder| tree.contains_key(*folder))?;
        let message = format!("`{file}` is a file, and cannot be the folder of this one, too");
        Some(Diagnostic::error(path.clone(), message).hint("rename one of them, or leave it out"))
    };
    tree.keys().filter_map(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_what_came_went_or_changed() {
        let tree =
            |files: &[(&str, &str)]| -> Tree { files.iter().map(|(path, text)| ((*path).into(), Content::new(text.as_bytes()))).collect() };
        let before = tree(&[("a", "1"), ("b", "1"), ("d", "1"), ("e", "1")]);
        let after = tree(&[("a", "1"), ("b", "2"), ("c", "1"), ("e", "1"), ("f", "1")]);
        let changed: Vec<_> = differences(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(changed, ["b", "c", "d", "f"]);
        assert_eq!(differences(&after, &after), Vec::<FilePath>::new());
    }

    #[test]
    fn a_revision_follows_paths_and_contents() {
        let tree =
            |files: &[(&str, &str)]| -> Tree { files.iter().map(|(path, text)| ((*path).into(), Content::new(text.as_bytes()))).collect() };
        let base = directory_revision(&tree(&[("a.rhai", "1"), ("b.rhai", "2")]));
        assert_eq!(base, directory_revision(&tree(&[("b.rhai", "2"), ("a.rhai", "1")])));
        assert_ne!(base, directory_revision(&tree(&[("a.rhai", "2"), ("b.rhai", "1")])));
        assert_ne!(base, directory_revision(&tree(&[("a.rhai", "1")])));
    }
}
