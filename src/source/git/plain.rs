//! Opens only regular files of a repository that others may write. A pipe in the place of a file would block the reader, perhaps for ever.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;

/// Opens a file to read; none if there is nothing, or something else.
pub fn open(path: &Path, flags: OFlags) -> io::Result<Option<File>> {
    let flags = (flags | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Reads a file; none if there is nothing, or something else. One with more bytes than `limit` counts as empty.
pub fn text(path: &Path, flags: OFlags, limit: u64) -> io::Result<Option<String>> {
    open(path, flags)?.map_or(Ok(None), |file| read(file, limit))
}

/// The same of one that is open.
pub fn read(file: File, limit: u64) -> io::Result<Option<String>> {
    let found = file.metadata()?;
    if !found.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    if found.len() <= limit {
        file.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Refuses a folder of objects in which libgit2 would open anything but regular files. A pipe would block it. Links and alternates lead to
/// files that the writers themselves may not read.
pub fn must_hold_its_own(objects: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(objects)?.is_dir() {
        return Err(no_file(objects, "folder"));
    }
    for folder in ["info", "info/commit-graphs", "pack"] {
        must_all_be_files(&objects.join(folder))?;
    }
    let alternates = objects.join("info/alternates");
    if fs::symlink_metadata(&alternates).is_ok_and(|found| found.len() > 0) {
        let place = alternates.display();
        return Err(io::Error::other(format!(
            "`{place}` names another repository, which is not read; `git repack -a -d`, and remove the file"
        )));
    }
    for entry in fs::read_dir(objects)? {
        let name = entry?.file_name();
        if name.len() == 2 {
            must_all_be_files(&objects.join(name))?;
        }
    }
    Ok(())
}

/// Goes through a folder that is there or not.
fn must_all_be_files(folder: &Path) -> io::Result<()> {
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(no_file(folder, "folder")),
        Err(error) => return Err(error),
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) if kind.is_file() || kind.is_dir() => {}
            // Git has removed it meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Ok(_) => return Err(no_file(&entry.path(), "file")),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn no_file(path: &Path, what: &str) -> io::Error {
    io::Error::other(format!("`{}` is no {what}; links are not followed here", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn pipe(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    }

    #[test]
    fn what_is_no_file_is_found_wherever_objects_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (objects, elsewhere) = (folder.path().join("objects"), folder.path().join("elsewhere"));
        for path in ["info", "pack", "ab", "tmp_objdir-incoming-x/cd"] {
            fs::create_dir_all(objects.join(path)).unwrap();
        }
        fs::write(objects.join("ab").join("1".repeat(38)), "").unwrap();
        fs::write(objects.join("info/alternates"), "").unwrap();
        must_hold_its_own(&objects).unwrap();
        must_hold_its_own(&folder.path().join("nowhere")).unwrap_err();
        let names = ["info/commit-graph", "info/commit-graphs/graph-1.graph", "pack/pack-1.idx", "pack/multi-pack-index", "ab/cd"];
        for place in names.map(|name| objects.join(name)) {
            pipe(&place);
            let why = must_hold_its_own(&objects).unwrap_err().to_string();
            assert!(why.contains(&format!("{}` is no file", place.display())), "{why}");
            fs::remove_file(&place).unwrap();
            fs::write(&elsewhere, "").unwrap();
            symlink(&elsewhere, &place).unwrap();
            must_hold_its_own(&objects).unwrap_err();
            fs::remove_file(&place).unwrap();
        }
        must_hold_its_own(&objects).unwrap();
        fs::write(objects.join("info/alternates"), "/srv/git/other.git/objects\n").unwrap();
        let why = must_hold_its_own(&objects).unwrap_err().to_string();
        assert!(why.contains("names another repository"), "{why}");
        fs::remove_file(objects.join("info/alternates")).unwrap();
        for name in ["info", "pack", "ab", "../objects"] {
            fs::rename(objects.join(name), folder.path().join("moved")).unwrap();
            symlink(folder.path().join("moved"), objects.join(name)).unwrap_or_else(|_| symlink("moved", &objects).unwrap());
            must_hold_its_own(&objects).unwrap_err();
            if name.starts_with('.') {
                break;
            }
            fs::remove_file(objects.join(name)).unwrap();
            fs::rename(folder.path().join("moved"), objects.join(name)).unwrap();
        }
    }

    #[test]
    fn what_is_no_file_is_nothing_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| text(&folder.path().join(name), OFlags::empty(), 3).unwrap();
        pipe(&folder.path().join("pipe"));
        fs::write(folder.path().join("short"), "abc").unwrap();
        fs::write(folder.path().join("long"), "abcd").unwrap();
        assert_eq!(["pipe", "nowhere", "short", "long", "."].map(read), [None, None, Some("abc".into()), Some(String::new()), None]);
    }
}
