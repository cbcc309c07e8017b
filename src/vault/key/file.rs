//! The files and variables that hold a key.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;

use super::{KEY_BYTES, KEY_FILE, Key, KeyError, KeySource};
use crate::{hex::Hex, secret::Secret};

/// What is read of a file: a key is shorter.
const MAX_FILE_BYTES: u64 = 1024;
/// What to do about a key in the data folder that is none.
const DAMAGED: &str = "put the key back from where you keep a copy; if it is lost, remove the file and the secrets (`picloud secret rm --force`), and set them again";
/// What to do about a key from elsewhere that is none.
const MAKE_ONE: &str = "`openssl rand -hex 32` makes one";

impl KeySource {
    /// Returns the key; none if the data folder has none yet.
    pub fn load(&self, data: &Path) -> Result<Option<Key>, KeyError> {
        match self {
            Self::Given(key) => parse(key, "PICLOUD_SECRET_KEY".into(), MAKE_ONE).map(Some),
            Self::File(path) => {
                let file = File::open(path).map_err(error("read", path))?;
                parse(&text(file, path)?, format!("`{}`", path.display()), MAKE_ONE).map(Some)
            }
            Self::DataFolder => own_file(&data.join(KEY_FILE)),
        }
    }

    /// Returns the key, and makes one in the data folder if it has none. Of several processes that do so at once one makes it, and all get
    /// the same.
    pub fn load_or_make(&self, data: &Path) -> Result<Key, KeyError> {
        if let Some(key) = self.load(data)? {
            return Ok(key);
        }
        let path = data.join(KEY_FILE);
        make(data, &path).map_err(error("make", &path))?;
        self.load(data)?.ok_or_else(|| error("read", &path)(io::ErrorKind::NotFound.into()))
    }

    /// Says where the key is, or should be.
    pub fn place(&self, data: &Path) -> String {
        match self {
            Self::Given(_) => "PICLOUD_SECRET_KEY".into(),
            Self::File(path) => format!("`{}`", path.display()),
            Self::DataFolder => format!("`{}`", data.join(KEY_FILE).display()),
        }
    }
}

/// Reads the key of the data folder, which must be its owner's alone.
fn own_file(path: &Path) -> Result<Option<Key>, KeyError> {
    let opened = OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(error("read", path))?,
    };
    let mode = file.metadata().map_err(error("read", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.into(), mode });
    }
    parse(&text(file, path)?, format!("`{}`", path.display()), DAMAGED).map(Some)
}

fn text(file: File, path: &Path) -> Result<Secret, KeyError> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(error("read", path))?;
    Ok(Secret::new(String::from_utf8_lossy(&bytes)))
}

fn parse(text: &Secret, place: String, hint: &'static str) -> Result<Key, KeyError> {
    Key::parse(text.expose()).ok_or(KeyError::Malformed { place, hint })
}

/// Makes a key file that is whole from the moment that it has its name. A file that is there stays.
fn make(data: &Path, path: &Path) -> io::Result<()> {
    let next = data.join(format!("{KEY_FILE}.{:016x}.new", getrandom::u64().map_err(io::Error::other)?));
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&next)?;
    let named = writeln!(file, "{}", Hex(&bytes)).and_then(|()| file.sync_all()).and_then(|()| match fs::hard_link(&next, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let _ = fs::remove_file(&next);
    // Before anything is sealed with it: a key that a power failure takes is worse than none.
    named.and_then(|()| File::open(data)?.sync_all())
}

fn error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError + use<> {
    let path = path.to_owned();
    move |source| KeyError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn write(folder: &TempDir, text: &str, mode: u32) {
        let path = folder.path().join(KEY_FILE);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_is_made_once_and_is_its_owner_s() {
        let data = TempDir::new().unwrap();
        assert!(KeySource::DataFolder.load(data.path()).unwrap().is_none(), "nobody needs one yet");
        let keys: Vec<String> = std::thread::scope(|scope| {
            let made: Vec<_> = (0..8).map(|_| scope.spawn(|| KeySource::DataFolder.load_or_make(data.path()).unwrap())).collect();
            made.into_iter().map(|key| key.join().unwrap().fingerprint().to_string()).collect()
        });
        let key = KeySource::DataFolder.load(data.path()).unwrap().unwrap();
        assert!(keys.iter().all(|fingerprint| *fingerprint == key.fingerprint().as_str()), "{keys:?}");
        assert_eq!(data.path().join(KEY_FILE).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_stays() {
        let data = TempDir::new().unwrap();
        let refused = |text: &str, mode: u32| {
            write(&data, text, mode);
            let said = KeySource::DataFolder.load_or_make(data.path()).unwrap_err().to_string();
            assert_eq!(fs::read_to_string(data.path().join(KEY_FILE)).unwrap(), text);
            said.replace(&data.path().display().to_string(), "DATA")
        };
        let whole = "0f".repeat(32);
        insta::assert_snapshot!(
            [
                refused("", 0o600),
                refused(&whole[..40], 0o600),
                refused(&format!("{whole}{}", "0".repeat(5_000)), 0o600),
                refused(&whole, 0o640),
                refused(&whole, 0o604),
            ]
            .join("\n")
        );
        write(&data, &whole, 0o400);
        assert!(KeySource::DataFolder.load(data.path()).unwrap().is_some());
        fs::rename(data.path().join(KEY_FILE), data.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", data.path().join(KEY_FILE)).unwrap();
        assert!(KeySource::DataFolder.load(data.path()).is_err(), "a link may lead to a file that others write");
    }

    #[test]
    fn a_key_from_elsewhere_wins_and_is_never_made() {
        let data = TempDir::new().unwrap();
        let (mounted, whole) = (data.path().join("mounted"), "0f".repeat(32));
        let source = KeySource::File(mounted.clone());
        assert!(source.load_or_make(data.path()).unwrap_err().to_string().starts_with("cannot read the key of the secrets in `"));
        // Containers mount secrets for all users inside.
        fs::write(&mounted, format!("{whole}\n")).unwrap();
        fs::set_permissions(&mounted, fs::Permissions::from_mode(0o444)).unwrap();
        let given = KeySource::Given(Secret::new(&*whole));
        assert_eq!(source.load_or_make(data.path()).unwrap().fingerprint(), given.load_or_make(data.path()).unwrap().fingerprint());
        let said = KeySource::Given(Secret::new("sesame")).load(data.path()).unwrap_err().to_string();
        assert_eq!(said, "PICLOUD_SECRET_KEY is no key: a key has 64 hexadecimal digits\n  hint: `openssl rand -hex 32` makes one");
        assert!(!data.path().join(KEY_FILE).exists());
    }
}
