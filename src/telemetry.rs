//! How the node speaks about itself: on stderr, readable for people on a terminal, JSON lines for everything else.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::config::{Log, LogFormat};

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("`{level}` is no log level\n  hint: use `error`, `warn`, `info`, `debug`, `trace`, or `info,picloud::sync=debug`")]
pub struct BadLevel {
    level: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Starts the log. Later calls in the same process change nothing.
pub fn start(log: &Log) -> Result<(), BadLevel> {
    let filter = EnvFilter::builder().parse(&log.level).map_err(|source| BadLevel { level: log.level.clone(), source })?;
    let is_json = match log.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    let lines = fmt::layer().with_writer(stderr).with_target(false);
    // A second start is a test's, in a process that has its log already.
    let _ = if is_json {
        tracing_subscriber::registry().with(filter).with(lines.json().flatten_event(true)).try_init()
    } else {
        tracing_subscriber::registry().with(filter).with(lines.with_ansi(stderr().is_terminal())).try_init()
    };
    Ok(())
}
