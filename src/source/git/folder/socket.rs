//! Sockets in a folder that others may write too.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::net::UnixListener,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, chmodat, chownat, mkdirat, openat, renameat, statat, unlinkat},
    process::geteuid,
};

use super::{Folder, OPEN_FOLDER};

/// A socket that was made in a folder.
pub struct Socket {
    /// Its other end.
    pub listener: UnixListener,
    /// Which file it is.
    pub id: FileId,
    /// Whether those who may write into the folder may use it.
    pub is_shared: bool,
}

/// Tells files apart, whatever their names are.
pub type FileId = (u64, u64);

/// The name of a socket in the folder that it is made in.
const HIDDEN: &str = "s";

impl Folder {
    /// Returns which file has this name, if it is a socket.
    pub fn socket(&self, name: &str) -> Option<FileId> {
        let found = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        (FileType::from_raw_mode(found.st_mode) == FileType::Socket).then_some((found.st_dev, found.st_ino))
    }

    /// Makes a socket in the place of what has this name, for the folder's owner, and for its group if that may write here.
    pub fn listen(&self, name: &str) -> io::Result<Socket> {
        let hidden = format!(".{name}.{:016x}", RandomState::new().hash_one(name));
        mkdirat(&self.handle, &hidden, Mode::RWXU)?;
        let made = self.listen_in(&hidden, name);
        let _ = unlinkat(&self.handle, &hidden, AtFlags::REMOVEDIR);
        made
    }

    /// Makes it in a folder where nobody else can put another file in its place before it has its owner and its mode.
    fn listen_in(&self, hidden: &str, name: &str) -> io::Result<Socket> {
        let private = Self::of(openat(&self.handle, hidden, OPEN_FOLDER, Mode::empty())?)?;
        if private.owner.0 != geteuid() || private.mode & 0o077 != 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let listener = UnixListener::bind(private.path_of(HIDDEN))?;
        let made = (|| {
            let (uid, gid) = self.owner;
            let look = || statat(&private.handle, HIDDEN, AtFlags::SYMLINK_NOFOLLOW);
            let give = |uid| chownat(&private.handle, HIDDEN, uid, Some(gid), AtFlags::SYMLINK_NOFOLLOW);
            // Only root may give files away; to a group that one is in, everybody may. A folder may give all that is in it to its group.
            let made = look()?;
            if (made.st_uid, made.st_gid) != (uid.as_raw(), gid.as_raw()) && give(Some(uid)).is_err() && made.st_gid != gid.as_raw() {
                let _ = give(None);
            }
            let is_for_group = self.mode & 0o020 != 0;
            chmodat(&private.handle, HIDDEN, Mode::from_raw_mode(if is_for_group { 0o660 } else { 0o600 }), AtFlags::empty())?;
            let found = look()?;
            renameat(&private.handle, HIDDEN, &self.handle, name)?;
            let is_shared = found.st_uid == uid.as_raw() || (is_for_group && found.st_gid == gid.as_raw());
            Ok((found, is_shared))
        })();
        if made.is_err() {
            let _ = unlinkat(&private.handle, HIDDEN, AtFlags::empty());
        }
        made.map(|(found, is_shared)| Socket { listener, id: (found.st_dev, found.st_ino), is_shared })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
        sync::atomic::{AtomicBool, Ordering},
    };

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    use super::*;

    #[test]
    fn a_link_that_takes_the_place_of_a_socket_leads_to_no_change_of_another_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o2770)).unwrap();
        let (place, link, secret) = (folder.path().join("sock"), folder.path().join("link"), folder.path().join("secret"));
        fs::write(&secret, "").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&secret, &link).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = renameat_with(CWD, &link, CWD, &place, RenameFlags::EXCHANGE);
                }
            });
            for _ in 0..300 {
                let made = Folder::open(folder.path()).unwrap().listen("sock").unwrap();
                assert!(made.is_shared);
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o7777, 0o600);
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.retain(|name| !["sock", "link", "secret"].contains(&name.to_str().unwrap()));
        assert_eq!(names, Vec::<std::ffi::OsString>::new(), "nothing else is left");
    }

    #[test]
    fn a_socket_takes_the_place_of_another_and_has_the_permissions_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("sock");
        for (mode, wanted) in [(0o700, 0o600), (0o755, 0o600), (0o2775, 0o660)] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            let opened = Folder::open(folder.path()).unwrap();
            let made = opened.listen("sock").unwrap();
            let found = fs::symlink_metadata(&place).unwrap();
            assert_eq!((found.mode() & 0o7777, opened.socket("sock")), (wanted, Some(made.id)), "{mode:o}");
            std::os::unix::net::UnixStream::connect(&place).unwrap();
        }
        let opened = Folder::open(folder.path()).unwrap();
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        assert!(opened.listen("sock").is_err() && opened.socket("sock").is_none());
    }
}
