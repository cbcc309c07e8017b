//! `picloud backup` and `picloud restore`: a node in one file, and back.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use rustix::fs::Mode;

use super::{config_args::ConfigArgs, exit::Exit, output};
use crate::{
    backup::{self, BackupSummary, RestoreSummary},
    config::{Config, FILE_NAME, SourceConfig},
    function::{grants::sql::DatabaseName, quantity::Size},
    node,
    shown::Shown,
    source::git::Repository,
    sql::DatabaseSettings,
    store::{Store, transfer::Progress},
    vault::KEY_FILE,
};

/// `picloud backup FILE`
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    configured: ConfigArgs,
    /// File to make; there must be none of that name
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// `picloud restore FILE`
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    configured: ConfigArgs,
    /// What `picloud backup` made
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Look the file through, and put nothing back
    #[arg(long)]
    check: bool,
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        must_be_file(&self.file)?;
        let config = self.configured.load()?;
        must_be_of_the_node_here(&config)?;
        let settings = self.configured.config.as_deref().unwrap_or(Path::new(FILE_NAME));
        let created = for_its_user(async { Ok(backup::create(&self.file, &config, settings, show).await) })?;
        output::progress("");
        let BackupSummary { head, place, rows, has_repository, databases, left_out, bytes } = created?;
        output::line(format!("made {}, {}", self.file.display(), Size(bytes)));
        row("database", &format!("{}, from {place}", contents(&head, rows)));
        if has_repository {
            row("repository", "every branch and tag");
        }
        row_of_databases(&databases);
        if let Some(left_out) = &left_out {
            let without = if left_out.is_empty() { String::new() } else { format!(", without {}", left_out.join(", ")) };
            row("settings", &format!("{}{without}", settings.display()));
        }
        output::line(format!("\nNot in it: {}.", elsewhere(&config)));
        let on_postgres = config.databases.iter().filter(|database| !database.url.is_sqlite());
        for DatabaseSettings { name, .. } in on_postgres {
            output::line(format!("Not in it: the database `{name}` of functions, which is on Postgres: copy it with `pg_dump`."));
        }
        Ok(Exit::Done)
    }
}

/// Refuses what other programs take for a pipe: a backup is there whole or not at all, and a pipe is not.
fn must_be_file(file: &Path) -> anyhow::Result<()> {
    if file == Path::new("-") {
        bail!("`-` is no file name here, and a backup is not piped\n  hint: name a file; one that is called so is `./-`");
    }
    Ok(())
}

/// Refuses a file that the node here does not use: it would be taken for a backup of the node. A server may have several names, and copies of
/// itself, so another one is only told.
fn must_be_of_the_node_here(config: &Config) -> anyhow::Result<()> {
    let Some(running) = node::running(&config.data) else { return Ok(()) };
    let Some(used) = running.other_database(config) else { return Ok(()) };
    let here = Store::describe(&config.database_url, &config.data)?;
    let said = format!("the node that runs on `{}` uses the database {used}, and this is {here}", config.data.display());
    if config.database_url.starts_with("sqlite") {
        bail!(
            "{said}; nothing was made\n  hint: name the node's database as the node has it, in PICLOUD_DATABASE_URL or with `--database`"
        );
    }
    output::tell(said);
    Ok(())
}

/// Names what a restored node needs beside the backup.
fn elsewhere(config: &Config) -> String {
    let source = match &config.source {
        SourceConfig::Directory { path } => format!(", and the folder `{}`", path.display()),
        SourceConfig::Git(settings) => match &settings.repository {
            Repository::Hosted => String::new(),
            Repository::Bare(path) => format!(", and the repository `{}`", path.display()),
            Repository::Remote(_) => ", and the remote repository, which is fetched again".into(),
        },
    };
    format!("the admin token, the key of the secrets (`{KEY_FILE}`) and other secrets{source}")
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        must_be_file(&self.file)?;
        if self.check {
            let (head, sums) = backup::verify(&self.file)?;
            output::line(format!("{} is whole, of {}, by picloud {}", self.file.display(), head.created, head.picloud));
            row("database", &contents(&head, sums.tables.values().map(|sum| sum.rows).sum()));
            if head.branch.is_some() {
                row("repository", "every branch and tag");
            }
            row_of_databases(&sums.databases());
            return Ok(Exit::Done);
        }
        let config = self.configured.load()?;
        let restored = for_its_user(async { Ok(backup::restore(&self.file, &config.data, &config.database_url, show).await) })?;
        output::progress("");
        let RestoreSummary { head, rows, secrets, database, databases, settings } = restored?;
        output::line(format!("put back what {} was on {}", self.file.display(), head.created));
        row("database", &format!("{}, in {database}", contents(&head, rows)));
        if head.branch.is_some() {
            row("repository", &config.data.join(crate::source::git::FOLDER).display().to_string());
        }
        row_of_databases(&databases);
        if let Some(settings) = settings {
            row("settings", &format!("{}, for you to compare: a node reads its own", settings.display()));
        }
        output::line("\nThe node makes a new admin token when it starts. Other tokens are good as they were.");
        if secrets > 0 {
            let place = config.secret_key.place(&config.data);
            output::line(format!(
                "{} can be opened with the key of the node that was backed up: it must be in {place}.",
                output::count(secrets as usize, "secret")
            ));
        }
        Ok(Exit::Done)
    }
}

fn contents(head: &backup::Head, rows: u64) -> String {
    format!("{}, {} (schema {})", output::count(rows as usize, "row"), output::count(head.tables.len(), "table"), head.schema)
}

fn row(name: &str, text: &str) {
    output::line(format!("  {name:<11} {}", Shown::inline(text)));
}

/// Names the databases of functions, if there are some.
fn row_of_databases(names: &[DatabaseName]) {
    if !names.is_empty() {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        row("databases", &format!("{}, of functions", names.join(", ")));
    }
}

/// Shows which table it is at.
pub(super) fn show(Progress { table, rows, of }: Progress<'_>) {
    output::progress(&format!("{table}: {rows} of {of}"));
}

/// Runs a command that writes what is for its user alone, as what a node keeps is.
pub(super) fn for_its_user<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
