//! Keeps what runs emit, before their callers have an answer.

use std::sync::Arc;

use super::EventCounts;
use crate::{
    execution::{Execution, Failure, Finished, NewEvent, Outcome},
    function::handler::HandlerId,
    live::Live,
    queue::{InboxEntry, Publication, PublishOutcome, QueueError, SharedQueue},
};

/// Where events of runs go.
#[derive(Clone)]
pub struct Publisher {
    queue: SharedQueue,
    /// Says who handles them: what is live, whatever table emitted them.
    live: Arc<Live>,
    counts: Arc<EventCounts>,
}

impl Publisher {
    /// Has this queue keep them.
    pub fn new(queue: SharedQueue, live: Arc<Live>) -> Self {
        Self { queue, live, counts: Arc::default() }
    }

    /// Addresses events to those who handle them now.
    pub fn address(&self, events: Vec<NewEvent>) -> Vec<Publication> {
        let table = self.live.table();
        events.into_iter().map(|event| table.triggers().address(event)).collect()
    }

    /// Returns what is counted of events.
    pub fn counts(&self) -> &EventCounts {
        &self.counts
    }

    /// Refuses events for which the queue has no room.
    pub async fn must_have_room(&self, publications: &[Publication]) -> Result<(), QueueError> {
        self.queue.must_have_room(publications.iter().map(|one| one.handlers.len() as u64).sum()).await
    }

    /// Tells whoever runs deliveries that something may have become due.
    pub fn wake(&self) {
        self.queue.wake();
    }

    /// Keeps events, all or none. Returns what became of each.
    pub async fn publish(&self, events: Vec<NewEvent>, now_us: i64) -> Result<Vec<PublishOutcome>, QueueError> {
        self.keep(self.address(events), now_us).await
    }

    /// Keeps an event. Returns who it goes to; none: its topic has had its id within a day, so it is left out.
    pub async fn publish_one(&self, event: NewEvent, now_us: i64) -> Result<Option<Vec<HandlerId>>, QueueError> {
        let publications = self.address(vec![event]);
        let handlers = publications.iter().flat_map(|one| one.handlers.iter().map(|(handler, _)| handler.clone())).collect();
        let outcomes = self.keep(publications, now_us).await?;
        Ok((outcomes == [PublishOutcome::Kept]).then_some(handlers))
    }

    async fn keep(&self, publications: Vec<Publication>, now_us: i64) -> Result<Vec<PublishOutcome>, QueueError> {
        self.must_have_room(&publications).await?;
        let outcomes = self.queue.publish(publications, now_us).await?;
        self.counts.emitted(outcomes.iter().filter(|outcome| **outcome == PublishOutcome::Kept).count());
        Ok(outcomes)
    }

    /// Keeps events that other programs emitted by SQL, as many as are well taken at once and fit, and at most so many. Returns how
    /// many it took; 0: there were none.
    pub async fn publish_inbox(&self, most: usize, now_us: i64) -> Result<usize, QueueError> {
        let table = self.live.table();
        let address = |entry: InboxEntry| (entry.seq, entry.event.map(|event| table.triggers().address(event)));
        let mut taken: Vec<_> = self.queue.inbox(most, now_us).await?.into_iter().map(address).collect();
        if taken.is_empty() {
            return Ok(0);
        }
        let deliveries: Vec<u64> = taken.iter().map(|(_, one)| one.as_ref().map_or(0, |one| one.handlers.len() as u64)).collect();
        taken.truncate(self.queue.make_room(&deliveries).await?);
        let refused: Vec<_> = taken.iter().filter_map(|(_, one)| one.as_ref().err().copied()).collect();
        let count = taken.len();
        self.queue.take_from_inbox(taken.into_iter().map(|(seq, one)| (seq, one.ok())).collect(), now_us).await?;
        for why in &refused {
            tracing::error!(
                "an event in the table `inbox` was thrown away: {why}\n  hint: emit by `picloud.emit`, and write nothing there"
            );
        }
        self.counts.emitted(count - refused.len());
        Ok(count)
    }
}

/// Makes a run whose events could not be kept one that did not end well: its caller can try it again.
pub(super) fn fail(finished: &mut Finished, why: &QueueError) {
    let Finished { reply, execution, .. } = finished;
    let Execution { outcome, status, response_type, response_bytes, failure, function, .. } = &mut **execution;
    (*reply, *outcome, *status) = (None, Outcome::Cancelled, 0);
    (*response_type, *response_bytes) = (None, None);
    let message = format!("its events could not be kept, so none of it counts: {why}");
    *failure = Some(Box::new(Failure { message, file: function.file().into(), position: None, calls: Vec::new() }));
}
