//! Putting a backup back: looked through to its end first, then into an empty place.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{
    BackupError, FORMAT, HEAD, Head, REPOSITORY, SETTINGS, SUMS, TABLES,
    file::{HashingReader, Reader, Sums, has_sum},
};
use crate::{
    hex::Hex,
    source::git::{self, OwnRepository, bundle},
    store::transfer::{self, Filling, Progress, Tally, parse_line},
};

/// A piece of a table is a mebibyte and the rest of a row.
const MAX_PIECE_BYTES: u64 = 256 << 20;

/// What was put back.
#[derive(Debug)]
pub struct RestoreSummary {
    /// What the backup says of itself.
    pub head: Head,
    /// Rows of all tables.
    pub rows: u64,
    /// How many of them are secrets, which are sealed with a key that is not in the backup.
    pub secrets: u64,
    /// The database that they are in now, without a password.
    pub database: String,
    /// Where the settings are now, if the backup has some.
    pub settings: Option<PathBuf>,
}

/// Looks a backup through to its end, and returns what it says of itself and what it holds.
pub fn verify(path: &Path) -> Result<(Head, Sums), BackupError> {
    check(&mut Reader::open(path)?)
}

fn check(reader: &mut Reader) -> Result<(Head, Sums), BackupError> {
    let broken = reader.broken();
    let unfit = |reader: &Reader, reason: String| Err(reader.unfit(reason));
    let (mut head, mut sums, mut found, mut tables) = (None, None, Sums::default(), BTreeMap::<String, Tally>::new());
    let mut unknown = None;
    for entry in reader.archive()?.entries().map_err(&broken)? {
        let mut entry = entry.map_err(&broken)?;
        let name = entry.path().map_err(&broken)?.display().to_string();
        if let Some(table) = table_of(&name) {
            let tally = tables.entry(table.into()).or_default();
            let piece = whole(&mut entry).map_err(&broken)?;
            piece.split_inclusive(|byte| *byte == b'\n').for_each(|line| tally.add(line));
        } else if has_sum(&name) && ![HEAD, SETTINGS, REPOSITORY].contains(&name.as_str()) {
            unknown.get_or_insert(name);
        } else if has_sum(&name) {
            let mut hashed = HashingReader { inner: &mut entry, hash: Sha256::new() };
            if name == HEAD {
                head = Some(whole(&mut hashed).map_err(&broken)?);
            } else {
                io::copy(&mut hashed, &mut io::sink()).map_err(&broken)?;
            }
            found.members.insert(name, Hex(&hashed.hash.finalize()).to_string());
        } else {
            sums = Some(whole(&mut entry).map_err(&broken)?);
        }
    }
    let Some(head) = head else { return unfit(reader, format!("it is no backup: there is no `{HEAD}` in it")) };
    let version = serde_json::from_slice::<serde_json::Value>(&head).ok().and_then(|head| head["format"].as_u64());
    if version.is_some_and(|version| version != u64::from(FORMAT)) {
        return Err(reader.other_program(format!("it has the format {}, this program reads {FORMAT}", version.unwrap_or_default())));
    }
    let head: Head = match serde_json::from_slice(&head) {
        Ok(head) => head,
        Err(error) => return unfit(reader, format!("`{HEAD}` does not read: {error}")),
    };
    if head.schema > transfer::last_schema() {
        return Err(reader.other_program(format!("it has schema {}, this program knows {}", head.schema, transfer::last_schema())));
    }
    if let Some(name) = unknown {
        return unfit(reader, format!("nobody knows what `{name}` in it is"));
    }
    let Some(sums) = sums.and_then(|sums| serde_json::from_slice::<Sums>(&sums).ok()) else {
        return unfit(reader, format!("it is not whole: there is no `{SUMS}` at its end"));
    };
    for table in &head.tables {
        // A table without rows has no pieces.
        tables.entry(table.name.clone()).or_default();
    }
    found.tables = tables.into_iter().map(|(name, tally)| (name, tally.sum())).collect();
    if let Some(name) = first_difference(&found.members, &sums.members).or(first_difference(&found.tables, &sums.tables)) {
        return unfit(reader, format!("`{name}` in it is not as it was written"));
    }
    Ok((head, sums))
}

/// Returns the table that a member is a piece of: `tables/NAME/000001.jsonl`.
fn table_of(member: &str) -> Option<&str> {
    member.strip_prefix(TABLES)?.strip_prefix('/')?.split_once('/').map(|(table, _)| table)
}

/// Reads a member that is held in memory.
fn whole(member: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    member.take(MAX_PIECE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_PIECE_BYTES {
        return Err(io::Error::other("a member is larger than any that is written"));
    }
    Ok(bytes)
}

fn first_difference<T: PartialEq>(one: &BTreeMap<String, T>, other: &BTreeMap<String, T>) -> Option<String> {
    one.keys().chain(other.keys()).find(|name| one.get(*name) != other.get(*name)).cloned()
}

/// Puts a backup back into a data folder and a database that are empty or not there yet.
pub async fn restore(
    path: &Path,
    data: &Path,
    database_url: &str,
    mut tell: impl FnMut(Progress<'_>),
) -> Result<RestoreSummary, BackupError> {
    let mut reader = Reader::open(path)?;
    let (head, sums) = check(&mut reader)?;
    let next = StagingFolder::make(data)?;
    let mut filling = Filling::open(database_url, &next.0, head.schema).await?;
    filling.must_have(&head.tables).await?;
    fill(&mut reader, &mut filling, &head, &sums, &mut tell).await?;
    for table in &head.tables {
        filling.must_hold(table, &sums.tables[&table.name]).await?;
    }
    let has_settings = take_out(&mut reader, SETTINGS, &next.0)?.is_some();
    if let Some(branch) = &head.branch {
        let packed = take_out(&mut reader, REPOSITORY, &next.0)?;
        let repository = OwnRepository::in_data(&next.0, git::FOLDER).map_err(BackupError::file("read", &next.0))?;
        bundle::unpack(packed.as_deref(), &repository, branch).await?;
        if let Some(packed) = packed {
            fs::remove_file(&packed).map_err(BackupError::file("remove", &packed))?;
        }
    }
    let place = filling.place();
    filling.finish().await?;
    next.finish(data)?;
    let rows = sums.tables.values().map(|sum| sum.rows).sum();
    let secrets = sums.tables.get("secrets").map_or(0, |sum| sum.rows);
    let database = if database_url == "sqlite" { format!("`{}`", data.join("picloud.db").display()) } else { place };
    Ok(RestoreSummary { head, rows, secrets, database, settings: has_settings.then(|| data.join(SETTINGS)) })
}

async fn fill(
    reader: &mut Reader,
    filling: &mut Filling,
    head: &Head,
    sums: &Sums,
    tell: &mut impl FnMut(Progress<'_>),
) -> Result<(), BackupError> {
    let broken = reader.broken();
    let bad = |name: &str, why: &str| broken(io::Error::other(format!("`{name}`: {why}")));
    let mut done = BTreeMap::<&str, u64>::new();
    for entry in reader.archive()?.entries().map_err(&broken)? {
        let mut entry = entry.map_err(&broken)?;
        let name = entry.path().map_err(&broken)?.display().to_string();
        let Some(table) = table_of(&name) else { continue };
        let table = head.tables.iter().find(|known| known.name == table).ok_or_else(|| bad(&name, "its table is not known"))?;
        let piece = whole(&mut entry).map_err(&broken)?;
        let lines = piece.split_inclusive(|byte| *byte == b'\n').map(|line| parse_line(table, line));
        let rows = lines.collect::<Result<Vec<_>, _>>().map_err(|why| bad(&name, &why))?;
        filling.insert(table, &rows).await?;
        let done = done.entry(&table.name).or_default();
        *done += rows.len() as u64;
        tell(Progress { table: &table.name, rows: *done, of: sums.tables[&table.name].rows });
    }
    Ok(())
}

/// Writes a member into a folder, if there is such a member.
fn take_out(reader: &mut Reader, name: &str, folder: &Path) -> Result<Option<PathBuf>, BackupError> {
    let broken = reader.broken();
    for entry in reader.archive()?.entries().map_err(&broken)? {
        let mut entry = entry.map_err(&broken)?;
        if entry.path().map_err(&broken)?.as_os_str() == name {
            let path = folder.join(name);
            let written = File::create_new(&path).and_then(|mut file| io::copy(&mut entry, &mut file));
            written.map_err(BackupError::file("write", &path))?;
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// In this folder below the data folder all is made, and moved up when it is whole.
const UNFINISHED: &str = "restoring";

/// Returns whether a restore into this data folder goes on, or was killed.
pub fn is_unfinished(data: &Path) -> bool {
    data.join(UNFINISHED).exists()
}

/// A data folder that is empty again unless it gets whole.
struct StagingFolder(PathBuf);

impl StagingFolder {
    /// Makes the folder for its owner alone if it is not there. One that is there must be empty, but for what an earlier try has left.
    fn make(data: &Path) -> Result<Self, BackupError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
        made.map_err(BackupError::file("make", data))?;
        for entry in fs::read_dir(data).map_err(BackupError::file("read", data))? {
            if entry.map_err(BackupError::file("read", data))?.file_name() != UNFINISHED {
                return Err(BackupError::NotEmpty(data.into()));
            }
        }
        let path = data.join(UNFINISHED);
        let _ = fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path).map_err(BackupError::file("make", &path))?;
        Ok(Self(path))
    }

    /// Moves all of it up. The database comes last: without it there is nothing to start from.
    fn finish(self, data: &Path) -> Result<(), BackupError> {
        let finish = || {
            let mut names = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
            names.sort();
            for name in names {
                fs::rename(self.0.join(&name), data.join(&name))?;
            }
            fs::remove_dir(&self.0)?;
            File::open(data)?.sync_all()
        };
        finish().map_err(BackupError::file("fill", data))
    }
}

impl Drop for StagingFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
