//! What an operator watches: the metrics, and where the control plane answers.

mod collector;
mod docs;
mod listeners;
mod metrics;
mod scrape;
mod traces;
