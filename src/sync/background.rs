//! Answers orders that only ask what would happen. They run beside the loop: however long that takes, deployments do not wait.

use std::sync::Arc;

use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinSet,
};

use super::live_checker::{LiveChecker, SideCheck};
use crate::cancel::CancelOnDrop;

/// Checks that run at the same time: each takes a processor.
const PLACES: usize = 2;

/// Checks that run in the background. When this is dropped they are given up.
pub(super) struct Background {
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Background {
    /// Makes a place for checks, with none running.
    pub fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), tasks: JoinSet::new() }
    }

    /// Answers about what is live now. The work ends when nobody waits for the answer any more.
    pub fn answer<T, F>(
        &mut self,
        checker: LiveChecker,
        mut reply: oneshot::Sender<T>,
        answer: impl FnOnce(LiveChecker) -> F + Send + 'static,
    ) where
        T: Send + 'static,
        F: Future<Output = T> + Send,
    {
        let places = self.places.clone();
        let answered = async move {
            let place = Arc::new(places.acquire_owned().await.expect("nobody closes it"));
            let cancel = CancelOnDrop::default();
            answer(LiveChecker { beside: Some(SideCheck { cancel: cancel.0.clone(), _place: place }), ..checker }).await
        };
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            tokio::select! {
                answer = answered => drop(reply.send(answer)),
                () = reply.closed() => {}
            }
        });
    }
}
