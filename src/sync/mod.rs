//! Brings the live table in line with the source: hint → snapshot → check → load → record → swap.

pub mod archive;
pub mod check;
pub mod diff;
mod examine;
mod obey;
mod opened;
pub mod orders;
pub mod plan;
mod previews;
mod propose;
mod remember;
pub mod rollback;
pub mod settle;
mod trials;
pub mod upload;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use check::{Checker, Functions};
use examine::Examiner;
use orders::Order;
use propose::{Proposal, Wanted};
use remember::Kept;
use settle::Settled;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use trials::Trials;

use crate::{
    audit::Actor,
    clock::{Ids, monotonic},
    deployment::{Cause, Changes, Deployment, DeploymentId, DeploymentStatus, Following, FunctionChange, Snapshot},
    engine::Engine,
    executor::SharedExecutor,
    function::{
        Diagnostic, FilePath, Revision, SharedFunction, Tree,
        tree::{differences, directory_revision},
    },
    live::{Live, Table, scripts::Files},
    shown::count,
    source::{Source, SourceError, edit::FileEdit},
    store::Store,
};

/// Shortest and longest wait before a deployment that waits for the database is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// The revision of a repository without its branch.
const EMPTY: &str = "empty";

/// The parts that a sync works with.
pub struct Parts {
    /// What to follow.
    pub source: Arc<dyn Source>,
    /// Compiles.
    pub engine: Arc<Engine>,
    /// Runs.
    pub executor: SharedExecutor,
    /// Records; none until the database has been reached once.
    pub store: watch::Receiver<Option<Store>>,
    /// What requests meet.
    pub live: Arc<Live>,
    /// Makes deployment ids.
    pub ids: Arc<Ids>,
    /// Stack for compiling and for running modules, in bytes.
    pub stack_bytes: usize,
}

/// The loop. It has one owner and is the only writer of the live table.
pub struct Sync {
    parts: Parts,
    checker: Arc<Mutex<Checker>>,
    /// What is live, and what the store says is.
    tree: Arc<Tree>,
    functions: Arc<Functions>,
    deployment: Option<Deployment>,
    /// Files that answer that they are broken. One more is no news if it waits for a module or a guard that is known to be wrong.
    broken: Vec<FilePath>,
    /// What the source held at the last look, if that could be read and nothing kept it from going live.
    wanted: Option<Wanted>,
    /// The last revision that was decided on, with everything that was wrong in it.
    decided: Option<(Revision, Vec<Diagnostic>)>,
    /// The deployment that is live without the store knowing, because the node began without its database.
    unrecorded: Option<Deployment>,
    /// What operators said about following the source.
    following: Following,
    /// What others ask beside.
    trials: Trials,
}

impl Sync {
    /// Makes a loop that has done nothing.
    pub fn new(parts: Parts) -> Self {
        let checker = Arc::new(Mutex::new(Checker::new(parts.engine.clone())));
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
            trials: Trials::new(),
        }
    }

    /// Returns what checks trees, compared with what is live now.
    fn examiner(&self) -> Examiner {
        Examiner {
            engine: self.parts.engine.clone(),
            checker: self.checker.clone(),
            tree: self.tree.clone(),
            functions: self.functions.clone(),
            following: self.following.clone(),
            stack_bytes: self.parts.stack_bytes,
            beside: None,
        }
    }

    /// Makes live what the source holds now, or what was live before if the source is not there.
    pub async fn start(&mut self) {
        self.recall().await;
        self.remind_source().await;
        self.sync(Cause::Start).await;
    }

    /// Follows the source, and obeys orders, until told to stop.
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
                    done = self.obey(order, done).await;
                    continue;
                }
            }
            done = self.sync(source.cause()).await;
            self.show_previews().await;
        }
    }

    fn follow_as(&mut self, following: Following) {
        self.parts.live.set_status(|status| status.following.clone_from(&following));
        self.following = following;
    }

    /// Looks at the source once and does what it asks for.
    async fn sync(&mut self, cause: Cause) -> Done {
        self.sync_after(cause, None).await
    }

    /// The same after somebody has changed it through this node.
    async fn sync_after(&mut self, cause: Cause, change: Option<Written<'_>>) -> Done {
        let began = monotonic();
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
            Err(error) => return self.without_source(&with_causes(&error)).await,
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
            return Done::Decided;
        }
        let proposal = self.propose(snapshot, began).await;
        self.wanted = Some(proposal.wanted());
        let (wanted, is_refused) = (proposal.settled.wanted.clone(), proposal.is_refused);
        let done = self.decide(cause, change.map(|change| change.by), proposal).await;
        let held = self.held_files().filter(|_| !is_refused);
        self.parts.live.set_status(|status| status.held.clone_from(&held));
        self.show_files(wanted);
        done
    }

    fn show_files(&self, wanted: Arc<Tree>) {
        self.parts.live.show_files(Files { wanted, live: self.tree.clone() });
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

    /// Keeps what is live; at the start that is what the store remembers.
    async fn keep(&mut self) {
        if let (false, Some(deployment)) = (self.is_shown(), self.deployment.clone()) {
            let settled = self.examiner().settle(whole(&self.tree)).await;
            self.load(&settled).await;
            self.swap(deployment, settled);
        }
    }

    /// Compares what can go live with what is, and makes the difference live and known.
    async fn decide(&mut self, cause: Cause, by: Option<&Actor>, proposal: Proposal) -> Done {
        let Proposal { revision, commit, settled, is_refused, following, rollback, began, .. } = proposal;
        let is_loaded = self.is_shown();
        let is_commit = commit.is_some();
        let is_known = |decided: &(Revision, Vec<Diagnostic>)| {
            decided.1 == settled.diagnostics && (!is_commit || decided.0 == revision) && following == self.following
        };
        let news = !self.decided.as_ref().is_some_and(is_known);
        let files = differences(&self.tree, &settled.tree);
        let changes = self.changes(&settled);
        let forced = commit.as_ref().and_then(|commit| Some(format!("forced: does not contain {}", commit.replaces.as_ref()?)));
        let rollback = rollback.filter(|rollback| is_commit || rollback.is_ending()).map(|rollback| rollback.to_string());
        let note = Some([forced, rollback].into_iter().flatten().collect::<Vec<_>>().join("; ")).filter(|note| !note.is_empty());
        let mut deployment = Deployment {
            id: DeploymentId(self.parts.ids.next()),
            revision: revision.clone(),
            cause,
            by: commit.as_ref().map(|commit| commit.author.clone()).or_else(|| by.map(|actor| actor.who.clone())),
            pushed_by: commit.and_then(|commit| commit.pushed_by),
            note,
            status: DeploymentStatus::Live,
            diagnostics: settled.diagnostics.clone(),
            changes,
            functions: settled.report.functions.len() as u32,
            took_us: began.elapsed().as_micros() as i64,
        };
        let is_same = files.is_empty() && (self.deployment.is_some() || is_refused);
        if is_same && !news {
            if !is_loaded {
                match &self.deployment {
                    Some(live) if !is_refused => {
                        let live = Deployment { changes: Vec::new(), took_us: deployment.took_us, ..live.clone() };
                        self.announce(&settled, &live, Some(live.id), "is live as before");
                    }
                    _ => self.announce(&settled, &deployment, None, "is refused as before"),
                }
            }
            let is_other = settled.broken.iter().map(|broken| &broken.file).ne(&self.broken);
            if let Some(live) = self.deployment.clone().filter(|_| !is_loaded || is_other) {
                self.load(&settled).await;
                self.swap(live, settled);
            }
            return Done::Decided;
        }
        self.load(&settled).await;
        let is_rejected = is_refused || (is_same && settled.diagnostics.iter().any(Diagnostic::is_error));
        if is_rejected {
            deployment.status = DeploymentStatus::Rejected;
        }
        let changed = Changes {
            files: files.into_iter().map(|path| (path.clone(), settled.tree.get(&path).cloned())).collect(),
            functions: self.new_functions(&settled),
            following: (following != self.following).then(|| following.clone()),
            origin: by.map(|actor| actor.origin),
        };
        match self.record(&deployment, &changed).await {
            Kept::Yes => {}
            Kept::Overtaken => return Done::WaitsForStore,
            Kept::Waits => {
                self.keep().await;
                return Done::WaitsForStore;
            }
        }
        if changed.following.is_some() {
            self.follow_as(following);
        }
        self.decided = Some((revision, settled.diagnostics.clone()));
        self.announce(&settled, &deployment, Some(deployment.id), if is_rejected { "is refused" } else { "is live" });
        // A refusal changes no function, but may add a file that is broken and answers so.
        match (is_rejected, self.deployment.clone()) {
            (false, _) => self.swap(deployment, settled),
            (true, Some(live)) => self.swap(live, settled),
            (true, None) => self.parts.live.set_status(|status| status.diagnostics.clone_from(&settled.diagnostics)),
        }
        Done::Decided
    }

    /// Returns whether requests meet what is said to be live: not at the start, and not when another node's deployment came to be known.
    fn is_shown(&self) -> bool {
        let table = self.parts.live.table();
        table.is_loaded() && self.deployment.as_ref().is_none_or(|live| live.id == table.deployment)
    }

    async fn load(&self, settled: &Settled) {
        let functions: Vec<SharedFunction> = settled.report.functions.values().cloned().collect();
        if let Err(diagnostics) = self.parts.executor.load(&functions).await {
            // Check has compiled every one of them.
            tracing::error!("the executor refuses what was checked: {diagnostics:?}");
        }
    }

    fn swap(&mut self, deployment: Deployment, settled: Settled) {
        let before = self.parts.live.table();
        self.parts.live.swap(Table::new(deployment.id, settled.report.functions.values(), &settled.broken, &before));
        let live = Arc::new(deployment.clone());
        self.parts.live.set_status(|status| {
            status.diagnostics.clone_from(&settled.diagnostics);
            status.live = Some(live.clone());
        });
        self.deployment = Some(deployment);
        self.broken = settled.broken.into_iter().map(|broken| broken.file).collect();
        self.tree = settled.tree;
        self.functions = settled.report.functions;
        self.show_files(settled.wanted);
        drop(before);
    }

    fn announce(&self, settled: &Settled, deployment: &Deployment, id: Option<DeploymentId>, what: &str) {
        for diagnostic in &settled.diagnostics {
            if diagnostic.is_error() {
                tracing::error!("{diagnostic}");
            } else {
                tracing::warn!("{diagnostic}");
            }
        }
        let number = |kind: fn(&FunctionChange) -> bool| deployment.changes.iter().filter(|change| kind(change)).count();
        let added = number(|change| change.from.is_none());
        let removed = number(|change| change.to.is_none());
        tracing::info!(
            deployment.id = id.map(tracing::field::display),
            revision = %deployment.revision,
            "{} {what}: {}, {added} added, {} changed, {removed} removed, in {} ms",
            deployment.revision,
            count(deployment.functions as usize, "function"),
            deployment.changes.len() - added - removed,
            deployment.took_us / 1000,
        );
    }
}

/// What somebody has written through this node.
#[derive(Clone, Copy)]
struct Written<'a> {
    by: &'a Actor,
    files: &'a BTreeMap<FilePath, FileEdit>,
}

impl Written<'_> {
    /// Returns whether a file of a tree is as it was written, to its end.
    fn is_whole(&self, path: &FilePath, tree: &Tree) -> bool {
        self.files.get(path).is_some_and(|edit| edit.after.as_ref() == tree.get(path))
    }
}

/// Returns a snapshot of files that are as they are meant to be.
fn whole(tree: &Tree) -> Snapshot {
    Snapshot { revision: directory_revision(tree), tree: tree.clone(), unsettled: Vec::new(), problems: Vec::new(), commit: None }
}

/// Writes an error with everything that led to it, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// What became of one look at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// It is live, refused, or nothing new.
    Decided,
    /// It will be live when the database has recorded it.
    WaitsForStore,
}
