//! Tells of links and submodules below the functions folder, which are not among a commit's files. A node that follows the folder itself
//! may serve them, so whoever pushes is told, and `picloud check` tells it before.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
};

use git2::Repository;

use super::mode::{LINK, SUBMODULE};
use crate::{
    function::{Diagnostic, FilePath, role::is_source_file},
    source::names::is_skipped,
};

/// Says what an entry of a commit is that is no folder.
pub fn what(mode: i32) -> &'static str {
    match mode {
        LINK => "a link, and links are not followed",
        SUBMODULE => "a submodule, and what is in it belongs to another repository",
        _ => "a file",
    }
}

/// Warns of an entry that nothing is read of.
pub fn warning(path: FilePath, mode: i32) -> Diagnostic {
    let hint = match mode {
        SUBMODULE => "commit the files themselves, or have CI put them there before it pushes",
        _ => "commit the files themselves",
    };
    Diagnostic::warning(path, format!("this is {}: a push leaves it out", what(mode))).hint(hint)
}

/// Returns where a link in this folder of a repository leads to; nothing if that is outside.
pub fn target(folder: &Path, link: &[u8]) -> Option<PathBuf> {
    let mut target = PathBuf::new();
    for component in folder.join(OsStr::from_bytes(link)).components() {
        match component {
            Component::Normal(name) => target.push(name),
            Component::CurDir => {}
            Component::ParentDir => target.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(target)
}

/// Returns warnings of what a push would leave out of a folder. It looks at what is committed or staged there, if the folder is in a
/// working copy.
pub fn of_working_copy(folder: &Path) -> Vec<Diagnostic> {
    warnings(folder).unwrap_or_default()
}

fn warnings(folder: &Path) -> Option<Vec<Diagnostic>> {
    let repository = Repository::discover(folder).ok()?;
    let top = repository.workdir()?.canonicalize().ok()?;
    let folder = folder.canonicalize().ok()?;
    let root = folder.strip_prefix(&top).ok()?;
    let index = repository.index().ok()?;
    let warned = index.iter().filter_map(|entry| {
        let mode = entry.mode.cast_signed();
        let path = Path::new(OsStr::from_bytes(&entry.path)).strip_prefix(root).ok()?.to_owned();
        if !matches!(mode, LINK | SUBMODULE) || path.iter().any(is_skipped) {
            return None;
        }
        let leads_to_folder = || {
            let link = fs::read_link(folder.join(&path)).ok()?;
            let from = root.join(path.parent()?);
            Some(target(&from, link.as_os_str().as_bytes()).is_none() || folder.join(&path).is_dir())
        };
        let matters = mode == SUBMODULE || is_source_file(&path.to_string_lossy()) || leads_to_folder()?;
        matters.then(|| warning(path.to_string_lossy().into(), mode))
    });
    Some(warned.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_inside_or_outside() {
        for (folder, link, leads) in [
            ("functions", "v2", Some("functions/v2")),
            ("functions/a", "../b/./c", Some("functions/b/c")),
            ("functions", "../docs", Some("docs")),
            ("functions", "..", Some("")),
            ("functions", "../../elsewhere", None),
            ("", "../x", None),
            ("functions", "/srv/x", None),
        ] {
            assert_eq!(target(Path::new(folder), link.as_bytes()), leads.map(PathBuf::from), "{folder} {link}");
        }
    }
}
