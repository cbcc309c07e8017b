//! Work that blocks, on a thread of its own. Tokio's pool panics when the system gives it no thread, and what panics there ends the node.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread::Builder,
};

use tokio::sync::oneshot;

/// Starts a thread; gives the work back, and why, if the system gives none.
pub fn spawn<W: FnOnce() + Send + 'static>(thread: Builder, work: W) -> Result<(), (W, io::Error)> {
    let mine = Arc::new(Mutex::new(Some(work)));
    let theirs = mine.clone();
    let take = |work: &Mutex<Option<W>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    match thread.spawn(move || take(&theirs).into_iter().for_each(|work| work())) {
        Ok(_) => Ok(()),
        Err(error) => Err((take(&mine).expect("no thread has taken it"), error)),
    }
}

/// Runs work on a thread of its own, or on this one if the system gives none. `None` if the work panics.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    if let Err((work, _)) = spawn(Builder::new().name("blocking".into()), move || drop(sender.send(work()))) {
        work();
    }
    receiver.await.ok()
}
