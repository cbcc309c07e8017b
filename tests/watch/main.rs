//! What an operator watches: the metrics, and where the control plane answers.

#[path = "../store/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the store's tests use the rest of it")]
mod kit;
#[path = "../support/node.rs"]
mod node;

mod collector;
mod docs;
mod listeners;
mod metrics;
mod scrape;
mod traces;
