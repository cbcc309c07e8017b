//! The Caddyfile of this repository in a real Caddy, in front of a real node. Needs the packages `caddy`, `curl` and `git`.

mod proxy;

mod away;
mod control;
mod functions;
mod lifecycle;
mod pushes;
