//! Brings the live table in line with the source: hint → snapshot → check → load → record → swap.

pub mod check;
pub mod orders;
pub mod settle;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use check::{Checker, Functions};
use orders::Order;
use settle::{Settled, settle};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Ids, monotonic},
    deployment::{Cause, Changes, Deployment, DeploymentId, DeploymentStatus, FunctionChange, Snapshot},
    engine::{Engine, memory},
    executor::SharedExecutor,
    function::{
        Diagnostic, FilePath, Revision, SharedFunction, Tree,
        tree::{differences, directory_revision},
    },
    live::{Live, Table},
    source::Source,
    store::Store,
};

/// Shortest and longest wait before a deployment that waits for the database is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

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
    deployment: Option<DeploymentId>,
    /// Files that answer that they are broken. One more is no news if it waits for a module or a guard that is known to be wrong.
    broken: Vec<FilePath>,
    /// The last revision that was decided on, with everything that was wrong in it.
    decided: Option<(Revision, Vec<Diagnostic>)>,
    /// The deployment that is live without the store knowing, because the node began without its database.
    unrecorded: Option<Deployment>,
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
            decided: None,
            unrecorded: None,
        }
    }

    /// Makes live what the source holds now, or what was live before if the source is not there.
    pub async fn start(&mut self) {
        self.recall().await;
        self.sync(Cause::Start).await;
    }

    /// Follows the source until told to stop.
    pub async fn follow(mut self, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
        let source = self.parts.source.clone();
        let mut store = self.parts.store.clone();
        let mut done = self.sync(Cause::Save).await;
        let mut wait = RETRY.0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = source.changed() => {}
                Ok(()) = store.changed() => self.record_what_is_live().await,
                () = tokio::time::sleep(wait), if done == Done::WaitsForStore => {}
                Some(order) = orders.recv() => {
                    done = self.obey(order).await;
                    continue;
                }
            }
            done = self.sync(Cause::Save).await;
            wait = if done == Done::WaitsForStore { (wait * 2).min(RETRY.1) } else { RETRY.0 };
        }
    }

    async fn obey(&mut self, order: Order) -> Done {
        self.parts.source.refresh().await;
        let done = self.sync(Cause::Save).await;
        if let Order::Look(reply) = order {
            let _ = reply.send(());
        }
        done
    }

    /// Learns from the store what was live before the node stopped.
    async fn recall(&mut self) {
        let Some(store) = self.parts.store.borrow().clone() else { return };
        match tokio::try_join!(store.live(), store.last_deployment()) {
            Ok((live, last)) => {
                if let Some((deployment, tree)) = live {
                    self.deployment = Some(deployment.id);
                    self.tree = Arc::new(tree);
                    let remembered = self.settle(whole(&self.tree)).await;
                    self.functions = remembered.report.functions;
                }
                self.decided = last.map(|last| (last.revision, last.diagnostics));
            }
            Err(error) => tracing::error!("cannot read from the database what was live: {error}"),
        }
    }

    /// Looks at the source once and does what it asks for.
    async fn sync(&mut self, cause: Cause) -> Done {
        let began = monotonic();
        let snapshot = match self.parts.source.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(error) => return self.without_source(&error.to_string()).await,
        };
        self.parts.live.set_status(|status| {
            status.wanted = Some(snapshot.revision.clone());
            status.source = None;
        });
        let revision = snapshot.revision.clone();
        let settled = self.settle(snapshot).await;
        self.decide(cause, revision, settled, began).await
    }

    /// Keeps what is live; at the start that is what the store remembers.
    async fn without_source(&mut self, why: &str) -> Done {
        if self.parts.live.status().source.as_deref() != Some(why) {
            tracing::warn!("{why}; what was live stays live");
        }
        self.parts.live.set_status(|status| status.source = Some(why.into()));
        if let (false, Some(deployment)) = (self.parts.live.table().is_loaded(), self.deployment) {
            let settled = self.settle(whole(&self.tree)).await;
            self.load(&settled).await;
            self.swap(deployment, settled);
        }
        Done::Decided
    }

    async fn settle(&self, snapshot: Snapshot) -> Settled {
        let (checker, live) = (self.checker.clone(), self.tree.clone());
        let (sender, receiver) = oneshot::channel();
        // A thread of its own: compiling ten thousand files takes half a second, and modules run while they are checked.
        let check = move || {
            let mut checker = checker.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = sender.send(settle(&mut checker, snapshot, &live));
            // Nobody waits for the rest.
            drop(live);
            checker.forget_others();
            memory::give_back();
        };
        let thread = std::thread::Builder::new().name("check".into()).stack_size(self.parts.stack_bytes).spawn(check);
        thread.expect("the system gives one thread");
        receiver.await.expect("check catches what scripts can do")
    }

    /// Compares what can go live with what is, and makes the difference live and known.
    async fn decide(&mut self, cause: Cause, revision: Revision, settled: Settled, began: std::time::Instant) -> Done {
        let is_loaded = self.parts.live.table().is_loaded();
        let news = self.decided.as_ref().is_none_or(|(_, diagnostics)| *diagnostics != settled.diagnostics);
        let files = differences(&self.tree, &settled.tree);
        let changes = self.changes(&settled);
        let mut deployment = Deployment {
            id: DeploymentId(self.parts.ids.next()),
            revision: revision.clone(),
            cause,
            by: None,
            pushed_by: None,
            note: None,
            status: DeploymentStatus::Live,
            diagnostics: settled.diagnostics.clone(),
            changes,
            functions: settled.report.functions.len() as u32,
            took_us: began.elapsed().as_micros() as i64,
        };
        let is_same = files.is_empty() && self.deployment.is_some();
        if is_same && !news {
            if !is_loaded {
                self.announce(&settled, &deployment, "is live as before");
            }
            let is_other = settled.broken.iter().map(|broken| &broken.file).ne(&self.broken);
            if let Some(id) = self.deployment.filter(|_| !is_loaded || is_other) {
                self.load(&settled).await;
                self.swap(id, settled);
            }
            return Done::Decided;
        }
        self.load(&settled).await;
        let is_rejected = is_same && settled.diagnostics.iter().any(Diagnostic::is_error);
        if is_rejected {
            deployment.status = DeploymentStatus::Rejected;
        }
        let changed = Changes {
            files: files.into_iter().map(|path| (path.clone(), settled.tree.get(&path).cloned())).collect(),
            functions: self.new_functions(&settled),
            following: None,
        };
        if !self.record(&deployment, &changed).await {
            return Done::WaitsForStore;
        }
        self.decided = Some((revision, settled.diagnostics.clone()));
        self.announce(&settled, &deployment, if is_rejected { "is refused" } else { "is live" });
        // A refusal changes no function, but may add a file that is broken and answers so.
        let live = self.deployment.filter(|_| is_rejected).unwrap_or(deployment.id);
        self.swap(live, settled);
        Done::Decided
    }

    /// Records a deployment. Returns whether it may go live: not while a database that the node has known is away.
    async fn record(&mut self, deployment: &Deployment, changes: &Changes) -> bool {
        let Some(store) = self.parts.store.borrow().clone() else {
            self.unrecorded = Some(deployment.clone());
            return true;
        };
        match store.record_deployment(deployment, changes).await {
            Ok(()) => {
                self.parts.live.set_status(|status| {
                    status.waiting = None;
                    status.database = None;
                });
                true
            }
            Err(error) => {
                if self.parts.live.status().waiting.is_none() {
                    tracing::error!("the deployment of {} waits for the database: {error}", deployment.revision);
                }
                let waiting = format!("the deployment of {} waits for the database", deployment.revision);
                self.parts.live.set_status(|status| status.waiting = Some(waiting.clone()));
                false
            }
        }
    }

    /// The database has come after the node began without it: records what is live against what the store remembers.
    async fn record_what_is_live(&mut self) {
        let (Some(deployment), Some(store)) = (self.unrecorded.take(), self.parts.store.borrow().clone()) else { return };
        let remembered = match store.live().await {
            Ok(live) => live.map(|(_, tree)| tree).unwrap_or_default(),
            Err(error) => {
                tracing::error!("cannot read from the database what was live: {error}");
                self.unrecorded = Some(deployment);
                return;
            }
        };
        let files = differences(&remembered, &self.tree);
        let changes = Changes {
            files: files.into_iter().map(|path| (path.clone(), self.tree.get(&path).cloned())).collect(),
            functions: self.functions.values().cloned().collect(),
            following: None,
        };
        if let Err(error) = store.record_deployment(&deployment, &changes).await {
            tracing::error!("cannot record what is live: {error}");
            self.unrecorded = Some(deployment);
        }
    }

    fn changes(&self, settled: &Settled) -> Vec<FunctionChange> {
        let after = &settled.report.functions;
        let removed = self.functions.iter().filter(|(path, _)| !after.contains_key(*path)).map(|(_, function)| FunctionChange {
            function: function.name.clone(),
            from: Some(function.version),
            to: None,
        });
        let others = after.iter().filter_map(|(path, function)| {
            let from = self.functions.get(path).map(|before| before.version);
            (from != Some(function.version)).then(|| FunctionChange { function: function.name.clone(), from, to: Some(function.version) })
        });
        removed.chain(others).collect()
    }

    fn new_functions(&self, settled: &Settled) -> Vec<SharedFunction> {
        let is_new =
            |path: &FilePath, function: &SharedFunction| self.functions.get(path).is_none_or(|before| before.version != function.version);
        settled.report.functions.iter().filter(|(path, function)| is_new(path, function)).map(|(_, function)| function.clone()).collect()
    }

    async fn load(&self, settled: &Settled) {
        let functions: Vec<SharedFunction> = settled.report.functions.values().cloned().collect();
        if let Err(diagnostics) = self.parts.executor.load(&functions).await {
            // Check has compiled every one of them.
            tracing::error!("the executor refuses what was checked: {diagnostics:?}");
        }
    }

    fn swap(&mut self, deployment: DeploymentId, settled: Settled) {
        let before = self.parts.live.table();
        self.parts.live.swap(Table::new(deployment, settled.report.functions.values(), &settled.broken, &before));
        self.parts.live.set_status(|status| status.diagnostics.clone_from(&settled.diagnostics));
        self.deployment = Some(deployment);
        self.broken = settled.broken.into_iter().map(|broken| broken.file).collect();
        self.tree = settled.tree;
        self.functions = settled.report.functions;
        drop(before);
    }

    fn announce(&self, settled: &Settled, deployment: &Deployment, what: &str) {
        for diagnostic in &settled.diagnostics {
            if diagnostic.is_error() {
                tracing::error!("{diagnostic}");
            } else {
                tracing::warn!("{diagnostic}");
            }
        }
        let count = |kind: fn(&FunctionChange) -> bool| deployment.changes.iter().filter(|change| kind(change)).count();
        let added = count(|change| change.from.is_none());
        let removed = count(|change| change.to.is_none());
        tracing::info!(
            deployment.id = %deployment.id,
            revision = %deployment.revision,
            "{} {what}: {} functions, {added} added, {} changed, {removed} removed, in {} ms",
            deployment.revision,
            deployment.functions,
            deployment.changes.len() - added - removed,
            deployment.took_us / 1000,
        );
    }
}

/// Returns a snapshot of files that are as they are meant to be.
fn whole(tree: &Tree) -> Snapshot {
    Snapshot { revision: directory_revision(tree), tree: tree.clone(), unsettled: Vec::new(), problems: Vec::new(), commit: None }
}

/// What became of one look at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// It is live, refused, or nothing new.
    Decided,
    /// It will be live when the database has recorded it.
    WaitsForStore,
}
