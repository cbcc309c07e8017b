//! Work that blocks, on a thread of its own. Tokio's pool panics when the system gives it no thread, and what panics there ends the node.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// Runs work on a thread of its own, or on this one if the system gives none. `None` if the work panics.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    let mine = Arc::new(Mutex::new(Some(move || drop(sender.send(work())))));
    let theirs = mine.clone();
    let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let spawned = std::thread::Builder::new().name("blocking".into()).spawn(move || take(&theirs).into_iter().for_each(|work| work()));
    if spawned.is_err()
        && let Some(work) = take(&mine)
    {
        work();
    }
    receiver.await.ok()
}
