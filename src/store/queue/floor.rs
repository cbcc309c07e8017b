//! From where claims look. What is settled stays in the index of a database until it is cleaned up; while somebody holds an old snapshot, that is
//! never. So a claim does not begin at the oldest entry, but where the claim before it ended.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::clock::monotonic;

/// How often a look is at everything: what another node made due before the floor is that node's to claim, as long as it is there.
const WHOLE: Duration = Duration::from_secs(60);

/// Nothing that this node knows of is due before this.
#[derive(Default)]
pub(super) struct Floor(Mutex<State>);

#[derive(Default)]
struct State {
    /// In microseconds since 1970; none: anything may be due.
    from_us: Option<i64>,
    /// Counts what was made due.
    changes: u64,
    looked_whole: Option<Instant>,
}

impl State {
    fn start_us(&self, now_us: i64) -> i64 {
        let is_whole = self.looked_whole.is_none_or(|at| at.elapsed() >= WHOLE);
        self.from_us.filter(|from_us| !is_whole && *from_us <= now_us).unwrap_or(i64::MIN)
    }
}

/// A look that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Where it begins, in microseconds since 1970.
    pub from_us: i64,
    changes: u64,
}

impl Floor {
    /// Returns where a look at this time begins, in microseconds since 1970. It is at everything now and then, and when the clock was set back.
    pub fn start_us(&self, now_us: i64) -> i64 {
        self.state().start_us(now_us)
    }

    /// Begins a look.
    pub fn look(&self, now_us: i64) -> Look {
        let mut state = self.state();
        let from_us = state.start_us(now_us);
        if from_us == i64::MIN {
            state.looked_whole = Some(monotonic());
        }
        Look { from_us, changes: state.changes }
    }

    /// Ends a look that has taken everything before this time. If something was made due meanwhile, it may not have seen that.
    pub fn raise(&self, look: Look, to_us: i64) {
        let mut state = self.state();
        if state.changes == look.changes {
            state.from_us = Some(to_us);
        }
    }

    /// Something is due at this time that was not.
    pub fn lower(&self, due_us: i64) {
        let mut state = self.state();
        state.changes += 1;
        state.from_us = state.from_us.map(|from_us| from_us.min(due_us));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_begins_where_the_one_before_ended_unless_something_was_made_due() {
        let floor = Floor::default();
        let first = floor.look(100);
        assert_eq!(first.from_us, i64::MIN);
        floor.raise(first, 100);
        assert_eq!(floor.look(110).from_us, 100);
        // Made due before the floor.
        floor.lower(90);
        let second = floor.look(120);
        assert_eq!(second.from_us, 90);
        // Made due while it looks, maybe behind it.
        floor.lower(115);
        floor.raise(second, 120);
        assert_eq!(floor.look(130).from_us, 90);
    }

    #[test]
    fn a_clock_that_is_set_back_has_a_look_at_everything() {
        let floor = Floor::default();
        floor.raise(floor.look(100), 100);
        assert_eq!(floor.look(99).from_us, i64::MIN);
    }

    #[test]
    fn what_may_be_anywhere_is_looked_for_everywhere() {
        let floor = Floor::default();
        floor.raise(floor.look(100), 100);
        floor.lower(i64::MIN);
        assert_eq!(floor.look(110).from_us, i64::MIN);
    }
}
