//! The file `.env` beside `picloud.toml`: secrets for development, read again whenever it has changed.

mod parse;

use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

pub use parse::{Assignment, DotEnvError, parse};

use super::MAX_VALUE_BYTES;
use crate::{function::grants::secret::SecretName, secret::Secret};

/// Bytes of the largest file.
pub const MAX_DOT_ENV_BYTES: u64 = 1 << 20;

/// Secrets by name.
pub type Values = BTreeMap<SecretName, Arc<Secret>>;

/// A file that is followed.
pub struct DotEnv {
    path: PathBuf,
    last: Mutex<Reading>,
}

/// What was read last.
#[derive(Default)]
struct Reading {
    /// What tells this file from a later one; none: there was none.
    signature: Option<Signature>,
    values: Arc<Values>,
}

/// The inode, the bytes, and the time of the last write in seconds and nanoseconds.
type Signature = (u64, u64, i64, i64);

impl DotEnv {
    /// Follows the file of this path, which need not be there.
    pub fn new(path: PathBuf) -> Self {
        Self { path, last: Mutex::default() }
    }

    /// Returns what is in the file now, and whether that differs from the last time. A file with a mistake changes nothing; the log says where
    /// the mistake is.
    pub fn values(&self) -> (Arc<Values>, bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = self.path.metadata().ok().map(|file| signature(&file));
        if signature == last.signature {
            return (last.values.clone(), false);
        }
        last.signature = signature;
        match self.read() {
            Ok(values) => {
                last.values = Arc::new(values);
                (last.values.clone(), true)
            }
            Err(why) => {
                tracing::warn!("`{}` is not read again: {why}", self.path.display());
                (last.values.clone(), false)
            }
        }
    }

    fn read(&self) -> Result<Values, String> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Values::new()),
            opened => opened.map_err(|error| error.to_string())?,
        };
        let mut text = String::new();
        file.take(MAX_DOT_ENV_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 > MAX_DOT_ENV_BYTES {
            return Err(format!("it is larger than {MAX_DOT_ENV_BYTES} bytes"));
        }
        // Other programs have variables there, too: what can be no secret is none.
        let secret = |Assignment { name, value, .. }: Assignment| {
            let is_value = (1..=MAX_VALUE_BYTES).contains(&value.expose().len());
            is_value.then(|| Some((name.parse().ok()?, Arc::new(value))))?
        };
        Ok(parse(&text).map_err(|error| error.to_string())?.into_iter().filter_map(secret).collect())
    }
}

fn signature(file: &Metadata) -> Signature {
    (file.ino(), file.len(), file.mtime(), file.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_again_when_it_has_changed() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join(".env");
        let dot_env = DotEnv::new(path.clone());
        let read = || {
            let (values, has_changed) = dot_env.values();
            let shown: Vec<String> = values.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect();
            (shown.join(" "), has_changed)
        };
        assert_eq!(read(), (String::new(), false));
        fs::write(&path, "A=1\nlower=2\nEMPTY=\n").unwrap();
        assert_eq!(read(), ("A=1".into(), true));
        assert_eq!(read(), ("A=1".into(), false));
        fs::write(&path, "A=one\nB='2").unwrap();
        assert_eq!(read(), ("A=1".into(), false), "a mistake changes nothing");
        fs::write(&path, "A=one\nB='2'").unwrap();
        assert_eq!(read(), ("A=one B=2".into(), true));
        fs::remove_file(&path).unwrap();
        assert_eq!(read(), (String::new(), true));
    }
}
