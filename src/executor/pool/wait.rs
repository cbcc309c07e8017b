//! Runs that wait for something outside, without a place meanwhile.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

use super::{Job, Pool, Shared};
use crate::engine::Wait;

/// How a run on a thread of a pool waits.
pub struct PoolWait {
    /// The pool.
    pub pool: Pool,
    /// The sockets, timers and tasks of what it waits for are there.
    pub runtime: Handle,
}

/// Somebody in line for a place.
pub enum Turn {
    Start(Job),
    Resume(Arc<Waiting>),
}

/// A thread whose run waits. Whatever calls it puts it in line for a place.
pub struct Waiting {
    shared: Arc<Shared>,
    runtime: Handle,
    thread: Thread,
    /// A [`Phase`]. It changes under the lock of the pool, but for the end of [`HAS_PLACE`], which is the thread's own.
    phase: AtomicU8,
}

/// What a thread whose run waits is about.
type Phase = u8;
/// It has a place, and looks whether there is something new.
const LOOKS: Phase = 0;
/// The same, and something has called since it began to look.
const LOOKS_AGAIN: Phase = 1;
/// It has no place, and nothing has called.
const RESTS: Phase = 2;
/// It is in line for a place.
const IN_LINE: Phase = 3;
/// It has a place, and has not begun to look.
const HAS_PLACE: Phase = 4;

impl Waiting {
    fn here(PoolWait { pool, runtime }: &PoolWait) -> Arc<Self> {
        let (shared, runtime) = (pool.shared.clone(), runtime.clone());
        Arc::new(Self { shared, runtime, thread: thread::current(), phase: AtomicU8::new(LOOKS) })
    }

    fn phase(&self) -> Phase {
        self.phase.load(Ordering::Acquire)
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase, Ordering::Release);
    }

    /// Lets the run go on, which has a place again.
    pub fn resume(&self) {
        self.enter(HAS_PLACE);
        self.thread.unpark();
    }

    /// Gives the place away until there is a call or the time is over. Returns when it has a place again, and whether there was a call.
    fn rest(self: &Arc<Self>, until: Instant) -> bool {
        {
            let mut state = self.shared.lock();
            if self.phase() == LOOKS_AGAIN {
                self.enter(LOOKS);
                return true;
            }
            self.enter(RESTS);
            state.give_back();
            drop(self.shared.advance(state));
        }
        let mut is_called = true;
        while self.phase() != HAS_PLACE {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                is_called &= !self.get_in_line();
                thread::park();
            } else {
                thread::park_timeout(left);
            }
        }
        self.enter(LOOKS);
        is_called
    }

    /// Gets in line for a place, unless it is or has one. Returns whether it does.
    fn get_in_line(self: &Arc<Self>) -> bool {
        let mut state = self.shared.lock();
        match self.phase() {
            RESTS => {
                self.enter(IN_LINE);
                state.line.push_back(Turn::Resume(self.clone()));
                let state = self.shared.advance(state);
                self.shared.watch(state, &self.runtime);
                true
            }
            LOOKS => {
                self.enter(LOOKS_AGAIN);
                false
            }
            _ => false,
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.get_in_line();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.get_in_line();
    }
}

impl Wait for PoolWait {
    /// The future is polled on this thread: to hand it to another and back takes longer than most databases do. It should start no thread,
    /// which would have the low priority of this one; [`as_task`](crate::blocking::as_task) does that elsewhere.
    fn wait(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>, left: Duration) {
        let _in_runtime = self.runtime.enter();
        // Dropped before that: its parts may need the runtime.
        let mut future = future;
        let until = Instant::now() + left;
        let waiting = Waiting::here(self);
        let waker = Waker::from(waiting.clone());
        let mut context = Context::from_waker(&waker);
        while future.as_mut().poll(&mut context).is_pending() && waiting.rest(until) {}
    }
}
