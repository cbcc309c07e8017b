//! The control plane's part about events: emitting them, topics, what was emitted, what waits, and what was given up.
//!
//! A token for some functions has the topics of their folder (`function/topic_reach.rs`): there it emits, and it sees events and what its own
//! functions do with them. A payload is data of users, and wants an admin of the whole node, as values of the key-value store do.

mod dead;
mod deliveries;
mod emit;
mod list;
mod page;
mod selection;
mod topic;

use super::openapi::Routes;

/// The routes of events.
pub fn routes() -> Routes {
    list::routes().merge(emit::routes()).merge(deliveries::routes()).merge(dead::routes())
}
