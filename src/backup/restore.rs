//! Putting a backup back: looked through to its end first, then into an empty place.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{
    BackupError, FIRST_FORMAT, FORMAT, HEAD, Head, REPOSITORY, SETTINGS, SUMS, TABLES,
    file::{HashingReader, Reader, Sums, has_sum},
};
use crate::{
    function::grants::sql::DatabaseName,
    hex::Hex,
    source::git::{self, OwnRepository, bundle},
    sql,
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
    /// The databases of functions that are files.
    pub databases: Vec<DatabaseName>,
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
    let mut archive = reader.archive()?;
    for entry in archive.entries().map_err(&broken)? {
        let mut entry = entry.map_err(&broken)?;
        let name = entry.path().map_err(&broken)?.display().to_string();
        if let Some(table) = table_of(&name) {
            let tally = tables.entry(table.into()).or_default();
            let piece = whole(&mut entry).map_err(&broken)?;
            piece.split_inclusive(|byte| *byte == b'\n').for_each(|line| tally.add(line));
        } else if has_sum(&name) && name != HEAD && !is_file(&name) {
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
    // The checksum of gzip comes last. It covers what is between the members, too.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(&broken)?;
    let Some(head) = head else { return unfit(reader, format!("it is no backup: there is no `{HEAD}` in it")) };
    let version = serde_json::from_slice::<serde_json::Value>(&head).ok().and_then(|head| head["format"].as_u64());
    if let Some(version) = version.filter(|version| !(FIRST_FORMAT.into()..=FORMAT.into()).contains(version)) {
        return Err(reader.other_program(format!("it has the format {version}, this program reads {FIRST_FORMAT} to {FORMAT}")));
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

/// Returns whether a member is put into the data folder as it is.
fn is_file(member: &str) -> bool {
    [SETTINGS, REPOSITORY].contains(&member) || sql::database_of(member).is_some()
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
    let files = take_out(&mut reader, &next.0)?;
    if let Some(branch) = &head.branch {
        let packed = files.contains(REPOSITORY).then(|| next.0.join(REPOSITORY));
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
    let settings = files.contains(SETTINGS).then(|| data.join(SETTINGS));
    Ok(RestoreSummary { head, rows, secrets, database, databases: sums.databases(), settings })
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

/// Writes the members that are files into a folder, and returns their names.
fn take_out(reader: &mut Reader, folder: &Path) -> Result<BTreeSet<String>, BackupError> {
    let (broken, mut names) = (reader.broken(), BTreeSet::new());
    for entry in reader.archive()?.entries().map_err(&broken)? {
        let mut entry = entry.map_err(&broken)?;
        let name = entry.path().map_err(&broken)?.display().to_string();
        if is_file(&name) {
            let path = folder.join(&name);
            write(&mut entry, &path).map_err(BackupError::file("write", path))?;
            names.insert(name);
        }
    }
    Ok(names)
}

/// Writes a new file, for its owner alone as its folder is.
fn write(content: &mut impl Read, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(content, &mut file)?;
    file.sync_all()
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
