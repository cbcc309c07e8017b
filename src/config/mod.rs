//! `picloud.toml`, the environment and the flags, read once at the start and resolved into what each part needs.

mod address;
mod databases;
mod events;
mod executor;
mod fault;
mod file;
mod journal;
mod kv;
mod log;
mod outbound;
mod overrides;
mod redact;
mod server;
mod source;
mod traces;

#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use address::ListenAddress;
pub use fault::Fault;
use file::File;
pub use log::{Log, LogFormat};
pub use overrides::Overrides;
pub use redact::{RedactedFile, without_secrets};
pub use source::SourceConfig;

use crate::{
    executor::local::Capacity,
    function::{
        Diagnostic, Digest, LimitPolicy,
        quantity::{LONGEST, Span},
        toml_text,
        within::Within,
    },
    http::HttpSettings,
    outbound::OutboundSettings,
    runner::{CapturePolicy, RecordPolicy},
    secret::Secret,
    sql::DatabaseSettings,
    store::{JournalSettings, KvLimits, Retention, Store, queue::QueueLimits},
    trace,
    trigger::DispatchLimits,
    vault::KeySource,
};

/// The name of the configuration file that is taken where none is named.
pub const FILE_NAME: &str = "picloud.toml";

/// Why the node cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or cannot be read.
    #[error("cannot read the configuration `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It says something that it cannot say.
    #[error("{0}")]
    Wrong(Box<Diagnostic>),
    /// Two settings do not go together, or one makes no sense, and what is wrong is not in the file.
    #[error(transparent)]
    Impossible(Fault),
}

/// How a node is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where function files come from.
    pub source: SourceConfig,
    /// The folder that the node keeps its own files in.
    pub data: PathBuf,
    /// `sqlite` (a file in `data`), `sqlite:PATH`, or `postgres://…`. May hold a password: never shown.
    pub database_url: String,
    /// The databases that scripts may use.
    pub databases: Vec<DatabaseSettings>,
    /// What a run may use.
    pub limits: LimitPolicy,
    /// How functions run.
    pub executor: Capacity,
    /// How requests come in.
    pub server: HttpSettings,
    /// How far functions may reach.
    pub outbound: OutboundSettings,
    /// How long running work may take to end when the node is told to stop.
    pub grace: Span,
    /// Which executions are recorded.
    pub record: RecordPolicy,
    /// Which requests are kept to be run again.
    pub capture: CapturePolicy,
    /// How executions get to the store.
    pub journal: JournalSettings,
    /// How long they stay there.
    pub retention: Retention,
    /// What runs at once without a caller.
    pub dispatch: DispatchLimits,
    /// What the queue may hold, and for how long.
    pub queue: QueueLimits,
    /// What each namespace of the key-value store may hold.
    pub kv: KvLimits,
    /// Signs the webhooks of the remote repository.
    pub webhook_secret: Option<Secret>,
    /// Where the key of the secrets is.
    pub secret_key: KeySource,
    /// Secrets for development, beside the configuration file.
    pub dot_env: PathBuf,
    /// How requests are traced; none: they are not.
    pub traces: Option<trace::TraceSettings>,
    /// How the node speaks about itself.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        File::default().resolve(Path::new(""), Vec::new())
    }
}

/// A time, in milliseconds from `LEAST`.
type SpanFrom<const LEAST: u64> = Within<Span, LEAST, LONGEST>;

impl Config {
    /// Returns what tells this configuration from others, for the audit log. Nothing can be learned from it about a secret.
    pub fn fingerprint(&self) -> String {
        let shown = Self { database_url: Store::describe(&self.database_url, &self.data).unwrap_or_default(), ..self.clone() };
        Digest::of(format!("{shown:?}").as_bytes()).to_string()
    }

    /// Reads the named file, else `picloud.toml` in the working folder if there is one, and applies what wins over it.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        let path = file.unwrap_or(Path::new(FILE_NAME));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { path: path.into(), source }),
        };
        let mut config = Self::parse(path, &text)?;
        let are_elsewhere = overrides.settings();
        overrides.apply(&mut config);
        config.validate().map_err(|fault| fault.at(path, &text, &are_elsewhere))?;
        Ok(config)
    }

    /// Reads a configuration's text; paths in it are relative to its file.
    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file: File = toml_text::parse(text).map_err(|problem| {
            let diagnostic = Diagnostic::error(path.display().to_string(), problem.message).at(text, problem.position);
            ConfigError::Wrong(Box::new(diagnostic.maybe_hint(problem.hint)))
        })?;
        let databases = file.validate().and_then(|()| file.databases()).map_err(|fault| fault.at(path, text, &[]))?;
        Ok(file.resolve(path.parent().unwrap_or(Path::new("")), databases))
    }

    fn validate(&self) -> Result<(), Fault> {
        Store::describe(&self.database_url, &self.data).map_err(|error| Fault::new(&["database.url"], error.to_string()))?;
        if let Some((key, value, ceiling)) = self.limits.default.first_above(&self.limits.ceiling) {
            let keys = [format!("limits.{key}"), format!("ceilings.{key}")];
            let message = format!("`{key}` in the section `[limits]` is {value}, above the ceiling of {ceiling}");
            return Err(Fault::new(&keys.each_ref().map(String::as_str), message).hint("raise it in the section `[ceilings]` as well"));
        }
        executor::must_have_stack(&self.executor, &self.limits.ceiling)?;
        server::must_have_two_addresses(&self.server)
    }
}
