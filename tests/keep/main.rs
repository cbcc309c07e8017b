//! What is kept: backups of a node, put back elsewhere, and databases moved, on SQLite and on Postgres.

#[path = "../git/kit.rs"]
#[allow(dead_code, reason = "the stories of git use the rest of it")]
mod git;
mod kit;
#[path = "../support/node.rs"]
mod node;
#[path = "../store/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the store's tests use the rest of it")]
mod store;

mod backups;
mod copies;
mod damage;
mod places;
mod schema;
