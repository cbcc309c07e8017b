//! The store and its journal, databases of users, and what is kept of a node: backups. On SQLite and on Postgres, through their public edge.

mod audit;
mod backup;
mod deployments;
mod executions;
mod journal;
#[path = "../kit/mod.rs"]
mod kit;
mod kv;
mod lease;
mod limits;
mod opening;
mod queue;
mod recording;
mod schemas;
mod secrets;
mod sql;
mod stats;
mod tokens;
