//! Earlier deployments, ready to answer again. Their files are in the store; what they share with what is live is not compiled twice.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::{
    runtime::Handle,
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore, oneshot, watch},
};

use super::{
    check::Checker,
    diff::{DeploymentDiff, Detail, Sides},
};
use crate::{
    blocking,
    deployment::DeploymentId,
    engine::{Engine, memory},
    executor::SharedExecutor,
    function::{Diagnostic, SharedFunction, Tree},
    live::{Live, Table},
    store::{FindError, Store},
};

/// Deployments that are kept ready. The one that was asked for longest ago goes first; a request keeps the table that it began with.
pub const KEPT: usize = 8;
/// Deployments that are made ready or compared at the same time: each takes a processor for as long as its check does.
const LOADS: usize = 2;

/// The parts that this works with.
pub struct EarlierParts {
    /// Compiles.
    pub engine: Arc<Engine>,
    /// Runs.
    pub executor: SharedExecutor,
    /// Has the files; none until the database has been reached once.
    pub store: watch::Receiver<Option<Store>>,
    /// The live table: tables of earlier deployments share its functions where they are the same.
    pub live: Arc<Live>,
    /// Stack for compiling and for running modules, in bytes.
    pub stack_bytes: usize,
}

/// Why an earlier deployment does not answer.
#[derive(Debug, thiserror::Error)]
pub enum EarlierError {
    /// There is none of this name, or it was never live, or the database does not answer.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The database has not been reached yet.
    #[error("the database is not there yet")]
    NoDatabase,
    /// Its files were right once, and are not by today's rules and limits.
    #[error("the files of deployment {id} do not check any more")]
    Outdated {
        /// Which.
        id: DeploymentId,
        /// Mistakes in them.
        diagnostics: Arc<[Diagnostic]>,
    },
    /// The system has no thread left.
    #[error("cannot start a thread that checks the files")]
    NoThread(#[source] io::Error),
}

/// A deployment made ready, or what is wrong with its files.
type LoadResult = Result<Arc<Table>, Arc<[Diagnostic]>>;
/// Made ready once, however many ask at the same time.
type Slot = Arc<OnceCell<LoadResult>>;

/// Gives tables of earlier deployments. Cheap to clone.
#[derive(Clone)]
pub struct EarlierDeployments {
    parts: Arc<EarlierParts>,
    /// At most [`KEPT`], the one that was asked for last at the end.
    slots: Arc<Mutex<Vec<(DeploymentId, Slot)>>>,
    places: Arc<Semaphore>,
}

impl EarlierDeployments {
    /// Begins with nothing ready.
    pub fn new(parts: EarlierParts) -> Self {
        Self { parts: Arc::new(parts), slots: Arc::default(), places: Arc::new(Semaphore::new(LOADS)) }
    }

    /// Returns the table of the deployment with this id or revision; the first seven characters of a revision are enough.
    pub async fn table(&self, key: &str) -> Result<Arc<Table>, EarlierError> {
        let (id, slot) = match key.parse().ok().and_then(|id| self.known(id)) {
            Some(known) => known,
            None => {
                let id = self.store()?.find_deployment(key).await?.id;
                (id, self.slot(id))
            }
        };
        let ready = slot.get_or_try_init(|| self.load(id)).await?;
        ready.clone().map_err(|diagnostics| EarlierError::Outdated { id, diagnostics })
    }

    /// Returns the number of deployments that are kept ready.
    pub fn len(&self) -> usize {
        self.with_slots(|slots| slots.len())
    }

    /// Returns whether none is kept ready.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns what differs between two deployments that were live; without `from`, between what was live before `to` and that.
    pub async fn difference(&self, from: Option<&str>, to: &str, detail: Detail) -> Result<DeploymentDiff, EarlierError> {
        let place = self.place().await;
        let sides = Sides::read(&self.store()?, from, to).await?;
        self.at_place(place, move |parts| sides.compare(parts.engine.clone(), detail)).await
    }

    fn store(&self) -> Result<Store, EarlierError> {
        self.parts.store.borrow().clone().ok_or(EarlierError::NoDatabase)
    }

    fn with_slots<T>(&self, work: impl FnOnce(&mut Vec<(DeploymentId, Slot)>) -> T) -> T {
        work(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Finds the slot of a deployment that is ready or on the way, and makes it the last to go.
    fn known(&self, id: DeploymentId) -> Option<(DeploymentId, Slot)> {
        self.with_slots(|slots| {
            let at = slots.iter().position(|(known, _)| *known == id)?;
            slots[at..].rotate_left(1);
            slots.last().cloned()
        })
    }

    fn slot(&self, id: DeploymentId) -> Slot {
        if let Some((_, slot)) = self.known(id) {
            return slot;
        }
        let slot = Slot::default();
        // Dropped when the lock is free again: a table of ten thousand routes takes its time.
        let _gone = self.with_slots(|slots| {
            slots.push((id, slot.clone()));
            (slots.len() > KEPT).then(|| slots.remove(0))
        });
        slot
    }

    /// Reads the files of a deployment and makes them ready.
    async fn load(&self, id: DeploymentId) -> Result<LoadResult, EarlierError> {
        let place = self.place().await;
        let tree = self.store()?.tree_of(id).await.map_err(FindError::Store)?.unwrap_or_default();
        let runtime = Handle::current();
        self.at_place(place, move |parts| parts.make_ready(id, &Arc::new(tree), &runtime)).await
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        self.places.clone().acquire_owned().await.expect("nobody closes it")
    }

    /// Works where there is stack enough. The place goes with the thread: it is taken until the work ends, even when nobody waits for it any
    /// more.
    async fn at_place<T: Send + 'static>(
        &self,
        place: OwnedSemaphorePermit,
        work: impl FnOnce(&EarlierParts) -> T + Send + 'static,
    ) -> Result<T, EarlierError> {
        let (sender, receiver) = oneshot::channel();
        let parts = self.parts.clone();
        let work = move || {
            let _ = sender.send(work(&parts));
            drop(place);
            parts.engine.forget_unheld();
            memory::give_back();
        };
        let thread = thread::Builder::new().name("earlier".into());
        blocking::spawn_large(thread, self.parts.stack_bytes, work).map_err(|(_, error)| EarlierError::NoThread(error))?;
        Ok(receiver.await.expect("check catches what scripts can do"))
    }
}

impl EarlierParts {
    /// Checks and loads a tree. To be called where there is stack enough.
    fn make_ready(&self, id: DeploymentId, tree: &Arc<Tree>, runtime: &Handle) -> LoadResult {
        // Holds what is compiled until the executor does.
        let mut checker = Checker::new(self.engine.clone());
        let report = checker.check(tree);
        if !report.is_good() {
            return Err(report.diagnostics.into_iter().filter(Diagnostic::is_error).collect());
        }
        let functions: Vec<SharedFunction> = report.functions.values().cloned().collect();
        runtime.block_on(self.executor.load(&functions))?;
        Ok(Arc::new(Table::preview(id, functions.iter(), &self.live.table())))
    }
}
