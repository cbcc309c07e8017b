//! The file of a backup: members one after the other, each with its digest, written so that it is there whole or not at all.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{BackupError, HEAD, SUMS};
use crate::{function::grants::sql::DatabaseName, hex::Hex, sql, store::transfer::Sum};

/// What is at the end of the file.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// SHA-256 of every member that is no table, in hexadecimal digits.
    pub members: BTreeMap<String, String>,
    /// What came together of the lines of every table.
    pub tables: BTreeMap<String, Sum>,
}

impl Sums {
    /// Returns the databases of functions.
    pub fn databases(&self) -> Vec<DatabaseName> {
        self.members.keys().filter_map(|member| sql::database_of(member)).collect()
    }
}

/// Writes a backup beside the place where it is to be.
pub struct Writer {
    tar: tar::Builder<GzEncoder<File>>,
    partial: Partial,
    sums: Sums,
}

/// A file that goes away unless it is whole.
struct Partial {
    path: PathBuf,
    to: PathBuf,
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Writer {
    /// Begins a file for its owner alone.
    pub fn begin(to: &Path) -> Result<Self, BackupError> {
        if to.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(to.into()));
        }
        if let Some(folder) = to.parent().filter(|folder| *folder != Path::new("") && !folder.is_dir()) {
            return Err(BackupError::NoFolder(folder.into()));
        }
        let path = beside(to, "partial");
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path).map_err(BackupError::file("make", &path))?;
        let partial = Partial { path, to: to.into() };
        Ok(Self { tar: tar::Builder::new(GzEncoder::new(file, Compression::default())), partial, sums: Sums::default() })
    }

    /// Adds a member that has no digest of its own.
    pub fn piece(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        self.append(name, bytes.len() as u64, bytes)
    }

    /// Adds a member.
    pub fn member(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        self.sums.members.insert(name.into(), Hex(&Sha256::digest(bytes)).to_string());
        self.piece(name, bytes)
    }

    /// Adds what is in a file.
    pub fn member_from(&mut self, name: &str, path: &Path) -> Result<(), BackupError> {
        let file = File::open(path).map_err(BackupError::file("read", path))?;
        let length = file.metadata().map_err(BackupError::file("read", path))?.len();
        let mut hashed = HashingReader { inner: file, hash: Sha256::new() };
        self.append(name, length, &mut hashed)?;
        self.sums.members.insert(name.into(), Hex(&hashed.hash.finalize()).to_string());
        Ok(())
    }

    /// Says what came together of a table.
    pub fn table(&mut self, name: &str, sum: Sum) {
        self.sums.tables.insert(name.into(), sum);
    }

    /// Ends the file, and gives it its name when all of it is on the disk. Returns how many bytes it has.
    pub fn finish(mut self) -> Result<u64, BackupError> {
        let sums = serde_json::to_vec_pretty(&self.sums).expect("texts and numbers always are JSON");
        self.piece(SUMS, &sums)?;
        let Partial { path, to } = &self.partial;
        let write = |tar: tar::Builder<GzEncoder<File>>| {
            let file = tar.into_inner()?.finish()?;
            file.sync_all()?;
            let length = file.metadata()?.len();
            fs::rename(path, to)?;
            File::open(folder(to))?.sync_all()?;
            Ok(length)
        };
        write(self.tar).map_err(BackupError::file("write", to))
    }

    fn append(&mut self, name: &str, length: u64, content: impl Read) -> Result<(), BackupError> {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        let path = &self.partial.path;
        self.tar.append_data(&mut header, name, content).map_err(BackupError::file("write", path))
    }
}

/// Returns the path of a file that stands beside another for a while.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

/// Returns the folder that a path is in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads through, and adds up what passes.
pub struct HashingReader<R> {
    pub inner: R,
    pub hash: Sha256,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// A backup that is read, from its beginning as often as needed.
pub struct Reader {
    file: File,
    path: PathBuf,
}

impl Reader {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(BackupError::file("read", path))?;
        Ok(Self { file, path: path.into() })
    }

    /// Says what is wrong with the file.
    pub fn unfit(&self, reason: impl Into<String>) -> BackupError {
        let hint = "take another backup; `gzip -t FILE` and `tar -tzf FILE` say more about this one";
        BackupError::Unfit { path: self.path.clone(), reason: reason.into(), hint }
    }

    /// Says that another program is needed.
    pub fn other_program(&self, reason: String) -> BackupError {
        BackupError::Unfit { path: self.path.clone(), reason, hint: "put it back with the version of picloud that made it, or a newer one" }
    }

    /// Begins to read from the first member.
    pub fn archive(&mut self) -> Result<tar::Archive<impl Read + use<'_>>, BackupError> {
        self.file.seek(SeekFrom::Start(0)).map_err(BackupError::file("read", &self.path))?;
        Ok(tar::Archive::new(MultiGzDecoder::new(BufReader::new(&self.file))))
    }

    /// Returns what to say when a member cannot be read.
    pub fn broken(&self) -> impl Fn(io::Error) -> BackupError + use<> {
        let (path, hint) = (self.path.clone(), "take another backup: this file is damaged, cut off, or none of ours");
        move |error| BackupError::Unfit { path: path.clone(), reason: error.to_string(), hint }
    }
}

/// Returns whether a member has a digest of its own.
pub fn has_sum(name: &str) -> bool {
    name != SUMS && (name == HEAD || !name.starts_with(super::TABLES))
}
