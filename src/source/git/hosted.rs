//! The repository that this node keeps itself, and the hooks that lead every push through the gate.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use git2::Config;
use rustix::fs::OFlags;

use super::{
    error::RepositoryError,
    folder::Folder,
    own::OwnRepository,
    plain,
    program::GitError,
    readable::{must_be_readable, setting},
    refs::HEADS,
};

/// The hooks that lead a push through the gate.
pub const HOOKS: [&str; 2] = ["pre-receive", "post-receive"];
/// A hook with this in it is ours, and is brought up to date.
const MARK: &str = "# Made by picloud: leads every push through the check of the running node.";

/// A hook, or a `HEAD`, that is read has at most so many bytes.
const MAX_TEXT: u64 = 1 << 20;

/// Makes the repository if it is not there. No push may run: what pushes have left that were cut off is removed.
pub fn open(repository: &OwnRepository, branch: &str) -> Result<(), RepositoryError> {
    make(repository.path(), branch)?;
    if let Err(error) = remove_quarantines(repository) {
        tracing::warn!("cannot remove what unfinished pushes have left in `{}`: {error}", repository.path().display());
    }
    must_be_readable(repository.path())
}

/// How git names the folders of objects that pushes bring, until it accepts them; the second before git 2.35.
const QUARANTINES: [&str; 2] = ["tmp_objdir-", "incoming-"];
/// The end of the name of one that is being removed.
const GONE: &str = ".gone";

/// Removes the objects of pushes that were cut off. Git itself does so days later, if at all.
fn remove_quarantines(repository: &OwnRepository) -> io::Result<()> {
    for entry in fs::read_dir(repository.path().join("objects"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && QUARANTINES.iter().any(|quarantine| name.starts_with(quarantine)) {
            // The git of a node that was killed may still be at it: it must find all of it, or nothing.
            let gone = entry.path().with_file_name(format!("{name}{GONE}"));
            fs::rename(entry.path(), &gone)?;
            fs::remove_dir_all(gone)?;
        }
    }
    Ok(())
}

/// Folders of every bare repository, and a configuration with formats that can be read here.
const FOLDERS: [&str; 4] = ["objects/info", "objects/pack", "refs/heads", "refs/tags"];
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";

/// Makes a bare repository whose `HEAD` names this branch. Of one that is there, only that changes.
pub fn make(repository: &Path, branch: &str) -> Result<(), GitError> {
    let make = || {
        if !repository.join("HEAD").exists() {
            FOLDERS.iter().try_for_each(|folder| fs::create_dir_all(repository.join(folder)))?;
            fs::write(repository.join("config"), CONFIG)?;
        }
        let (head, next) = (repository.join("HEAD"), repository.join("HEAD.next"));
        let wanted = format!("ref: {HEADS}{branch}\n");
        if plain::text(&head, OFlags::empty(), MAX_TEXT)?.is_some_and(|now| now == wanted) {
            return Ok(());
        }
        fs::write(&next, wanted)?;
        fs::rename(next, head)
    };
    make().map_err(|why| GitError::CannotMake { path: repository.into(), why })
}

/// Sets what pushes to a repository of this machine need. They may have options (`git push -o dry-run`) and no malformed objects. The
/// repository's own hooks run, whatever hooks its users have elsewhere.
pub fn adopt(repository: &Path) -> Result<(), RepositoryError> {
    let wanted = [("receive.advertisePushOptions", "true"), ("receive.fsckObjects", "true"), (HOOKS_PATH, HOOKS_FOLDER)];
    if let Some(other) = setting(repository, HOOKS_PATH)?.filter(|other| other != HOOKS_FOLDER) {
        let place = repository.display();
        return Err(RepositoryError::Unusable(format!(
            "`{place}` has its hooks in `{other}` ({HOOKS_PATH}), and pushes are not checked without ours\n  hint: `git -C {place} config --unset \
             {HOOKS_PATH}`, run this again, and call the other hooks from ours"
        )));
    }
    let path = repository.join("config");
    // Others may write here, and a link would lead to another file.
    if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
        return Err(RepositoryError::Unusable(format!("`{}` is no file; links are not followed here", path.display())));
    }
    let open = || plain::open(&path, OFlags::NOFOLLOW).ok().flatten();
    let mode = open().and_then(|file| Some(file.metadata().ok()?.permissions()));
    let set = || {
        let mut config = Config::open(&path)?;
        wanted.iter().try_for_each(|(key, value)| config.set_str(key, value))
    };
    set().map_err(|source| RepositoryError::Unreadable { path: path.clone(), source })?;
    // Another file took its place; a group that shares the repository goes on sharing it.
    if let (Some(mode), Some(file)) = (mode, open()) {
        let _ = file.set_permissions(mode);
    }
    Ok(())
}

/// Git's setting for the folder of hooks, and its value, relative to a bare repository.
const HOOKS_PATH: &str = "core.hooksPath";
const HOOKS_FOLDER: &str = "hooks";

/// Returns the folder of a repository's hooks.
pub fn hooks(repository: &Path) -> PathBuf {
    repository.join(HOOKS_FOLDER)
}

/// Writes the hooks of a repository. Those of somebody else are left, and named.
pub fn install_hooks(repository: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = Folder::open(repository)?.enter(HOOKS_FOLDER)?;
    let program = std::env::current_exe()?;
    let program = program.display().to_string().replace('\'', r"'\''");
    let mut foreign = Vec::new();
    for hook in HOOKS {
        let path = hooks(repository).join(hook);
        if text_of(&path).is_some_and(|text| !text.contains(MARK)) {
            foreign.push(path);
            continue;
        }
        // Another process may run the old one just now: a new file takes its place.
        let next = format!("{hook}.next");
        let _ = folder.remove(&next);
        let content = format!("#!/bin/sh\n{MARK}\nexec '{program}' hook {hook}\n");
        folder.make(&next, content.as_bytes(), false)?.set_permissions(fs::Permissions::from_mode(0o755))?;
        folder.rename(&next, hook)?;
    }
    Ok(foreign)
}

/// Returns whether the hooks of a repository are ours, or call ours.
pub fn has_hooks(repository: &Path) -> bool {
    let calls_ours = |hook: &&str| {
        let text = text_of(&hooks(repository).join(hook)).unwrap_or_default();
        text.contains(MARK) || text.contains(&format!("hook {hook}"))
    };
    HOOKS.iter().all(calls_ours)
}

/// Returns the text of a hook; none if there is none.
fn text_of(hook: &Path) -> Option<String> {
    plain::text(hook, OFlags::empty(), MAX_TEXT).ok().flatten()
}
