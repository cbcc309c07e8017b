//! Finds mounts in a folder, and tells when they change. Writes of others to a mounted file or file system may not be reported.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, PipeWriter},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

use super::{hint::Hint, watch::Sink};

/// Where the system lists what is mounted; a poll on it waits for the next change (`proc_pid_mountinfo(5)`).
const TABLE: &str = "/proc/self/mountinfo";
/// Linux keeps 15 characters.
const THREAD_NAME: &str = "functions-mount";
/// It only waits.
const STACK_BYTES: usize = 64 * 1024;

/// Returns what is mounted below a folder, the folder itself left out.
pub(super) fn below(folder: &Path) -> Vec<PathBuf> {
    let table = fs::read(TABLE).unwrap_or_default();
    let points = table.split(|byte| *byte == b'\n').filter_map(mount_point);
    points.filter(|point| point != folder && point.starts_with(folder)).collect()
}

/// Returns the fifth field of a line. Spaces and the like are written in octal.
fn mount_point(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|byte| *byte == b' ').nth(4)?;
    let mut point = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        let (byte, after) = match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => (byte, &after[3..]),
            None => (*first, after),
        };
        point.push(byte);
        rest = after;
    }
    Some(OsString::from_vec(point).into())
}

/// Waits for changes on a thread, which ends when this is dropped. Nothing ticks.
pub(super) struct MountWatch {
    _ends: PipeWriter,
}

impl MountWatch {
    /// Begins to wait.
    pub fn start(sink: impl Sink) -> io::Result<Self> {
        let table = File::open(TABLE)?;
        let (ended, ends) = io::pipe()?;
        let wait = move || loop {
            let mut waiting = [PollFd::new(&table, PollFlags::PRI), PollFd::new(&ended, PollFlags::IN)];
            match poll(&mut waiting, None) {
                Err(Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) if !waiting[1].revents().is_empty() => return,
                Ok(_) => sink(Hint::Mounts),
            }
        };
        thread::Builder::new().name(THREAD_NAME.into()).stack_size(STACK_BYTES).spawn(wait)?;
        Ok(Self { _ends: ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_read_with_its_spaces() {
        let line = br"36 35 98:0 / /srv/my\040functions/team\134x rw,noatime master:1 - ext4 /dev/root rw";
        assert_eq!(mount_point(line), Some(PathBuf::from(r"/srv/my functions/team\x")));
        assert_eq!(mount_point(b""), None);
    }

    #[test]
    fn what_is_mounted_below_a_folder_is_found() {
        let at_top = below(Path::new("/"));
        assert!(at_top.contains(&PathBuf::from("/proc")), "{at_top:?}");
        assert!(!at_top.contains(&PathBuf::from("/")));
        assert!(below(tempfile::tempdir().unwrap().path()).is_empty());
    }
}
