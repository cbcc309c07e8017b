//! What an operator watches: the metrics, and where the control plane answers.

mod collector;
mod docs;
mod effects;
mod listeners;
mod metrics;
mod scrape;
mod traces;
