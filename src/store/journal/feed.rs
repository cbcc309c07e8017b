//! Hands executions that were just written to listeners.
//!
//! The journal sends whole batches after they are in the store. So requests pay nothing, and a new listener finds all earlier executions in the
//! store.
//!
//! Batches are kept only while there is a listener, and their bytes are bounded. A listener that is too slow for that gets [`FeedGap`]; nobody
//! waits for it.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::watch;

use crate::execution::{Execution, ExecutionId};

/// Bytes of batches that are kept for listeners. The newest batch stays, however large it is.
const KEPT_BYTES: usize = 16 << 20;
/// The last ids that are remembered, for a listener that was cut off and goes on. They cover a third of a second at full load, and hours at rest.
const RECENT: usize = 20_000;
/// The bytes of an execution without its texts, roughly.
const OVERHEAD_BYTES: usize = 400;

/// Sends executions to listeners: a cheap handle to be cloned.
#[derive(Clone)]
pub struct Feed(Arc<Shared>);

struct Shared {
    kept: Mutex<RecentBatches>,
    /// Counts batches, for listeners to wait on.
    told: watch::Sender<u64>,
}

#[derive(Default)]
struct RecentBatches {
    listeners: usize,
    /// The number of the oldest batch that is kept.
    first: u64,
    batches: VecDeque<(Batch, usize)>,
    bytes: usize,
    recent: VecDeque<ExecutionId>,
}

/// Executions that were written together, roughly in the order in which they ended.
#[derive(Clone)]
pub struct Batch(Arc<Vec<Execution>>, Range<usize>);

impl Batch {
    /// Returns the executions.
    pub fn executions(&self) -> &[Execution] {
        &self.0[self.1.clone()]
    }
}

/// The listener was too slow: its next batch is gone.
#[derive(Debug)]
pub struct FeedGap;

impl Default for Feed {
    fn default() -> Self {
        Self(Arc::new(Shared { kept: Mutex::default(), told: watch::Sender::new(0) }))
    }
}

impl Feed {
    /// Sends executions to the listeners.
    pub(super) fn tell(&self, executions: &Arc<Vec<Execution>>, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let batch = Batch(executions.clone(), range);
        let mut kept = self.kept();
        for execution in batch.executions() {
            if kept.recent.len() >= RECENT {
                kept.recent.pop_front();
            }
            kept.recent.push_back(execution.id);
        }
        if kept.listeners == 0 {
            return;
        }
        let bytes = batch.executions().iter().map(size).sum();
        kept.bytes += bytes;
        kept.batches.push_back((batch, bytes));
        while kept.bytes > KEPT_BYTES && kept.batches.len() > 1 {
            let (_, bytes) = kept.batches.pop_front().expect("there are two");
            kept.bytes -= bytes;
            kept.first += 1;
        }
        drop(kept);
        self.0.told.send_modify(|count| *count += 1);
    }

    /// Begins to listen. Also returns the ids that were sent after this execution, if it is still remembered. They are in the store.
    pub fn listen(&self, after: Option<ExecutionId>) -> (Listener, Option<Vec<ExecutionId>>) {
        let told = self.0.told.subscribe();
        let mut kept = self.kept();
        kept.listeners += 1;
        let place = after.and_then(|after| kept.recent.iter().rposition(|id| *id == after));
        let missed = place.map(|place| kept.recent.range(place + 1..).copied().collect());
        let listener = Listener { feed: self.clone(), next: kept.first + kept.batches.len() as u64, told };
        (listener, missed)
    }

    fn kept(&self) -> MutexGuard<'_, RecentBatches> {
        self.0.kept.lock().expect("nothing panics while it holds the lock")
    }
}

fn size(execution: &Execution) -> usize {
    let logs: usize = execution.logs.iter().map(|line| line.message.len() + size_of_val(line)).sum();
    let capture = execution.capture.as_ref().map_or(0, |capture| capture.size());
    let events: usize = execution.events.iter().map(|event| event.topic.len() + event.key.as_ref().map_or(0, String::len)).sum();
    OVERHEAD_BYTES + execution.path.len() + logs + events + capture + execution.failure.as_ref().map_or(0, |failure| failure.message.len())
}

/// Gets every batch, until it is dropped.
pub struct Listener {
    feed: Feed,
    /// The number of the next batch.
    next: u64,
    told: watch::Receiver<u64>,
}

impl Listener {
    /// Waits for the next batch.
    pub async fn next(&mut self) -> Result<Batch, FeedGap> {
        loop {
            {
                let kept = self.feed.kept();
                let place = self.next.checked_sub(kept.first).ok_or(FeedGap)?;
                if let Some((batch, _)) = kept.batches.get(place as usize) {
                    self.next += 1;
                    return Ok(batch.clone());
                }
            }
            // This cannot fail: `feed` has the sender.
            let _ = self.told.changed().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut kept = self.feed.kept();
        kept.listeners -= 1;
        if kept.listeners == 0 {
            kept.first += kept.batches.len() as u64;
            kept.batches.clear();
            kept.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        deployment::DeploymentId,
        execution::{LogLevel, LogLine, Outcome, Trigger},
        function::{Digest, FunctionName},
    };

    fn execution(id: i64, log_bytes: usize) -> Execution {
        Execution {
            id: ExecutionId(id),
            function: FunctionName::new("f"),
            version: Digest::of(b"").into(),
            deployment: DeploymentId(1),
            trigger: Trigger::Http,
            replay_of: None,
            request_id: None,
            method: "GET".into(),
            path: "/f".into(),
            status: 200,
            response_type: None,
            response_bytes: None,
            outcome: Outcome::Ok,
            duration_us: 1,
            operations: 1,
            peak_memory_bytes: 1,
            logs: vec![LogLine { at_us: 1, level: LogLevel::Info, message: "x".repeat(log_bytes) }],
            logs_dropped: 0,
            effects: Vec::new(),
            effects_dropped: 0,
            events: Vec::new(),
            failure: None,
            captured: false,
            capture: None,
        }
    }

    fn tell(feed: &Feed, id: i64, log_bytes: usize) {
        feed.tell(&Arc::new(vec![execution(id, log_bytes)]), 0..1);
    }

    async fn next(listener: &mut Listener) -> Option<i64> {
        let next = tokio::time::timeout(Duration::from_secs(20), listener.next()).await.expect("something was told");
        next.ok().map(|batch| batch.executions()[0].id.0)
    }

    #[tokio::test]
    async fn each_listener_hears_what_comes_after_it_began() {
        let feed = Feed::default();
        tell(&feed, 1, 0);
        let (mut one, missed) = feed.listen(None);
        assert_eq!(missed, None);
        tell(&feed, 3, 0);
        tell(&feed, 2, 0);
        let (mut other, missed) = feed.listen(Some(ExecutionId(1)));
        assert_eq!(missed, Some(vec![ExecutionId(3), ExecutionId(2)]));
        tell(&feed, 4, 0);
        assert_eq!([next(&mut one).await, next(&mut one).await, next(&mut one).await], [Some(3), Some(2), Some(4)]);
        assert_eq!(next(&mut other).await, Some(4));
        assert_eq!(feed.listen(Some(ExecutionId(7))).1, None);
        drop((one, other));
        assert!(feed.kept().batches.is_empty(), "nobody listens, so nothing is kept");
        tell(&feed, 5, 0);
        assert_eq!(feed.listen(Some(ExecutionId(4))).1, Some(vec![ExecutionId(5)]));
    }

    #[tokio::test]
    async fn a_slow_listener_hears_that_it_is_behind_and_memory_stays_bounded() {
        let feed = Feed::default();
        let (mut slow, mut fast) = (feed.listen(None).0, feed.listen(None).0);
        for id in 1..=40 {
            tell(&feed, id, 1 << 20);
            assert_eq!(next(&mut fast).await, Some(id));
            assert!(feed.kept().bytes <= KEPT_BYTES);
        }
        assert_eq!(next(&mut slow).await, None);
        tell(&feed, 41, 2 * KEPT_BYTES);
        assert_eq!((next(&mut fast).await, feed.kept().batches.len()), (Some(41), 1));
    }

    #[test]
    fn what_is_remembered_of_the_past_is_bounded() {
        let feed = Feed::default();
        let many = Arc::new((0..RECENT as i64 + 10).map(|id| execution(id, 0)).collect::<Vec<_>>());
        feed.tell(&many, 0..many.len());
        assert_eq!(feed.kept().recent.len(), RECENT);
        assert_eq!(feed.listen(Some(ExecutionId(9))).1, None);
        assert_eq!(feed.listen(Some(ExecutionId(10))).1.map(|missed| missed.len()), Some(RECENT - 1));
    }
}
