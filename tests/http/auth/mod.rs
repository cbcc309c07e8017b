//! Who may do what, and who did: tokens, functions that ask for one, the audit log, logins, and a status that is watched.

mod audit;
mod callers;
mod login;
mod rights;
mod sessions;
mod shown;
mod tokens;
mod watch;
