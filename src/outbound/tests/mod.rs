//! Requests to real servers on this machine.

mod answers;
mod connections;
mod kit;
mod reach;
mod redirects;
mod retries;
