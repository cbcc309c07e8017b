//! The Caddyfile of this repository in a real Caddy, in front of a real node. Needs the packages `caddy`, `curl` and `git`.

#[path = "../git/kit.rs"]
#[allow(dead_code, reason = "the stories of git use the rest of it")]
mod git;
mod kit;
#[path = "../support/node.rs"]
mod node;
#[path = "../scripts/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the stories of scripts use the rest of it")]
mod scripts;
#[path = "../store/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the store's tests use the rest of it")]
mod store;

mod away;
mod control;
mod functions;
mod lifecycle;
mod pushes;
