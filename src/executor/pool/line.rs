//! Who gets a place, and who looks whether long runs hold all of them.

use std::{
    mem,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

use super::{Shared, state::State, wait::Turn, worker::NICENESS_OF_MANY};

/// When no run has ended for so long, the places are taken by long ones, and what is in line gets one more.
const STUCK: Duration = Duration::from_millis(20);

impl Shared {
    /// Gives a place to somebody. Returns whether the system gave the thread that this needs; if not, it is first in line again.
    pub fn place<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>, turn: Turn, niceness: i32) -> (MutexGuard<'a, State>, bool) {
        state.running += 1;
        match turn {
            Turn::Resume(waiting) => waiting.resume(),
            Turn::Start(job) => match state.idle.pop_back() {
                // The last one: its stack is in the caches, and those that are not needed end.
                Some(worker) => worker.hand(job),
                None => return self.start(state, job, niceness),
            },
        }
        (state, true)
    }

    /// Has a task look whether the places are stuck, for as long as somebody is in line. One does that for all.
    pub fn watch(self: &Arc<Self>, mut state: MutexGuard<'_, State>, runtime: &Handle) {
        if state.line.is_empty() || mem::replace(&mut state.is_watched, true) {
            return;
        }
        drop(state);
        let shared = self.clone();
        drop(runtime.spawn(async move {
            while shared.unstick() {
                tokio::time::sleep(STUCK).await;
            }
        }));
    }

    /// Makes one more place if somebody is in line and none was given back for [`STUCK`]. Returns whether somebody is in line.
    fn unstick(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        if state.moved.elapsed() >= STUCK
            && let Some(turn) = state.line.pop_front()
        {
            state.moved = Instant::now();
            state = self.place(state, turn, NICENESS_OF_MANY).0;
        }
        state.is_watched = !state.line.is_empty();
        state.is_watched
    }
}
