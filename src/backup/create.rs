//! Making a backup of a node, whether it runs or not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use futures_util::TryStreamExt as _;

use super::{
    BackupError, FORMAT, HEAD, Head, REPOSITORY, SETTINGS, TABLES,
    file::{Writer, beside},
};
use crate::{
    clock::{Clock, SystemClock, rfc3339},
    config::{self, Config, SourceConfig},
    function::grants::sql::DatabaseName,
    source::git::{self, OwnRepository, Repository, bundle},
    sql,
    store::transfer::{self, DatabaseSnapshot, Progress, TableSchema, Tally, write_line},
};

/// Bytes of a table that are one member.
const PIECE_BYTES: usize = 1 << 20;

/// What is in a backup.
#[derive(Debug)]
pub struct BackupSummary {
    /// What it says of itself.
    pub head: Head,
    /// The database that was read, without a password.
    pub place: String,
    /// Rows of all tables.
    pub rows: u64,
    /// Whether there is a repository in it: one without a push is not.
    pub has_repository: bool,
    /// The databases of functions that are files.
    pub databases: Vec<DatabaseName>,
    /// The settings that were left out because they are secrets; none if there is no file of settings.
    pub left_out: Option<Vec<String>>,
    /// How large the file is.
    pub bytes: u64,
}

/// Makes a backup of the node with this configuration, which was read from `settings` if there is such a file.
pub async fn create(to: &Path, config: &Config, settings: &Path, mut tell: impl FnMut(Progress<'_>)) -> Result<BackupSummary, BackupError> {
    let mut snapshot = DatabaseSnapshot::open(&config.database_url, &config.data).await?;
    let (place, hosted) = (snapshot.place().to_owned(), hosted(config));
    let head = Head {
        format: FORMAT,
        picloud: env!("CARGO_PKG_VERSION").into(),
        created: rfc3339(SystemClock.now_us()),
        schema: transfer::last_schema(),
        tables: snapshot.tables().to_vec(),
        branch: hosted.as_ref().map(|(_, branch)| branch.clone()),
    };
    let mut writer = Writer::begin(to)?;
    writer.member(HEAD, &serde_json::to_vec_pretty(&head).expect("texts and numbers always are JSON"))?;
    let mut rows = 0;
    for table in &head.tables {
        rows += write_table(&mut writer, &mut snapshot, table, &mut tell).await?;
    }
    // After the database: what was pushed meanwhile goes live when the node starts, and what is live can be found in the repository.
    let mut has_repository = false;
    if let Some((repository, _)) = hosted.filter(|(repository, _)| repository.path().exists()) {
        let packed = Temporary(beside(to, "bundle.partial"));
        has_repository = bundle::pack(&repository, &packed.0).await?;
        if has_repository {
            writer.member_from(REPOSITORY, &packed.0)?;
        }
    }
    let databases = write_databases(&mut writer, to, &config.data)?;
    let left_out = write_settings(&mut writer, settings)?;
    Ok(BackupSummary { head, place, rows, has_repository, databases, left_out, bytes: writer.finish()? })
}

/// Returns where the node keeps its own repository, if it hosts one, and the branch that deploys.
fn hosted(config: &Config) -> Option<(OwnRepository, String)> {
    match &config.source {
        SourceConfig::Git(settings) if settings.repository == Repository::Hosted => {
            Some((OwnRepository::in_data(&config.data, git::FOLDER).ok()?, settings.branch.clone()))
        }
        SourceConfig::Git(_) | SourceConfig::Directory { .. } => None,
    }
}

async fn write_table(
    writer: &mut Writer,
    snapshot: &mut DatabaseSnapshot,
    table: &TableSchema,
    tell: &mut impl FnMut(Progress<'_>),
) -> Result<u64, BackupError> {
    let of = snapshot.count(table).await?;
    let (mut tally, mut piece, mut number, mut done) = (Tally::default(), Vec::with_capacity(2 * PIECE_BYTES), 0, 0);
    let mut end = |writer: &mut Writer, piece: &mut Vec<u8>, rows: u64| {
        if !piece.is_empty() {
            number += 1;
            writer.piece(&format!("{TABLES}/{}/{number:06}.jsonl", table.name), piece)?;
            piece.clear();
        }
        tell(Progress { table: &table.name, rows, of });
        Ok::<_, BackupError>(())
    };
    let mut rows = snapshot.rows(table);
    while let Some(row) = rows.try_next().await? {
        let start = piece.len();
        write_line(&row, &mut piece);
        tally.add(&piece[start..]);
        done += 1;
        if piece.len() >= PIECE_BYTES {
            end(writer, &mut piece, done)?;
        }
    }
    end(writer, &mut piece, done)?;
    writer.table(&table.name, tally.sum());
    Ok(done)
}

/// Adds the databases of functions that are files, each as it is at one moment.
fn write_databases(writer: &mut Writer, to: &Path, data: &Path) -> Result<Vec<DatabaseName>, BackupError> {
    let databases = sql::databases_in(data).map_err(BackupError::file("look for databases in", data))?;
    let mut names = Vec::new();
    for (name, path) in databases {
        let copied = Temporary(beside(to, "db.partial"));
        let _ = fs::remove_file(&copied.0);
        sql::copy(&path, &copied.0)?;
        writer.member_from(&sql::file_of(&name), &copied.0)?;
        names.push(name);
    }
    Ok(names)
}

/// Adds the settings without their secrets, and returns which were left out.
fn write_settings(writer: &mut Writer, path: &Path) -> Result<Option<Vec<String>>, BackupError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BackupError::file("read", path)(error)),
    };
    let kept = config::without_secrets(&text).ok_or_else(|| BackupError::Settings(path.into()))?;
    writer.member(SETTINGS, kept.text.as_bytes())?;
    Ok(Some(kept.left_out))
}

/// A file that goes away with this.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        for path in [self.0.clone(), beside(&self.0, "lock")] {
            let _ = fs::remove_file(path);
        }
    }
}
