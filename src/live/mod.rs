//! The table of what is live.

pub mod explain;
pub mod router;
