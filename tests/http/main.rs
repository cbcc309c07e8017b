//! What callers, operators and their tools rely on: a node over HTTP.

mod access;
mod api;
mod auth;
mod caddy;
mod clients;
mod contract;
mod dashboard;
mod earlier;
mod events;
mod examples;
mod failures;
mod floods;
mod heads;
#[path = "../kit/mod.rs"]
mod kit;
mod kv;
mod origins;
mod outbound;
mod proxies;
mod rejected;
mod reserved;
mod schedules;
mod scripts;
mod sql;
mod sql_events;
mod telemetry;
mod templates;
mod webhooks;
