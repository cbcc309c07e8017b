//! Requests in, responses out: connections with their limits, the functions' own URLs, and the reserved ones. Knows nothing of Rhai.

mod answer;
mod api;
mod app;
mod auth;
mod call;
mod caller;
mod connection;
mod cookie;
mod counts;
mod dashboard;
mod face;
mod git;
mod head;
mod health;
mod hooks;
mod metrics;
mod origin;
mod peer;
mod problem;
mod reserved;
mod service;
mod session;
mod settings;
mod webhook;
mod wire;

pub use app::App;
pub use auth::Auth;
pub use connection::serve;
pub use counts::Counts;
pub use face::Face;
pub use peer::forwarded::{ForwardedHeader, Proxies};
pub use settings::{HttpSettings, MOST_HEADERS};
pub use webhook::Webhook;
