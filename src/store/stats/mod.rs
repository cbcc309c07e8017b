//! What executions come to over time, as the table `stats` has it: rows of a minute while they are new, then rows of a day.
//!
//! Rows are added in the transaction of the executions that they count, so each execution counts once, also when it comes through the spool.

mod read;
mod roll_up;
mod rows;

pub use read::{StatsKey, StatsQuery, StatsScope};
pub(super) use rows::{Rows, Slot, StatsRow, put};
