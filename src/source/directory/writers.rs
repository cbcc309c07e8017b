//! Knows which files are open for writing. A file that is half written is not judged, whether or not it compiles.

use std::{collections::HashMap, time::Instant};

use super::scan::signature::Inode;
use crate::function::FilePath;

/// So many files are remembered to be open. When there are more, those whose time is over are forgotten, and the rest is not remembered.
const MOST: usize = 10_000;

/// Files that somebody has written to and not closed, by inode and not by name: a link to one is half written, too.
#[derive(Debug, Default)]
pub(super) struct Writers {
    open: HashMap<Inode, Open>,
    /// What they were called when somebody wrote to them: by the time that the closing is told, the name may be another's.
    names: HashMap<FilePath, Inode>,
}

/// A file that is open for writing.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// How often it was opened and not closed again: closing tells not who has closed it.
    times: usize,
    /// Until when it is taken for open if nothing more is reported.
    until: Instant,
}

impl Writers {
    /// Takes in that a file was written to. Who does not close it, and whose closing is not reported, is not waited for after `until`.
    pub fn written(&mut self, path: FilePath, inode: Inode, until: Instant, now: Instant) {
        if self.names.len() >= MOST {
            self.forget(now);
        }
        if self.names.len() < MOST || self.names.contains_key(&path) {
            self.open.entry(inode).or_insert(Open { times: 1, until }).until = until;
            self.names.insert(path, inode);
        }
    }

    /// Returns which file somebody has written to under this name.
    pub fn named(&self, path: &str) -> Option<Inode> {
        self.names.get(path).copied()
    }

    /// Takes in that somebody else has opened a file, perhaps to write to it, too.
    pub fn opened(&mut self, inode: Inode) {
        if let Some(open) = self.open.get_mut(&inode) {
            open.times = open.times.saturating_add(1);
        }
    }

    /// Takes in that a file was closed by one who could write to it. Where others have opened it and may only read, nobody is waited for
    /// after `until`.
    pub fn closed(&mut self, inode: Inode, until: Instant) {
        let Some(open) = self.open.get_mut(&inode) else { return };
        open.times -= 1;
        open.until = open.until.min(until);
        if open.times == 0 {
            self.open.remove(&inode);
            self.names.retain(|_, named| *named != inode);
        }
    }

    /// Takes in that reports were lost: those that somebody has closed a file may be among them.
    pub fn lost(&mut self, until: Instant) {
        self.open.values_mut().for_each(|open| open.until = until.min(open.until));
    }

    /// Returns until when a file is taken for open, if it is.
    pub fn until(&self, inode: Inode, now: Instant) -> Option<Instant> {
        self.open.get(&inode).map(|open| open.until).filter(|until| *until > now)
    }

    /// Returns whether no file is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Forgets what nobody waits for any more.
    pub fn forget(&mut self, now: Instant) {
        self.open.retain(|_, open| open.until > now);
        self.names.retain(|_, inode| self.open.contains_key(inode));
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
        writers.written("a".into(), (1, 1), began + 60 * second, began);
        writers.written("b".into(), (1, 2), began + 60 * second, began);
        assert_eq!(writers.named("b"), Some((1, 2)));
        writers.closed((1, 2), began + 3 * second);
        assert_eq!([(1, 1), (1, 2), (2, 1)].map(|inode| writers.until(inode, began).is_some()), [true, false, false]);
        writers.lost(began + 3 * second);
        assert_eq!([2, 3].map(|after| writers.until((1, 1), began + after * second).is_some()), [true, false]);
    }

    #[test]
    fn a_file_that_several_have_opened_is_open_until_all_have_closed_it() {
        let (began, second) = (monotonic(), Duration::from_secs(1));
        let is_open = |writers: &Writers, after: u32| writers.until((1, 1), began + after * second).is_some();
        let mut writers = Writers::default();
        writers.opened((1, 1));
        writers.written("a".into(), (1, 1), began + 60 * second, began);
        writers.opened((1, 1));
        writers.closed((1, 1), began + 3 * second);
        assert_eq!([2, 3].map(|after| is_open(&writers, after)), [true, false], "the other may be a reader");
        writers.written("b".into(), (1, 1), began + 60 * second, began + second);
        assert!(is_open(&writers, 50), "it is none");
        writers.closed((1, 1), began + 63 * second);
        assert!(!is_open(&writers, 2) && writers.is_empty() && writers.named("a").is_none());
    }

    #[test]
    fn no_number_of_writers_fills_the_memory() {
        let (began, second) = (monotonic(), Duration::from_secs(1));
        let mut writers = Writers::default();
        (0..2 * MOST as u64).for_each(|number| writers.written(number.to_string().into(), (1, number), began + second, began));
        assert_eq!((writers.open.len(), writers.names.len()), (MOST, MOST));
        writers.written("a".into(), (2, 1), began + 60 * second, began + 2 * second);
        assert_eq!((writers.open.len(), writers.names.len()), (1, 1));
    }
}
