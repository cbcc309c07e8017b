//! Seam 1: where function files come from. A source only says «look again» and shows one whole state; the sync loop decides what it means.

pub mod directory;

use async_trait::async_trait;

use crate::deployment::Snapshot;

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The root is not there: not mounted, moved away, or never made. Nothing is unloaded for it.
    #[error("the functions folder `{path}` is missing")]
    RootMissing {
        /// As configured.
        path: std::path::PathBuf,
    },
    /// The file system refused.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// What was being read.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Where function files come from.
#[async_trait]
pub trait Source: Send + Sync {
    /// Returns what this is, for status lines: `directory ./functions`.
    fn describe(&self) -> String;

    /// Waits until the source may differ from the last snapshot. May be wrong in both directions for a moment, never for long.
    async fn changed(&self);

    /// Reads the whole state.
    async fn snapshot(&self) -> Result<Snapshot, SourceError>;
}
