//! Checks trees on a thread of its own and compares them with what is live.
//!
//! Compiling ten thousand files takes half a second, and modules run while they are checked.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    check::{Checker, Functions, Report, needs::Excuse},
    fallback::{GoodTree, fall_back},
};
use crate::{
    blocking,
    cancel::CancelFlag,
    capability::sql::Migrations,
    deployment::{Following, Snapshot},
    engine::{Engine, memory},
    function::Tree,
};

/// Pause before the system is asked again for a thread that it did not give.
const THREAD_PAUSE: Duration = Duration::from_millis(250);

/// How much lower the priority is of work beside the loop: requests and deployments go first.
const NICENESS: i32 = 10;

/// Checks what may go live. Cheap to clone.
#[derive(Clone)]
pub(super) struct LiveChecker {
    pub engine: Arc<Engine>,
    pub migrations: Arc<dyn Migrations>,
    pub checker: Arc<Mutex<Checker>>,
    /// The live tree.
    pub tree: Arc<Tree>,
    pub functions: Arc<Functions>,
    /// The words of operators about following the source.
    pub following: Following,
    /// The files that may need what is not there.
    pub excuse: Excuse,
    pub stack_bytes: usize,
    /// None: it works for the loop, whose checker remembers the tree for the next time.
    pub beside: Option<SideCheck>,
}

/// Work beside the loop. The loop's checker is copied, and stays as it was.
#[derive(Clone)]
pub(super) struct SideCheck {
    /// Set when nobody waits for the result any more.
    pub cancel: CancelFlag,
    /// The place of the work, taken until the thread ends.
    pub _place: Arc<OwnedSemaphorePermit>,
}

impl LiveChecker {
    /// Finds what of a directory's state can go live.
    pub async fn fall_back(&self, mut snapshot: Snapshot) -> GoodTree {
        let whole = self.without_unsettled_migrations(&mut snapshot);
        snapshot.problems.extend(self.check_migrations(&snapshot.tree).await);
        let live = self.tree.clone();
        let mut good = self.on_checker(move |checker| fall_back(checker, snapshot, &live)).await;
        good.wanted = whole.unwrap_or(good.wanted);
        good
    }

    /// Checks a tree beside what is live.
    pub async fn check(&self, tree: &Arc<Tree>) -> Report {
        let checked = tree.clone();
        let mut report = self.on_checker(move |checker| checker.check(&checked)).await;
        report.diagnostics.extend(self.check_migrations(tree).await);
        report.diagnostics.sort();
        report
    }

    /// Checks a tree that is not to be compared with what is live. What is compiled stays while the checker does.
    pub async fn check_apart(&self, tree: Arc<Tree>) -> (Report, Checker) {
        let mut apart = Checker::new(self.engine.clone());
        self.on_checker(move |_| (apart.check(&tree), apart)).await
    }

    /// Works with the checker on a thread of its own.
    pub(super) async fn on_checker<T: Send + 'static>(&self, work: impl FnOnce(&mut Checker) -> T + Send + 'static) -> T {
        let this = self.clone();
        let (sender, receiver) = oneshot::channel();
        let check = move || {
            if this.beside.is_some() {
                // On Linux this is the calling thread's alone. Where it is refused, checks compete as equals.
                let _ = rustix::process::nice(NICENESS);
            }
            let _ = sender.send(this.with_checker(work));
            // Nobody waits for the rest.
            match &this.beside {
                Some(_) => this.engine.forget_unheld(),
                None => this.checker.lock().unwrap_or_else(PoisonError::into_inner).forget_others(),
            }
            memory::give_back();
        };
        let mut next = Some(check);
        let mut is_told = false;
        while let Some(check) = next.take() {
            let thread = std::thread::Builder::new().name("check".into());
            let Err((check, error)) = blocking::spawn_large(thread, self.stack_bytes, check) else { break };
            if !mem::replace(&mut is_told, true) {
                tracing::error!("what is to go live waits for a thread that checks it, which the system does not give: {error}");
            }
            next = Some(check);
            tokio::time::sleep(THREAD_PAUSE).await;
        }
        receiver.await.expect("check catches what scripts can do")
    }

    fn with_checker<T>(&self, work: impl FnOnce(&mut Checker) -> T) -> T {
        let mut checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        checker.excuse(self.excuse.clone());
        let Some(beside) = &self.beside else { return work(&mut checker) };
        let mut copy = checker.copy(beside.cancel.clone());
        drop(checker);
        work(&mut copy)
    }
}
