//! The control plane's part about events: emitting them, topics, what was emitted, what waits, and what was given up.
//!
//! A topic belongs to the functions that handle it: a token for some functions emits and reads where no other handles it. A payload is data of
//! users, and wants an admin of the whole node, as values of the key-value store do.

mod dead;
mod deliveries;
mod emit;
mod list;
mod page;
mod topic;

use super::openapi::Routes;

/// The routes of events.
pub fn routes() -> Routes {
    list::routes().merge(emit::routes()).merge(deliveries::routes()).merge(dead::routes())
}
