//! A whole tree as one file, for uploads: a tar, or a tar that is compressed with gzip. What comes from outside is read with every limit that
//! keeps a small file from becoming a large one.

use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use tar::{Archive, EntryType, Header};

use super::{edit::path_problem, names::is_read};
use crate::{
    blocking,
    function::{Content, Diagnostic, FilePath, Tree, route::stray::stray},
};

/// The first bytes of gzip, and of a zip.
const GZIP: &[u8] = b"\x1f\x8b";
const ZIP: &[u8] = b"PK";
/// Bytes that the tar itself may take for each entry on average: two headers, a name, and what fills a block up.
const OVERHEAD_BYTES: u64 = 2048;

/// Limits on a tar.
#[derive(Debug, Clone, Copy)]
pub struct TarLimits {
    /// Files, folders and whatever else there is.
    pub entries: u64,
    /// Bytes of all files together, those that are not read included.
    pub total_bytes: u64,
    /// Bytes of one function file.
    pub file_bytes: u64,
}

/// Why a tar is not taken. Nothing of it is.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// It is something else.
    #[error("the body is no tar{}", hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default())]
    NoTar {
        /// What to send instead, where that is known.
        hint: Option<&'static str>,
    },
    /// It breaks off or is damaged.
    #[error("the tar is damaged or breaks off: {0}")]
    Damaged(io::Error),
    /// There is too much in it.
    #[error("{what}: {limit} are the most")]
    TooMuch {
        /// Of what, and where.
        what: String,
        /// The most that is taken.
        limit: u64,
    },
    /// There are files in it that may not be.
    #[error("there are files in the tar that cannot be functions")]
    Wrong(Vec<Diagnostic>),
}

/// Reads the function files of a tar, as a source would. This computes: it has a thread of its own.
pub async fn unpack(bytes: bytes::Bytes, limits: TarLimits) -> Result<Tree, TarError> {
    let damaged = || Err(TarError::Damaged(io::Error::other("it cannot be read")));
    blocking::run(move || read(&bytes, limits)).await.unwrap_or_else(damaged)
}

fn read(bytes: &[u8], limits: TarLimits) -> Result<Tree, TarError> {
    if bytes.starts_with(ZIP) {
        return Err(TarError::NoTar { hint: Some("a zip is not taken, so send a tar, or a tar compressed with gzip") });
    }
    // Nothing at all is more likely a mistake than a tree without files.
    if bytes.is_empty() {
        return Err(TarError::NoTar { hint: None });
    }
    // Whatever its headers say, no more than this ever comes out of it.
    let most = limits.total_bytes.saturating_add(limits.entries.saturating_mul(OVERHEAD_BYTES));
    match bytes.starts_with(GZIP) {
        true => files(MultiGzDecoder::new(bytes).take(most), limits),
        false => files(bytes.take(most), limits),
    }
}

fn files(tar: impl Read, limits: TarLimits) -> Result<Tree, TarError> {
    let mut archive = Archive::new(tar);
    let mut collected = TarFiles { limits, tree: Tree::new(), seen: BTreeSet::new(), entries: 0, total_bytes: 0, wrong: Vec::new() };
    for entry in archive.entries().map_err(TarError::Damaged)? {
        match entry {
            Ok(entry) => collected.take(entry)?,
            Err(_) if collected.entries == 0 => return Err(TarError::NoTar { hint: None }),
            Err(error) => return Err(TarError::Damaged(error)),
        }
    }
    collected.look_at_strays();
    match collected.wrong.is_empty() {
        true => Ok(collected.tree),
        false => Err(TarError::Wrong(collected.wrong)),
    }
}

struct TarFiles {
    limits: TarLimits,
    tree: Tree,
    /// Every path, also of what is not read: of two files of one name nobody knows which is meant.
    seen: BTreeSet<String>,
    entries: u64,
    total_bytes: u64,
    wrong: Vec<Diagnostic>,
}

/// Mistakes that are told of one tar.
const MAX_WRONG: usize = 100;

impl TarFiles {
    fn take(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<(), TarError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(TarError::TooMuch { what: "there are too many files and folders in the tar".into(), limit: self.limits.entries });
        }
        let kind = entry.header().entry_type();
        // What `git archive` says about all of it.
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let raw = entry.path_bytes().into_owned();
        let Ok(path) = std::str::from_utf8(&raw) else {
            self.refuse(Diagnostic::error(&*String::from_utf8_lossy(&raw), "this name is not UTF-8").hint("rename it"));
            return Ok(());
        };
        let path = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
        let is_folder = kind.is_dir();
        // The root itself.
        if is_folder && matches!(path, "" | ".") {
            return Ok(());
        }
        if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            self.refuse(Diagnostic::error(path, "the path leads out of the tree").hint("write paths below the functions folder"));
            return Ok(());
        }
        if !is_folder && !kind.is_file() {
            self.refuse(Diagnostic::error(path, "this is not a file").hint("put the file itself in; links and devices are not taken"));
            return Ok(());
        }
        if is_folder {
            return Ok(());
        }
        let size_bytes = entry.size();
        self.total_bytes = self.total_bytes.saturating_add(size_bytes);
        if self.total_bytes > self.limits.total_bytes {
            return Err(TarError::TooMuch { what: "the files in the tar have too many bytes".into(), limit: self.limits.total_bytes });
        }
        if !self.seen.insert(path.to_owned()) {
            self.refuse(Diagnostic::error(path, "this file is twice in the tar").hint("leave one of them out"));
            return Ok(());
        }
        if !is_read(path) {
            return Ok(());
        }
        if size_bytes > self.limits.file_bytes {
            return Err(TarError::TooMuch { what: format!("`{path}` has {size_bytes} bytes"), limit: self.limits.file_bytes });
        }
        if let Some(problem) = path_problem(path) {
            self.refuse(problem);
            return Ok(());
        }
        let mut text = Vec::with_capacity(size_bytes as usize);
        entry.read_to_end(&mut text).map_err(TarError::Damaged)?;
        if text.len() as u64 != size_bytes {
            return Err(TarError::Damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        self.tree.insert(path.into(), Content::new(text));
        Ok(())
    }

    /// Refuses files that are not read and were certainly meant to be.
    fn look_at_strays(&mut self) {
        let others = self.seen.iter().filter(|path| !self.tree.contains_key(path.as_str()));
        let strays: Vec<Diagnostic> = others.filter_map(|path| stray(path, |other| self.tree.contains_key(other))).collect();
        strays.into_iter().filter(Diagnostic::is_error).for_each(|found| self.refuse(found));
    }

    fn refuse(&mut self, diagnostic: Diagnostic) {
        if self.wrong.len() < MAX_WRONG {
            self.wrong.push(diagnostic);
        }
    }
}

/// Writes a tree as a tar compressed with gzip. The same tree gives the same bytes.
pub fn pack(tree: &Tree) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, content) in tree {
        append(&mut tar, path, &content.bytes)?;
    }
    tar.into_inner()?.finish()
}

fn append(tar: &mut tar::Builder<impl Write>, path: &FilePath, bytes: &[u8]) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, &**path, bytes)
}

#[cfg(test)]
mod tests;
