//! The store and its journal, on SQLite and on Postgres, through their public edge.

mod audit;
mod deployments;
mod executions;
mod journal;
mod kit;
mod lease;
mod limits;
mod opening;
mod tokens;
