//! `picloud.toml` as it is written, and what becomes of it where keys are missing.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{
    Config, Fault,
    databases::{self, DatabasesFile},
    events::EventsFile,
    executor::ExecutorFile,
    journal::{JournalFile, RetentionFile},
    kv::KvFile,
    log::LogFile,
    outbound::OutboundFile,
    server::{MetricsFile, PreviewsFile, ServerFile},
    source::SourceFile,
    traces::TracesFile,
};
use crate::{
    function::{
        Cors, LimitPolicy, Limits,
        limits::{DEFAULT_FILE_SIZE, LimitOverrides},
        within::Within,
    },
    sql::DatabaseSettings,
    vault::KeySource,
};

/// The file as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    data: Option<PathBuf>,
    source: SourceFile,
    previews: PreviewsFile,
    database: DatabaseFile,
    databases: DatabasesFile,
    server: ServerFile,
    cors: Option<Cors>,
    metrics: MetricsFile,
    traces: TracesFile,
    limits: LimitOverrides,
    ceilings: LimitOverrides,
    executor: ExecutorFile,
    outbound: OutboundFile,
    journal: JournalFile,
    retention: RetentionFile,
    events: EventsFile,
    kv: KvFile,
    log: LogFile,
}

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DatabaseFile {
    url: Option<String>,
}

impl File {
    /// Refuses what makes no sense, of what is lost when the file is resolved.
    pub(super) fn validate(&self) -> Result<(), Fault> {
        if self.ceilings.file.is_some() {
            let fault = Fault::new(&["ceilings.file"], "`file` has no ceiling");
            return Err(fault.hint("no front-matter can set it; it is a key of `[limits]`"));
        }
        self.source.validate()?;
        self.traces.validate()?;
        self.outbound.validate()?;
        self.previews.validate()
    }

    /// Returns how the databases of users are set up.
    pub(super) fn databases(&self) -> Result<Vec<DatabaseSettings>, Fault> {
        databases::resolve(&self.databases, |name| std::env::var(name).ok())
    }

    /// Returns the configuration, in which paths are relative to the file's folder.
    pub(super) fn resolve(self, folder: &Path, databases: Vec<DatabaseSettings>) -> Config {
        let limits = LimitPolicy {
            default: Limits::DEFAULT.with(&self.limits),
            ceiling: Limits::CEILING.with(&self.ceilings),
            file: self.limits.file.map_or(DEFAULT_FILE_SIZE, Within::get),
        };
        Config {
            webhook_secret: self.source.webhook_secret.clone(),
            source: self.source.resolve(folder, &limits, self.previews.branches(), self.previews.host()),
            data: folder.join(self.data.unwrap_or_else(|| ".picloud".into())),
            database_url: self.database.url.unwrap_or_else(|| "sqlite".into()),
            databases,
            limits,
            executor: self.executor.resolve(),
            grace: self.server.grace(),
            outbound: self.outbound.resolve(),
            server: self.server.resolve(&self.metrics, &self.previews, self.cors),
            record: self.journal.record.unwrap_or_default(),
            capture: self.journal.capture(),
            journal: self.journal.resolve(),
            retention: self.retention.resolve(),
            secret_key: KeySource::default(),
            dot_env: folder.join(".env"),
            dispatch: self.events.dispatch(),
            queue: self.events.queue(),
            kv: self.kv.resolve(),
            traces: self.traces.resolve(),
            log: self.log.resolve(),
        }
    }
}
