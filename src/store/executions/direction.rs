//! Which way a search of executions goes: back in time, or forward from one of them.

use std::ops::RangeInclusive;

/// Which way a search goes through a range of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Newest first.
    Back,
    /// Oldest first.
    Forward,
}

impl Direction {
    /// Returns the word for `ORDER BY id`.
    pub(super) fn order(self) -> &'static str {
        match self {
            Self::Back => "DESC",
            Self::Forward => "ASC",
        }
    }

    /// Returns the condition that a search begins in this range.
    pub(super) fn beginning(self, range: &RangeInclusive<i64>) -> String {
        match self {
            Self::Back => format!("id <= {}", range.end()),
            Self::Forward => format!("id >= {}", range.start()),
        }
    }

    /// Returns the id before this one, as the search goes.
    pub(super) fn back_from(self, id: i64) -> i64 {
        match self {
            Self::Back => id + 1,
            Self::Forward => id - 1,
        }
    }

    /// Returns the part of a range before the row that is looked at next; none: all of it.
    pub(super) fn part(self, range: &RangeInclusive<i64>, rest: Option<i64>) -> RangeInclusive<i64> {
        let Some(last) = rest.map(|rest| self.back_from(rest)) else { return range.clone() };
        match self {
            Self::Back => last..=*range.end(),
            Self::Forward => *range.start()..=last,
        }
    }

    /// Returns what is left of a range that was looked through to this id.
    pub(super) fn rest(self, range: &RangeInclusive<i64>, looked_to: i64) -> RangeInclusive<i64> {
        match self {
            Self::Back => *range.start()..=looked_to - 1,
            Self::Forward => looked_to + 1..=*range.end(),
        }
    }

    /// Puts what was found in the order of pages.
    pub(super) fn newest_first<T>(self, found: &mut [T]) {
        if self == Self::Forward {
            found.reverse();
        }
    }
}
