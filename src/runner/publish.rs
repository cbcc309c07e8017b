//! Keeps what runs emit, before their callers have an answer.

use std::sync::Arc;

use crate::{
    execution::{Execution, Failure, Finished, NewEvent, Outcome},
    live::Live,
    queue::{Publication, QueueError, SharedQueue},
};

/// Where events of runs go.
#[derive(Clone)]
pub struct Publisher {
    queue: SharedQueue,
    /// Says who handles them: what is live, whatever table emitted them.
    live: Arc<Live>,
}

impl Publisher {
    /// Has this queue keep them.
    pub fn new(queue: SharedQueue, live: Arc<Live>) -> Self {
        Self { queue, live }
    }

    /// Addresses events to those who handle them now.
    pub fn address(&self, events: Vec<NewEvent>) -> Vec<Publication> {
        let table = self.live.table();
        events.into_iter().map(|event| table.triggers().address(event)).collect()
    }

    /// Keeps events, all or none.
    pub async fn publish(&self, events: Vec<NewEvent>, now_us: i64) -> Result<(), QueueError> {
        self.queue.publish(self.address(events), now_us).await
    }
}

/// Makes a run whose events could not be kept one that did not end well: its caller can try it again.
pub(super) fn fail(finished: &mut Finished, why: &QueueError) {
    let Finished { reply, execution, .. } = finished;
    let Execution { outcome, status, failure, function, .. } = &mut **execution;
    (*reply, *outcome, *status) = (None, Outcome::Cancelled, 0);
    let message = format!("its events could not be kept, so none of it counts: {why}");
    *failure = Some(Box::new(Failure { message, file: function.file().into(), position: None, calls: Vec::new() }));
}
