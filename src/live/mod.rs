//! What is live: one immutable table, swapped whole. A request keeps the table that it began with.

pub mod explain;
mod function;
pub mod listing;
pub mod meter;
pub mod router;
pub mod scripts;
mod status;
mod table;
pub mod triggers;

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use tokio::sync::watch;

pub use function::LiveFunction;
pub use router::Match;
use scripts::Files;
pub use status::Status;
pub use table::{BrokenFile, Destination, METERS, SharedMeters, Table};

use crate::{
    deployment::Commit,
    function::{Diagnostic, Revision},
};

/// What another branch than the one that deploys shows.
pub struct Preview {
    /// Its commit.
    pub revision: Revision,
    /// What git says of it.
    pub commit: Option<Commit>,
    /// Its functions; none if they have mistakes.
    pub table: Option<Arc<Table>>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// What other branches show, by name.
pub type Previews = BTreeMap<String, Arc<Preview>>;

/// The live table and the node's status: one writer, the sync loop; as many readers as there are requests.
pub struct Live {
    table: ArcSwap<Table>,
    status: ArcSwap<Status>,
    previews: ArcSwap<Previews>,
    files: ArcSwap<Files>,
    /// Counts the swaps.
    swaps: watch::Sender<u64>,
    /// Counts the changes of the status, and of what other branches show.
    changes: watch::Sender<u64>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            table: ArcSwap::from_pointee(Table::nothing()),
            status: ArcSwap::default(),
            previews: ArcSwap::default(),
            files: ArcSwap::default(),
            swaps: watch::Sender::default(),
            changes: watch::Sender::default(),
        }
    }
}

impl Live {
    /// Returns the table that is live now.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Makes a table live, at once and whole. Hold the one before until this returns: dropping 10,000 routes takes time that no request
    /// should pay.
    pub fn swap(&self, table: Table) {
        self.table.store(Arc::new(table));
        self.swaps.send_modify(|count| *count += 1);
    }

    /// Returns a channel that tells of each table that goes live.
    pub fn swaps(&self) -> watch::Receiver<u64> {
        self.swaps.subscribe()
    }

    /// Returns the files of the source and those that are live.
    pub fn files(&self) -> Arc<Files> {
        self.files.load_full()
    }

    /// Says which files those are.
    pub fn show_files(&self, files: Files) {
        self.files.store(Arc::new(files));
    }

    /// Returns what other branches show.
    pub fn previews(&self) -> Arc<Previews> {
        self.previews.load_full()
    }

    /// Shows other branches: these, and no others.
    pub fn show(&self, previews: Previews) {
        self.previews.store(Arc::new(previews));
        self.changes.send_modify(|count| *count += 1);
    }

    /// Returns what keeps the node from being as it should be.
    pub fn status(&self) -> Arc<Status> {
        self.status.load_full()
    }

    /// Changes the status.
    pub fn set_status(&self, change: impl Fn(&mut Status)) {
        self.status.rcu(|status| {
            let mut status = Status::clone(status);
            change(&mut status);
            status
        });
        self.changes.send_modify(|count| *count += 1);
    }

    /// Returns a channel that tells of each change of the status, and of what other branches show.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
