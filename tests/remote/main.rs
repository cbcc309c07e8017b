//! Following a repository elsewhere, and being told that it has changed: with real repositories, a real git and a real network.

#[path = "../support/node.rs"]
mod node;

mod fetching;
mod repository;
mod webhooks;
