//! PiCloud turns a folder of `.rhai` files into live HTTP endpoints.
//!
//! # The paths
//!
//! ```text
//! file change → source → sync: check (front-matter, routes, compile, cross-check) → executor loads → store records → live swaps
//!
//! request → http → live finds → runner → executor runs (engine) → response
//!                                └→ journal → store
//!
//! git push → hook → gate → sync: the same check, before git accepts the push; then the branch has moved, and it is a file change
//!
//! upload → http → sync: the same check, before the source writes it; then it is a file change, or a commit on the branch
//! ```
//!
//! A file notice only says «look again»: [`sync`] compares whole states, so lost or doubled notices do no harm. What a deployment changes
//! becomes visible in one swap of an immutable table ([`live`]), which cannot fail and so comes last. A request ends on the table that it
//! began with.
//!
//! # Three seams
//!
//! [`source::Source`] (where files come from), [`executor::Executor`] (who runs functions) and [`store::Store`] (what is remembered). What
//! crosses them is plain data: [`function`], [`deployment`], [`execution`].
//!
//! # One direction
//!
//! `function` uses nothing of ours but the words for who may do what and how ids are written. `engine` knows no server and no store; `http`
//! knows no Rhai. Only [`runner`] has functions run, only [`node`] names implementations, and only [`cli`] prints. What
//! [`http`] and [`cli`] say to each other is in [`api`]. `tests/architecture/` holds the table.

pub mod access;
pub mod api;
pub mod audit;
pub mod backup;
mod blocking;
pub mod bounded;
pub mod cancel;
pub mod capability;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deployment;
pub mod engine;
pub mod execution;
pub mod executor;
pub mod function;
pub mod gate;
pub mod hex;
pub mod http;
pub mod id;
pub mod live;
pub mod network;
pub mod node;
pub mod outbound;
pub mod queue;
pub mod runner;
pub mod secret;
pub mod shown;
mod shutdown;
pub mod signature;
pub mod source;
pub mod sql;
pub mod stats;
pub mod store;
mod supervisor;
pub mod sync;
pub mod telemetry;
pub mod trace;
pub mod trigger;
mod user;
pub mod vault;

#[global_allocator]
static ALLOCATOR: engine::memory::CountingAllocator = engine::memory::CountingAllocator;
