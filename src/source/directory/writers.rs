//! Which files are open for writing. What is only half written is judged by nobody, whether or not it compiles.

use std::{collections::HashMap, time::Instant};

use super::scan::Inode;

/// So many files are remembered to be open. When there are more, those whose time is over are forgotten, and the rest is not remembered.
const MOST: usize = 10_000;

/// Files that somebody has written to and not closed, by what they are and not by what they are called: a link to one is half written, too.
#[derive(Debug, Default)]
pub(super) struct Writers {
    /// Until when a file is taken for open if nothing more is reported.
    open: HashMap<Inode, Instant>,
}

impl Writers {
    /// Takes in that a file was written to. Who does not close it, and whose closing is not reported, is not waited for after `until`.
    pub fn written(&mut self, inode: Inode, until: Instant, now: Instant) {
        if self.open.len() >= MOST {
            self.open.retain(|_, until| *until > now);
        }
        if self.open.len() < MOST || self.open.contains_key(&inode) {
            self.open.insert(inode, until);
        }
    }

    /// Takes in that a file was closed, or is another.
    pub fn closed(&mut self, inode: Inode) {
        self.open.remove(&inode);
    }

    /// Takes in that reports were lost: those that somebody has closed a file may be among them.
    pub fn lost(&mut self, until: Instant) {
        self.open.values_mut().for_each(|known| *known = until.min(*known));
    }

    /// Returns until when a file is taken for open, if it is.
    pub fn until(&self, inode: Inode, now: Instant) -> Option<Instant> {
        self.open.get(&inode).copied().filter(|until| *until > now)
    }

    /// Forgets what nobody waits for any more.
    pub fn forget(&mut self, now: Instant) {
        self.open.retain(|_, until| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::monotonic;

    #[test]
    fn a_file_is_open_until_it_is_closed_or_its_time_is_over() {
        let (began, second) = (monotonic(), Duration::from_secs(1));
        let mut writers = Writers::default();
        writers.written((1, 1), began + 60 * second, began);
        writers.written((1, 2), began + 60 * second, began);
        writers.closed((1, 2));
        assert_eq!([(1, 1), (1, 2), (2, 1)].map(|inode| writers.until(inode, began).is_some()), [true, false, false]);
        writers.lost(began + 3 * second);
        assert_eq!([2, 3].map(|after| writers.until((1, 1), began + after * second).is_some()), [true, false]);
    }

    #[test]
    fn no_number_of_writers_fills_the_memory() {
        let (began, second) = (monotonic(), Duration::from_secs(1));
        let mut writers = Writers::default();
        (0..2 * MOST as u64).for_each(|number| writers.written((1, number), began + second, began));
        assert_eq!(writers.open.len(), MOST);
        writers.written((2, 1), began + 60 * second, began + 2 * second);
        assert_eq!(writers.open.len(), 1);
    }
}
