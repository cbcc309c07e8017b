//! Questions of concurrent callers go to the database together.
//!
//! While it answers some, others wait for the next turn. Nobody waits for others to come: a question that comes alone goes alone. The task
//! that asks ends when nothing waits.

use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{Mutex, PoisonError},
};

use tokio::sync::{Semaphore, oneshot};

/// Questions that are held in memory: writes of `kv` take 64 MiB at most. What a run emits is bounded with the run. Whoever comes when so
/// many wait, waits for a place.
const MAX_WAITING: usize = 1_024;
/// Questions of one turn.
const MAX_GROUP: usize = 256;

/// Questions that wait for their turn.
pub struct Gathering<Q, A> {
    queue: Mutex<Queue<Q, A>>,
    places: Semaphore,
}

struct Queue<Q, A> {
    waiting: VecDeque<Caller<Q, A>>,
    /// A task takes them.
    is_taken: bool,
}

/// A question, and who waits for its answer.
pub struct Caller<Q, A> {
    pub question: Q,
    pub answer: oneshot::Sender<A>,
}

impl<Q, A> Default for Gathering<Q, A> {
    fn default() -> Self {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), is_taken: false });
        Self { queue, places: Semaphore::new(MAX_WAITING) }
    }
}

impl<Q, A> fmt::Debug for Gathering<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathering").finish_non_exhaustive()
    }
}

impl<Q: Send + 'static, A: Send + 'static> Gathering<Q, A> {
    /// Asks, in a task that `start` makes if there is none. None: that task is gone before its time, with the process.
    pub async fn ask(&self, question: Q, start: impl FnOnce()) -> Option<A> {
        let _place = self.places.acquire().await;
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.waiting.push_back(Caller { question, answer });
            !mem::replace(&mut queue.is_taken, true)
        };
        if is_first {
            start();
        }
        answered.await.ok()
    }

    /// Takes the questions of the next turn, without those whose callers have gone. None: nothing waits, so the task that takes ends.
    pub fn next_group(&self) -> Option<Vec<Caller<Q, A>>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.waiting.len().min(MAX_GROUP);
        queue.is_taken = count > 0;
        queue.is_taken.then(|| queue.waiting.drain(..count).filter(|caller| !caller.answer.is_closed()).collect())
    }
}
