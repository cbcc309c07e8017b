//! The contract of the HTTP side: what callers outside the repository rely on.

#[path = "../support/node.rs"]
mod node;

mod access;
mod archive;
mod clients;
mod contract;
mod failures;
mod floods;
mod heads;
mod origins;
mod proxies;
mod rejected;
mod reserved;
