//! Who may do what, and who did: tokens, functions that ask for one, the audit log, logins, and a status that is watched.

#[path = "../git/kit.rs"]
#[allow(dead_code, reason = "the stories of git use the rest of it")]
mod git;
mod kit;
#[path = "../support/node.rs"]
mod node;
#[path = "../store/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the store's tests use the rest of it")]
mod store;

mod audit;
mod callers;
mod login;
mod rights;
mod shown;
mod tokens;
mod watch;
