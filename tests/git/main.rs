//! Git as a source: stories with the real git program on both ends.

#[path = "../support/node.rs"]
mod node;
#[path = "../store/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the store's tests use the rest of it")]
mod store;

mod branches;
mod crash;
mod fetching;
mod gate;
mod http;
mod kit;
mod outage;
mod previews;
mod races;
mod reader;
mod remote;
mod repository;
mod series;
mod serve;
mod shared;
mod signed;
mod upstream;
mod users;
mod webhooks;
