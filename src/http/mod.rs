//! Requests in, responses out: connections with their limits, the functions' own URLs, and the reserved ones. Knows nothing of Rhai.

mod answer;
mod api;
mod app;
mod auth;
mod call;
mod face;
mod git;
mod health;
mod metrics;
mod problem;
mod reserved;
mod service;
mod settings;
mod webhook;
mod wire;

pub use app::App;
pub use auth::Auth;
pub use face::Face;
pub use metrics::counts::Counts;
pub use settings::{HttpSettings, MOST_HEADERS};
pub use webhook::Webhook;
pub use wire::{
    connection::serve,
    forwarded::{ForwardedHeader, Proxies},
    network::Network,
};
