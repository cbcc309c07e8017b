//! The section `[log]`: how the node speaks about itself.

use serde::{Deserialize, Deserializer, de::Error};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// The form of the node's own log on stderr.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Readable on a terminal, JSON lines elsewhere.
    #[default]
    Auto,
    /// Readable.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// How the node speaks about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The form.
    pub format: LogFormat,
    /// How much.
    pub level: Level,
}

/// A level (`info`), or levels by part (`info,picloud::sync=debug`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level(String);

impl Log {
    /// Keeps to what is wrong with the node, unless somebody has said how much there is to say. `picloud dev` tells the rest by itself.
    pub fn tell_less(&mut self) {
        if self.level == Level::default() {
            self.level = Level("warn,picloud::sync=off,picloud::runner=error".into());
        }
    }
}

impl Default for Level {
    fn default() -> Self {
        Self("info".into())
    }
}

impl Level {
    /// Reads a level; `None` if it is none. To the filter a word that is no level names a part, and everything else would be silent.
    fn parse(text: &str) -> Option<Self> {
        let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
        let mut directives = text.split(',');
        let is_known = directives.all(|directive| is_level(directive.trim()) || directive.contains('='));
        (is_known && EnvFilter::builder().parse(text).is_ok()).then(|| Self(text.into()))
    }

    /// Returns what lets lines of this level through.
    pub fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            let hint = "write `error`, `warn`, `info`, `debug`, `trace`, `off`, or `info,picloud::sync=debug`";
            Error::custom(format!("`{text}` is no log level\nhint: {hint}"))
        })
    }
}

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogFile {
    format: LogFormat,
    level: Level,
}

impl LogFile {
    pub(super) fn resolve(self) -> Log {
        Log { format: self.format, level: self.level }
    }
}
