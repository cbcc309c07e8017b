//! Files that have a content and not their names yet: what they are called, and what is left of them after a node that was killed.

use std::{collections::BTreeSet, os::fd::AsFd};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat, unlinkat},
    io,
};

use crate::source::names::{MAX_DEPTH, is_skipped};

/// Begins the name of a file until it gets its own. It begins with a dot, so that nobody takes it for a function.
const BEGIN: &str = ".picloud-next-";

/// Returns the name of a file until it gets its own.
pub(super) fn staged_name(number: usize) -> String {
    format!("{BEGIN}{number}")
}

fn is_staged_name(name: &[u8]) -> bool {
    name.strip_prefix(BEGIN.as_bytes()).is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// Removes what a node left that was killed while it wrote, and returns the folders that it lay in. To be called by the one who writes, before
/// its own files have such names. No link is followed, as none is written through. What cannot be looked at or removed is in nobody's way.
pub(super) fn remove_leftovers(top: impl AsFd) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    let _ = sweep(top, "", 0, &mut folders);
    folders
}

fn sweep(at: impl AsFd, folder: &str, depth: usize, found: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in Dir::read_from(&at)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        let kind = || match entry.file_type() {
            // Some file systems do not say it here.
            FileType::Unknown => {
                statat(&at, name, AtFlags::SYMLINK_NOFOLLOW).map_or(FileType::Unknown, |there| FileType::from_raw_mode(there.st_mode))
            }
            kind => kind,
        };
        if is_staged_name(name.as_bytes()) {
            if kind().is_file() && unlinkat(&at, name, AtFlags::empty()).is_ok() {
                found.insert(folder.into());
            }
        } else if depth < MAX_DEPTH && !is_skipped(name.as_ref()) && kind().is_dir() {
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
            let Ok(inner) = openat(&at, name, flags, Mode::empty()) else { continue };
            let inside = if folder.is_empty() { name.into() } else { format!("{folder}/{name}") };
            let _ = sweep(inner, &inside, depth + 1, found);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn only_files_that_a_node_has_left_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for folder in ["a/b", "keep", "links", ".git", "a/.picloud-next-9"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join(".picloud-next-0"), "").unwrap();
        symlink(outside.path(), at("links/out")).unwrap();
        symlink(outside.path().join(".picloud-next-0"), at("links/.picloud-next-1")).unwrap();
        let stays = ["a.rhai", "keep/.picloud-next-", "keep/.picloud-next-1x", "keep/.picloud-nextly-1", ".git/.picloud-next-0"];
        for path in stays.into_iter().chain([".picloud-next-0", "a/.picloud-next-12", "a/b/.picloud-next-3", "a/b/.picloud-next-400"]) {
            fs::write(at(path), "").unwrap();
        }
        let found = remove_leftovers(fs::File::open(root.path()).unwrap());
        assert!(found.iter().eq(["", "a", "a/b"]), "{found:?}");
        for path in stays.into_iter().chain(["links/.picloud-next-1", "links/out/.picloud-next-0", "a/.picloud-next-9"]) {
            assert!(at(path).symlink_metadata().is_ok(), "{path} stays");
        }
        assert!(fs::read_dir(at("a/b")).unwrap().next().is_none());
        assert!(!at(".picloud-next-0").exists() && !at("a/.picloud-next-12").exists());
    }
}
