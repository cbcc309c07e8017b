//! Git as a source: stories with the real git program on both ends.

#[path = "../support/node.rs"]
mod node;

mod http;
mod kit;
mod serve;
