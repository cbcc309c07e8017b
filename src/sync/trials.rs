//! Orders that only ask what would happen. They are answered beside the loop: however long that takes, what is to go live does not wait.

use std::sync::Arc;

use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinSet,
};

use super::{
    Sync,
    examine::{Beside, CancelOnDrop, Examiner},
};

/// Trials that are worked on at the same time: each takes a processor for as long as its check does.
const PLACES: usize = 2;

/// The trials that are under way. When this is dropped they are given up.
pub(super) struct Trials {
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Trials {
    /// Makes a place for trials, with none under way.
    pub fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), tasks: JoinSet::new() }
    }
}

impl Sync {
    /// Answers beside the loop, about what is live now. The work ends when nobody waits for the answer any more.
    pub(super) fn try_beside<T, F>(&mut self, mut reply: oneshot::Sender<T>, answer: impl FnOnce(Examiner) -> F + Send + 'static)
    where
        T: Send + 'static,
        F: Future<Output = T> + Send,
    {
        let (examiner, places) = (self.examiner(), self.trials.places.clone());
        let answered = async move {
            let place = Arc::new(places.acquire_owned().await.expect("nobody closes it"));
            let cancel = CancelOnDrop::default();
            answer(Examiner { beside: Some(Beside { cancel: cancel.0.clone(), _place: place }), ..examiner }).await
        };
        while self.trials.tasks.try_join_next().is_some() {}
        self.trials.tasks.spawn(async move {
            tokio::select! {
                answer = answered => drop(reply.send(answer)),
                () = reply.closed() => {}
            }
        });
    }
}
