//! The share that the run on this thread has of the node's memory.

use std::cell::Cell;

use crate::engine::budget;

thread_local! {
    static SHARE: Share = const { Share(Cell::new(0)) };
}

/// Bytes that the node has given the run on this thread.
struct Share(Cell<usize>);

impl Share {
    fn give_back(&self) {
        budget::give(self.0.take());
    }
}

impl Drop for Share {
    /// A thread may end right after a run of its own, of a module say.
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Takes as much from the node as a run with this limit needs to hold `wanted` bytes. Returns what it has then; none if too little is left.
pub fn take(wanted: usize, limit: usize) -> Option<usize> {
    SHARE.with(|share| budget::take(share.0.get(), wanted, limit).inspect(|now| share.0.set(*now)))
}

/// Gives all of it back to the node; to be called when all values of the run are dropped.
pub fn give_back() {
    SHARE.with(Share::give_back);
}
