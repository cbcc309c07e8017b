//! Brings the live table in line with the source: hint → snapshot → check → load → record → swap.
//!
//! This file holds the loop. What a look finds goes through `proposal` (what can go live) and `deploy` (make it live).

mod background;
mod changes;
pub mod check;
mod deploy;
pub mod diff;
mod dispatch;
pub mod earlier;
pub mod fallback;
mod following;
mod live_checker;
mod migrations;
pub mod orders;
pub mod pin;
mod previews;
mod proposal;
mod recall;
mod record;
mod removed_guards;
mod rollback;
mod upload;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use background::Background;
use check::{Checker, Functions, needs::Excuse};
use live_checker::LiveChecker;
use orders::Order;
use proposal::SourceState;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    audit::Actor,
    capability::sql::{MigrationError, Migrations},
    deployment::{Cause, Deployment, Following, Snapshot},
    engine::Engine,
    executor::SharedExecutor,
    function::{Content, Diagnostic, FilePath, Revision, Tree, tree::directory_revision},
    id::Ids,
    live::Live,
    shown::with_causes,
    source::{Source, SourceError},
    store::Store,
};

/// Shortest and longest wait before a deployment that waits for the database is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// The revision of a repository without its branch.
const EMPTY: &str = "empty";

/// The parts that a sync works with.
pub struct SyncParts {
    /// The source to follow.
    pub source: Arc<dyn Source>,
    /// Compiles.
    pub engine: Arc<Engine>,
    /// Runs.
    pub executor: SharedExecutor,
    /// Records; none until the database has been reached once.
    pub store: watch::Receiver<Option<Store>>,
    /// The table that requests meet.
    pub live: Arc<Live>,
    /// Changes the tables of databases that scripts use.
    pub migrations: Arc<dyn Migrations>,
    /// Makes deployment ids.
    pub ids: Arc<Ids>,
    /// Stack for compiling and for running modules, in bytes.
    pub stack_bytes: usize,
}

/// The loop. It has one owner and is the only writer of the live table.
pub struct Sync {
    parts: SyncParts,
    checker: Arc<Mutex<Checker>>,
    /// The live state, as the store knows it.
    tree: Arc<Tree>,
    functions: Arc<Functions>,
    deployment: Option<Deployment>,
    /// Files that answer that they are broken. One more is no news if it waits for a module or a guard that is known to be wrong.
    broken: Vec<FilePath>,
    /// The source at the last look, if it could be read and nothing kept it from going live.
    wanted: Option<SourceState>,
    /// The last revision that was decided on, with everything that was wrong in it.
    decided: Option<(Revision, Vec<Diagnostic>)>,
    /// The deployment that is live without the store knowing, because the node began without its database.
    unrecorded: Option<Deployment>,
    /// The words of operators about following the source.
    following: Following,
    /// Whether the migrations of the live tree are applied, as far as this node knows.
    is_migrated: bool,
    /// Answers those who only ask.
    background: Background,
}

impl Sync {
    /// Makes a loop that has done nothing.
    pub fn new(parts: SyncParts) -> Self {
        let checker = Arc::new(Mutex::new(Checker::new(parts.engine.clone()).with_tables(parts.migrations.clone())));
        Self {
            parts,
            checker,
            tree: Arc::default(),
            functions: Arc::default(),
            deployment: None,
            broken: Vec::new(),
            wanted: None,
            decided: None,
            unrecorded: None,
            following: Following::default(),
            is_migrated: false,
            background: Background::new(),
        }
    }

    /// Returns what checks trees, compared with what is live now.
    fn live_checker(&self) -> LiveChecker {
        LiveChecker {
            engine: self.parts.engine.clone(),
            migrations: self.parts.migrations.clone(),
            checker: self.checker.clone(),
            tree: self.tree.clone(),
            functions: self.functions.clone(),
            following: self.following.clone(),
            excuse: self.excuse(),
            stack_bytes: self.parts.stack_bytes,
            beside: None,
        }
    }

    /// Returns the files that may need what is not there. Before anything is live again after a start, nothing is refused for that.
    fn excuse(&self) -> Excuse {
        if !self.parts.live.table().is_loaded() {
            return Excuse::All;
        }
        let abandoned = self.following.pin.as_ref().map(|pin| pin.files.clone()).unwrap_or_default();
        Excuse::Known { live: self.tree.clone(), abandoned }
    }

    /// Makes live what the source holds now, or what was live before if the source is not there.
    pub async fn start(&mut self) {
        self.recall().await;
        self.remind_source().await;
        self.sync(Cause::Start).await;
    }

    /// Follows the source and carries out orders, until told to stop.
    pub async fn follow(mut self, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
        let source = self.parts.source.clone();
        let mut store = self.parts.store.clone();
        let mut done = self.sync(source.cause()).await;
        self.show_previews().await;
        let mut wait = RETRY.0 / 2;
        loop {
            let waits = done == Done::WaitsForStore || (self.unrecorded.is_some() && store.borrow().is_some());
            wait = if waits { (wait * 2).min(RETRY.1) } else { RETRY.0 / 2 };
            tokio::select! {
                () = stop.cancelled() => return,
                () = source.changed() => {}
                Ok(()) = store.changed() => self.meet_others().await,
                () = tokio::time::sleep(wait), if waits => {}
                Some(order) = orders.recv() => {
                    done = self.carry_out(order, done).await;
                    continue;
                }
            }
            done = self.sync(source.cause()).await;
            self.show_previews().await;
        }
    }

    /// Looks at the source once and does what it asks for.
    async fn sync(&mut self, cause: Cause) -> Done {
        self.sync_after(cause, None).await.unwrap_or_else(|error| {
            self.tell_unmigrated(&error);
            Done::WaitsForStore
        })
    }

    /// The same after somebody has changed it through this node. Returns why the migrations of what the source holds are not applied:
    /// nothing of it goes live then.
    async fn sync_after(&mut self, cause: Cause, change: Option<NodeEdit<'_>>) -> Result<Done, MigrationError> {
        self.record_what_is_live().await;
        let checked_us = self.parts.ids.now_us();
        self.parts.live.set_status(|status| status.checked_us = Some(checked_us));
        let snapshot = match self.parts.source.snapshot().await {
            Ok(mut snapshot) => {
                // What this node has written is no half of a save.
                let Snapshot { tree, unsettled, .. } = &mut snapshot;
                unsettled.retain(|path| !change.is_some_and(|change| change.is_whole(path, tree)));
                snapshot
            }
            // A repository that nothing was pushed to yet.
            Err(SourceError::NoBranch { .. }) if self.deployment.as_ref().is_none_or(|live| live.revision.0 == EMPTY) => {
                Snapshot { revision: Revision(EMPTY.into()), ..whole(&Tree::new()) }
            }
            Err(error) => return Ok(self.without_source(&with_causes(&error)).await),
        };
        let problem = self.parts.source.problem();
        self.parts.live.set_status(|status| {
            if status.wanted.as_ref() != Some(&snapshot.revision) {
                (status.wanted, status.wanted_us) = (Some(snapshot.revision.clone()), Some(checked_us));
            }
            status.source.clone_from(&problem);
        });
        if let Some(why) = self.held(&snapshot) {
            self.wanted = None;
            self.parts.live.set_status(|status| status.held = Some(why.clone()));
            self.keep().await;
            self.show_files(Arc::new(snapshot.tree));
            return Ok(Done::Decided);
        }
        let unsettled = migrations::unsettled(&snapshot, &self.tree);
        let (proposal, migrated) = self.propose(snapshot, change).await;
        self.wanted = Some(proposal.wanted(unsettled));
        let (wanted, is_refused) = (proposal.good.wanted.clone(), proposal.is_refused);
        if let Err(error) = migrated {
            self.keep().await;
            self.show_files(wanted);
            return Err(error);
        }
        let done = self.deploy(cause, change.map(|change| change.by), proposal).await;
        let held = self.held_files().filter(|_| !is_refused);
        self.parts.live.set_status(|status| status.held.clone_from(&held));
        self.show_files(wanted);
        Ok(done)
    }

    /// Keeps what is live, because the source cannot be read.
    async fn without_source(&mut self, why: &str) -> Done {
        self.wanted = None;
        if self.parts.live.status().source.as_deref() != Some(why) {
            match self.deployment {
                Some(_) => tracing::warn!("{why}; what was live stays live"),
                None => tracing::warn!("{why}"),
            }
        }
        self.parts.live.set_status(|status| {
            status.source = Some(why.into());
            (status.wanted, status.wanted_us) = (None, None);
        });
        self.keep().await;
        Done::Decided
    }
}

/// A change that somebody makes through this node.
#[derive(Clone, Copy)]
struct NodeEdit<'a> {
    by: &'a Actor,
    /// The files that it is about, with what they are to be: of a tree all.
    files: &'a BTreeMap<FilePath, Option<Content>>,
}

impl NodeEdit<'_> {
    /// Returns whether a file of a tree is as it was written, to its end.
    fn is_whole(&self, path: &FilePath, tree: &Tree) -> bool {
        self.files.get(path).is_some_and(|after| after.as_ref() == tree.get(path))
    }
}

/// Returns a snapshot of files that are as they are meant to be.
fn whole(tree: &Tree) -> Snapshot {
    Snapshot { revision: directory_revision(tree), tree: tree.clone(), unsettled: Vec::new(), problems: Vec::new(), commit: None }
}

/// The result of one look at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// It is live, refused, or nothing new.
    Decided,
    /// It will be live when a database answers: the store, which records it, or one that it has migrations for.
    WaitsForStore,
}
