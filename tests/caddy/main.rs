//! The Caddyfile of this repository in a real Caddy, in front of a real node. Needs the packages `caddy`, `curl` and `git`.

#[path = "../git/kit.rs"]
#[allow(dead_code, reason = "the stories of git use the rest of it")]
mod git;
mod kit;
#[path = "../support/node.rs"]
mod node;

mod away;
mod control;
mod functions;
mod pushes;
