//! What can go wrong around a node, each as a story on a real one: nothing that was promised is lost, and what is lost is counted and said.

#[path = "../git/kit.rs"]
#[allow(dead_code, reason = "the stories of git use the rest of it")]
mod git;
mod kit;
#[path = "../support/node.rs"]
mod node;
#[path = "../store/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the store's tests use the rest of it")]
mod store;

mod clock;
mod damage;
mod disk;
mod handles;
mod kills;
mod memory;
mod nodes;
mod outage;
mod postgres;
mod shutdown;
mod spool;
mod watches;
