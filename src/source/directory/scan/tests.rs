//! Links, and trees that are too large.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    kind::PathKind,
    list::{MAX_WAYS, list, list_at_most},
    root::{Root, read},
};
use crate::source::directory::fault::FileFault;

const MAX_FILE_BYTES: u64 = 1000;

fn folder() -> (tempfile::TempDir, PathBuf, Root) {
    let base = tempfile::tempdir().unwrap();
    let real = base.path().canonicalize().unwrap().join("root");
    fs::create_dir_all(real.join("x/y")).unwrap();
    fs::write(base.path().join("secret"), "secret").unwrap();
    let root = Root::open(&real).unwrap();
    (base, real, root)
}

fn text(root: &Root, path: &str) -> Result<String, FileFault> {
    read(root, path, MAX_FILE_BYTES).map(|(_, content)| String::from_utf8(content.bytes.to_vec()).unwrap())
}

#[test]
fn what_is_read_lies_inside_whatever_a_name_leads_to() {
    let (base, real, root) = folder();
    fs::write(real.join("x/y/a.rhai"), "a").unwrap();
    symlink("y", real.join("x/relative")).unwrap();
    symlink(real.join("x/y/a.rhai"), real.join("absolute.rhai")).unwrap();
    symlink("../secret", real.join("out.rhai")).unwrap();
    symlink("../../../secret", real.join("x/y/out.rhai")).unwrap();
    symlink(base.path(), real.join("folder")).unwrap();
    symlink("loop.rhai", real.join("loop.rhai")).unwrap();
    for path in ["x/y/a.rhai", "x/relative/a.rhai", "absolute.rhai"] {
        assert_eq!(text(&root, path), Ok("a".into()), "{path}");
    }
    for path in ["out.rhai", "x/y/out.rhai", "x/relative/out.rhai", "folder/secret"] {
        assert!(matches!(text(&root, path), Err(FileFault::LeavesRoot { .. })), "{path}");
    }
    for path in ["loop.rhai", "none.rhai", "x", "x/y/a.rhai/b.rhai"] {
        assert!(text(&root, path).is_err(), "{path}");
    }
}

#[test]
fn a_link_that_takes_the_place_of_a_file_or_a_folder_is_never_followed_out() {
    let (base, real, root) = folder();
    fs::create_dir(base.path().join("outside")).unwrap();
    fs::write(base.path().join("outside/a.rhai"), "secret").unwrap();
    fs::write(real.join("a.rhai"), "a").unwrap();
    fs::write(real.join("x/a.rhai"), "a").unwrap();
    symlink("../secret", real.join("file")).unwrap();
    symlink("../outside", real.join("folder")).unwrap();
    let exchange = |one: &str, other: &str| {
        renameat_with(CWD, real.join(one), CWD, real.join(other), RenameFlags::EXCHANGE).unwrap();
    };
    std::thread::scope(|scope| {
        let swaps = scope.spawn(|| {
            for _ in 0..2_000 {
                exchange("a.rhai", "file");
                exchange("x", "folder");
            }
        });
        while !swaps.is_finished() {
            for path in ["a.rhai", "x/a.rhai"] {
                assert_ne!(text(&root, path).ok().as_deref(), Some("secret"), "{path}");
            }
        }
    });
}

#[test]
fn links_do_not_multiply_what_there_is() {
    let (_base, real, root) = folder();
    for level in 0..14 {
        let folder = real.join(format!("l{level}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("f.rhai"), "1").unwrap();
        for name in ["a", "b"] {
            symlink(format!("../l{}", level + 1), folder.join(name)).unwrap();
        }
    }
    fs::create_dir(real.join("l14")).unwrap();
    let listing = list(&root, MAX_FILE_BYTES).unwrap();
    assert!(listing.found.len() < 14 * 2 * (MAX_WAYS + 1) * 2, "{}", listing.found.len());
    let fault = PathKind::Fault(FileFault::TooManyWays { limit: MAX_WAYS });
    assert!(listing.found.values().any(|kind| *kind == fault));
}

#[test]
fn more_entries_than_anybody_means_are_a_mistake() {
    let (_base, real, root) = folder();
    for number in 0..10 {
        fs::write(real.join(format!("x/{number}.txt")), "").unwrap();
    }
    assert!(list_at_most(12, &root, MAX_FILE_BYTES).is_ok());
    let error = list_at_most(11, &root, MAX_FILE_BYTES).unwrap_err();
    assert!(error.to_string().starts_with("it has more than 11 files and folders"), "{error}");
}
