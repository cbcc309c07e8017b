//! Makes ids: they rise with time, and no two nodes make the same.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    num::ParseIntError,
    str::FromStr,
    sync::atomic::{AtomicI64, Ordering},
};

use super::LOW_BITS;
use crate::clock::SharedClock;

/// The lowest of [`LOW_BITS`] are the number of the node. Two ids fit into each microsecond then; more run ahead of the time.
const NODE_BITS: u32 = 10;
/// The largest number of a node.
pub const LAST_NODE: i64 = (1 << NODE_BITS) - 1;

/// Returns the number of the node that made an id.
pub(super) fn node_of(id: i64) -> i64 {
    id & LAST_NODE
}

/// Tells the ids of a node from those that another makes at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeNumber(i64);

impl NodeNumber {
    /// Draws a number by chance.
    pub fn drawn() -> Self {
        Self((RandomState::new().hash_one(std::process::id()) & ((1 << NODE_BITS) - 1)) as i64)
    }
}

impl fmt::Display for NodeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for NodeNumber {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        // A number that is too large is another's, in part; it is still this node's own.
        text.trim().parse::<u16>().map(|number| Self(i64::from(number) & ((1 << NODE_BITS) - 1)))
    }
}

/// Makes ids that rise with time. None repeats in this process, nor in one with another number.
pub struct Ids {
    clock: SharedClock,
    last: AtomicI64,
    node: NodeNumber,
}

impl Ids {
    /// Makes a node's ids by this clock.
    pub fn new(clock: SharedClock, node: NodeNumber) -> Self {
        Self { clock, last: AtomicI64::new(0), node }
    }

    /// Returns the time by the clock that ids are made by, in microseconds since 1970.
    pub fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// Makes every later id higher than this one: an earlier process made it, by a clock that may have been ahead of today's.
    pub fn rise_above(&self, id: i64) {
        self.last.fetch_max(id, Ordering::Relaxed);
    }

    /// Returns the next id: the time if that is new, else the next of this node after the last one.
    pub fn next(&self) -> i64 {
        let wanted = (self.clock.now_us() << LOW_BITS) | self.node.0;
        let last = self.last.fetch_max(wanted, Ordering::Relaxed);
        if last < wanted {
            return wanted;
        }
        let after = |last: i64| (((last >> NODE_BITS) + 1) << NODE_BITS) | self.node.0;
        let (Ok(last) | Err(last)) = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        after(last)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{clock::Clock, id::id_time_us};

    struct Stopped(i64);
    impl Clock for Stopped {
        fn now_us(&self) -> i64 {
            self.0
        }
    }

    #[test]
    fn ids_rise_even_when_time_does_not() {
        let ids = Ids::new(Arc::new(Stopped(1_700_000_000_000_000)), NodeNumber(7));
        let made: Vec<i64> = (0..5000).map(|_| ids.next()).collect();
        assert!(made.is_sorted() && made.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(id_time_us(made[0]), 1_700_000_000_000_000);
    }

    #[test]
    fn nodes_with_different_numbers_never_make_the_same_id() {
        let clock = Arc::new(Stopped(1_700_000_000_000_000));
        let nodes = [0, 1, 7, (1 << NODE_BITS) - 1].map(|number| Ids::new(clock.clone(), NodeNumber(number)));
        // One goes on after an id of another.
        nodes[1].rise_above(nodes[3].next() + 5);
        let made: Vec<i64> = nodes.iter().flat_map(|ids| (0..2000).map(|_| ids.next())).collect();
        let different: std::collections::BTreeSet<&i64> = made.iter().collect();
        assert_eq!(different.len(), made.len());
    }

    #[test]
    fn a_node_number_reads_back() {
        let number = NodeNumber::drawn();
        assert_eq!(format!("{number}\n").parse(), Ok(number));
        assert!(["", "-1", "x", "70000"].iter().all(|text| text.parse::<NodeNumber>().is_err()));
    }
}
