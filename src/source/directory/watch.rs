//! Watches a root wherever its path leads now, and the folders on the way there, so that it is noticed when it leads elsewhere.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
};

use notify::{Config, Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::hint::{self, Hint};

/// File systems that report nothing of what others write: NFS, 9p, FUSE, CIFS, SMB 2 (`statfs(2)`).
const SILENT_FILE_SYSTEMS: [u64; 5] = [0x6969, 0x0102_1997, 0x6573_5546, 0xFF53_4D42, 0xFE53_4D42];

/// Why nothing is reported, where that is as it has to be.
pub(super) const SILENT: &str = "this file system does not report changes";
/// The same, where somebody wants it so.
pub(super) const CONFIGURED: &str = "so it is configured";

/// The same, where a file is also somewhere else.
pub(super) const OTHER_NAMES: &str = "files have other names (hard links), and a change through one of those is not reported";
/// The same, where something else is mounted below the root.
pub(super) const MOUNTED: &str = "something is mounted below it, and what others change there is not reported";

/// Links that are followed on the way to a root; the kernel's limit.
const MAX_LINKS: usize = 40;

/// The folder that the root's path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RootFolder {
    /// Its name without links.
    pub real: PathBuf,
    device: u64,
    inode: u64,
}

impl RootFolder {
    /// Finds it.
    pub fn of(root: &Path) -> io::Result<Self> {
        let real = root.canonicalize()?;
        let metadata = fs::metadata(&real)?;
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { real, device: metadata.dev(), inode: metadata.ino() })
    }
}

/// Takes hints from the threads of the system's watchers; must not block.
pub(super) trait Sink: Fn(Hint) + Clone + Send + 'static {}
impl<S: Fn(Hint) + Clone + Send + 'static> Sink for S {}

/// Returns whether the file system of a folder reports what others change.
pub fn reports_changes(folder: &Path) -> bool {
    !rustix::fs::statfs(folder).is_ok_and(|found| SILENT_FILE_SYSTEMS.contains(&(found.f_type as u64 & 0xFFFF_FFFF)))
}

/// Watches what is in a root, until it is dropped.
pub(super) fn files(folder: &RootFolder, sink: impl Sink) -> Result<RecommendedWatcher, String> {
    if !reports_changes(&folder.real) {
        return Err(SILENT.into());
    }
    let root = folder.real.clone();
    let report = move |report: notify::Result<Event>| hint::in_root(&root, &report).into_iter().for_each(&sink);
    // What links lead to is watched where it is, if it is in the root; where it is not, it is none of ours.
    let watch = || {
        let mut watcher = RecommendedWatcher::new(report, Config::default().with_follow_symlinks(false))?;
        watcher.watch(&folder.real, RecursiveMode::Recursive)?;
        Ok(watcher)
    };
    watch().map_err(|error: notify::Error| hint::explained(&error))
}

/// Watches the way to a root, until it is dropped: the root's name, every link before it, or the first name that is missing.
pub(super) fn way(root: &Path, sink: impl Sink) -> Result<RecommendedWatcher, String> {
    let mut steps = steps_to(root);
    loop {
        let (known, sink) = (steps.clone(), sink.clone());
        let report = move |report: notify::Result<Event>| {
            if hint::is_about_way(&known, &report) {
                sink(Hint::Root);
            }
        };
        let folders: BTreeSet<&Path> = steps.iter().filter_map(|step| step.parent()).collect();
        let watch = || {
            let mut watcher = RecommendedWatcher::new(report, Config::default())?;
            folders.iter().try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))?;
            Ok(watcher)
        };
        let watched: notify::Result<RecommendedWatcher> = watch();
        // The way may have changed before the watch began.
        let now = steps_to(root);
        if now == steps {
            return watched.map_err(|error| hint::explained(&error));
        }
        steps = now;
    }
}

/// Returns the names that decide where a path leads: links, the last name, or the first that is missing.
fn steps_to(root: &Path) -> Vec<PathBuf> {
    let mut steps = Vec::new();
    let mut rest: Vec<PathBuf> = root.components().rev().map(|part| part.as_os_str().into()).collect();
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == Path::new(Component::ParentDir.as_os_str()) {
            at.pop();
            continue;
        }
        at.push(&part);
        match fs::read_link(&at) {
            Ok(target) if links < MAX_LINKS => {
                links += 1;
                steps.push(at.clone());
                at.pop();
                rest.extend(target.components().rev().map(|part| PathBuf::from(part.as_os_str())));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            _ => {}
        }
    }
    steps.push(at);
    steps
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_way_to_a_root_has_its_links_its_name_and_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("r1/functions")).unwrap();
        symlink("r1", base.join("current")).unwrap();
        symlink("../current/functions", base.join("r1/chain")).unwrap();
        let steps = |path: &str| -> Vec<String> {
            steps_to(&base.join(path)).iter().map(|step| step.strip_prefix(&base).unwrap().display().to_string()).collect()
        };
        assert_eq!(steps("r1/functions"), ["r1/functions"]);
        assert_eq!(steps("current/functions"), ["current", "r1/functions"]);
        assert_eq!(steps("r1/chain"), ["r1/chain", "current", "r1/functions"]);
        assert_eq!(steps("a/b/functions"), ["a"]);
    }
}
