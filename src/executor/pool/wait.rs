//! Runs that wait for something outside, without a place meanwhile.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tokio::runtime::Handle;

use super::{
    Pool, Shared,
    state::{Turn, Waiting},
};
use crate::engine::Wait;

/// How a run on a thread of a pool waits.
pub struct PoolWait {
    /// The pool.
    pub pool: Pool,
    /// Where what it waits for goes on.
    pub runtime: Handle,
}

/// Puts a run in line again when what it waits for is there, or will never be.
struct Return {
    shared: Arc<Shared>,
    runtime: Handle,
    waiting: Arc<Waiting>,
}

impl Drop for Return {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.line.push_back(Turn::Resume(self.waiting.clone()));
        let state = self.shared.advance(state);
        self.shared.watch(state, &self.runtime);
    }
}

impl Wait for PoolWait {
    /// Waits on this thread. The future runs where connections are served.
    fn wait(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let shared = &self.pool.shared;
        let waiting = Arc::new(Waiting { thread: thread::current(), has_place: AtomicBool::new(false) });
        let comes_back = Return { shared: shared.clone(), runtime: self.runtime.clone(), waiting: waiting.clone() };
        {
            let mut state = shared.lock();
            state.give_back();
            drop(shared.advance(state));
        }
        // Dropped, when the node stops, it comes back as well.
        drop(self.runtime.spawn(async move {
            let _comes_back = comes_back;
            future.await;
        }));
        while !waiting.has_place.load(Ordering::Acquire) {
            thread::park();
        }
    }
}
