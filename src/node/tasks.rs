//! The node's own tasks: the order in which they end, and which of them it cannot do without.

use std::time::Duration;

use futures_util::future::select_all;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The tasks of a node.
#[derive(Default)]
pub struct Tasks {
    tracker: TaskTracker,
    /// Those without which the node stops, by name.
    vital: Vec<(&'static str, JoinHandle<()>)>,
    /// Runs that no request led to. They have the grace period to end.
    pub runs: TaskTracker,
    /// Cancelled after the last request, or when the grace period is over. Pushes that have begun are judged to their end until then, and runs that
    /// go on are cut.
    pub after_requests: CancellationToken,
    /// Cancelled after that, so that the last executions are recorded.
    pub last: CancellationToken,
}

impl Tasks {
    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Starts a task without which the node stops.
    pub fn spawn_vital(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.vital.push((name, self.tracker.spawn(task)));
    }

    /// Waits until a vital task ends, and returns which one, and how.
    pub async fn vital_end(&mut self) -> (&'static str, Result<(), JoinError>) {
        let (ended, at, _) = select_all(self.vital.iter_mut().map(|(_, task)| task)).await;
        (self.vital[at].0, ended)
    }

    /// Waits until all have ended, and warns of those that take longer.
    pub async fn end_within(&self, patience: Duration) {
        self.tracker.close();
        if tokio::time::timeout(patience, self.tracker.wait()).await.is_err() {
            tracing::warn!("{} task(s) did not end within {} s, and end with the process", self.tracker.len(), patience.as_secs());
        }
    }
}
