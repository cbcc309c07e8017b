//! Git as a source: stories with the real git program on both ends.

#[path = "../support/node.rs"]
mod node;

mod fetching;
mod http;
mod kit;
mod previews;
mod remote;
mod series;
mod serve;
mod upstream;
mod webhooks;
