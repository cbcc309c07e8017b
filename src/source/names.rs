//! The names that a source reads: one rule for folders, repositories, uploads and changes through the control plane.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use crate::function::role::{ENDING, WELL_KNOWN, is_source_file};

/// Deepest folder that a source reads, so that a mistake with links ends.
pub const MAX_DEPTH: usize = 32;
/// Entries of a source that are looked at, folders and other files included. More of them are a mistake: a home folder, a cache, or a tree
/// that a few kilobytes describe.
pub const MAX_ENTRIES: usize = 200_000;

/// The words that `git mergetool` puts into the names of its copies: `x_BASE_1234.rhai`.
const MERGETOOL: [&str; 4] = ["BASE", "LOCAL", "REMOTE", "BACKUP"];

/// Returns whether a name belongs to editors, version control, mounts or other tools (`.git`, `..data`, `.x.swp`, `x~`), not to us.
pub fn is_skipped(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    (bytes.starts_with(b".") && bytes != WELL_KNOWN.as_bytes()) || bytes.ends_with(b"~") || name.to_str().is_some_and(is_leftover)
}

/// Returns whether a source that has this file reads it: it is named as one of ours, with nothing on the way that is skipped.
pub fn is_read(path: &str) -> bool {
    is_source_file(path) && !path.split('/').any(|name| is_skipped(OsStr::new(name)))
}

/// Returns whether a tool has left this beside a function: it holds old or half of the text, and nobody means it to be served.
fn is_leftover(name: &str) -> bool {
    let stem = name.strip_suffix(ENDING).unwrap_or(name);
    name.contains("___jb")
        || name.contains(".sync-conflict-")
        || name.contains(" conflicted copy ")
        || name.starts_with("flycheck_")
        || stem.ends_with("_flymake")
        || is_of_mergetool(stem)
}

fn is_of_mergetool(stem: &str) -> bool {
    let Some((rest, number)) = stem.rsplit_once('_') else { return false };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && rest.rsplit_once('_').is_some_and(|(_, word)| MERGETOOL.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_leave_beside_a_function_is_skipped() {
        for name in [
            ".git",
            "..data",
            ".x.rhai.swp",
            "x.rhai~",
            "x.rhai___jb_tmp___",
            "hello_BASE_1234.rhai",
            "x.get_LOCAL_7.rhai",
            "[id]_REMOTE_99.rhai",
            "_middleware_BACKUP_1.rhai",
            "flycheck_hello.rhai",
            "hello_flymake.rhai",
            "x.get_flymake.rhai",
            "hello.sync-conflict-20260101-120000-ABCDEFG.rhai",
            "x.get.sync-conflict-20260101-120000-ABCDEFG.rhai",
            "hello (Ada's conflicted copy 2026-01-01).rhai",
        ] {
            assert!(is_skipped(OsStr::new(name)), "{name}");
            assert!(!is_read(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_resemble_them_are_read() {
        for name in [
            ".well-known/x.rhai",
            "BASE.rhai",
            "x_BASE.rhai",
            "x_BASE_1a.rhai",
            "x_base_12.rhai",
            "flymake.rhai",
            "check_flycheck.rhai",
            "conflict.rhai",
            "hello - Copy.rhai",
        ] {
            assert!(is_read(name), "{name}");
        }
    }
}
