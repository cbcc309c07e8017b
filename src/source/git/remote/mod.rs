//! Keeps a bare copy in line with a repository elsewhere. One task fetches from time to time, at once when asked, and ever more seldom
//! while it fails.

mod fault;
mod fetch;

use std::{
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use self::fetch::Fetch;
use super::{
    own::OwnRepository,
    settings::{GitSettings, Remote},
};
use crate::clock::SharedClock;

/// A remote that fails is asked at least this often, unless its interval is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Callers that wait for a fetch to begin; more wait to be let in.
const QUEUE: usize = 16;

/// Follows a remote repository. Cheap to clone; with the last one the following ends, and with it whatever git is doing.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
    _task: AbortOnDropHandle<()>,
}

/// Asks for a fetch that begins now; answered at its end.
type Order = oneshot::Sender<()>;

/// State that the task shares with its handles.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
    /// Somebody has heard that there is something new.
    wanted: Notify,
}

#[derive(Default)]
struct State {
    problem: Option<String>,
    last_us: Option<i64>,
    next_us: Option<i64>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fetcher {
    /// Begins to follow a remote with this copy, which is made if it is not there. Of the settings it takes the branch, the interval, the
    /// time limit, and whether other branches are shown.
    pub fn start(settings: &GitSettings, remote: Remote, repository: OwnRepository, clock: SharedClock) -> Self {
        let shared = Arc::<Shared>::default();
        let (orders, receiver) = mpsc::channel(QUEUE);
        let fetch = Fetch::new(settings, remote, repository);
        let task = Task { fetch, interval: settings.interval, shared: shared.clone(), clock };
        let task = AbortOnDropHandle::new(tokio::spawn(task.run(receiver)));
        Self(Arc::new(Inner { shared, orders, _task: task }))
    }

    /// Fetches now and waits for the end. Everybody who asks during one fetch gets the next one, together.
    pub async fn fetch_now(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.0.orders.send(sender).await.is_ok() {
            // It fails when the node is stopping.
            let _ = receiver.await;
        }
    }

    /// Fetches soon: after the fetch that is under way, if one is. Many pokes are one.
    pub fn poke(&self) {
        self.0.shared.wanted.notify_one();
    }

    /// Returns why the last fetch failed, in words for people and without secrets.
    pub fn problem(&self) -> Option<String> {
        self.0.shared.state().problem.clone()
    }

    /// Returns when a fetch worked last, in microseconds since 1970.
    pub fn last_us(&self) -> Option<i64> {
        self.0.shared.state().last_us
    }

    /// Returns when the next fetch begins if nobody asks for one, in microseconds since 1970; none while one is under way.
    pub fn next_us(&self) -> Option<i64> {
        self.0.shared.state().next_us
    }

    /// Waits until branches of the copy have moved since the last time, or fetching fails for another reason, or no longer.
    pub async fn changed(&self) {
        self.0.shared.changed.notified().await;
    }
}

/// The task behind the handles.
struct Task {
    fetch: Fetch,
    interval: Duration,
    shared: Arc<Shared>,
    clock: SharedClock,
}

impl Task {
    async fn run(self, mut orders: mpsc::Receiver<Order>) {
        let mut waiting: Vec<Order> = Vec::new();
        let mut branches = self.fetch.branches().unwrap_or_default();
        let mut failures = 0;
        loop {
            while let Ok(order) = orders.try_recv() {
                waiting.push(order);
            }
            if !waiting.is_empty() {
                failures = 0;
            }
            let problem_before = self.shared.state().problem.clone();
            failures = if self.fetch_once().await { 0 } else { failures + 1 };
            let is_other_problem = self.shared.state().problem != problem_before;
            // Other branches may have come although the fetch failed.
            let before = mem::replace(&mut branches, self.fetch.branches().unwrap_or_default());
            let has_changed = branches != before;
            if has_changed || is_other_problem {
                self.shared.changed.notify_one();
            }
            for order in waiting.drain(..) {
                let _ = order.send(());
            }
            if has_changed {
                self.fetch.pack().await;
            }
            let now_us = self.clock.now_us();
            let pause = pause(self.interval, failures, RandomState::new().hash_one(now_us));
            self.shared.state().next_us = Some(now_us + pause.as_micros() as i64);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shared.wanted.notified() => failures = 0,
                order = orders.recv() => match order {
                    Some(order) => waiting.push(order),
                    None => return,
                },
            }
            self.shared.state().next_us = None;
        }
    }

    /// Fetches, and tells what came of it. Returns whether it worked.
    async fn fetch_once(&self) -> bool {
        let problem = self.fetch.run().await.err();
        let mut state = self.shared.state();
        match &problem {
            Some(problem) if state.problem.as_ref() != Some(problem) => tracing::warn!("{problem}"),
            None if state.problem.is_some() => tracing::info!("the remote answers again"),
            _ => {}
        }
        if problem.is_none() {
            state.last_us = Some(self.clock.now_us());
        }
        state.problem = problem;
        state.problem.is_none()
    }
}

/// Returns the pause after so many failures in a row: it doubles with each. Chance changes it by up to a tenth, so nodes that were started
/// together do not ask together.
fn pause(interval: Duration, failures: u32, random: u64) -> Duration {
    let longest = interval.max(LONGEST_PAUSE);
    let pause = interval.saturating_mul(1 << failures.min(16)).min(longest);
    pause.mul_f64(0.9 + 0.2 * (random as f64 / u64::MAX as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_double_the_pause_up_to_a_quarter_of_an_hour() {
        let seconds = |interval, failures, random| pause(Duration::from_secs(interval), failures, random).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 99].map(|failures| seconds(60, failures, u64::MAX / 2)), [60, 120, 240, 480, 900, 900]);
        assert_eq!([0, u64::MAX].map(|random| seconds(100, 0, random)), [90, 110]);
        assert_eq!(seconds(7200, 5, u64::MAX / 2), 7200);
    }
}
