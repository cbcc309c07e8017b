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
#[cfg(feature = "node")]
pub mod api;
pub mod audit;
#[cfg(feature = "node")]
pub mod backup;
#[cfg(feature = "node")]
mod blocking;
pub mod bounded;
pub mod cancel;
pub mod capability;
#[cfg(feature = "node")]
pub mod cli;
pub mod clock;
#[cfg(feature = "node")]
pub mod config;
pub mod deployment;
pub mod engine;
pub mod execution;
#[cfg(feature = "node")]
pub mod executor;
pub mod function;
#[cfg(feature = "node")]
pub mod gate;
pub mod hex;
#[cfg(feature = "node")]
pub mod http;
pub mod id;
#[cfg(feature = "node")]
pub mod live;
#[cfg(feature = "node")]
pub mod network;
#[cfg(feature = "node")]
pub mod node;
#[cfg(feature = "node")]
pub mod outbound;
#[cfg(feature = "node")]
pub mod queue;
#[cfg(feature = "node")]
pub mod runner;
pub mod secret;
pub mod shown;
#[cfg(feature = "node")]
mod shutdown;
pub mod signature;
#[cfg(feature = "node")]
pub mod source;
#[cfg(feature = "node")]
pub mod sql;
#[cfg(feature = "node")]
pub mod stats;
#[cfg(feature = "node")]
pub mod store;
#[cfg(feature = "node")]
mod supervisor;
#[cfg(feature = "node")]
pub mod sync;
#[cfg(feature = "node")]
pub mod telemetry;
#[cfg(feature = "node")]
pub mod trace;
#[cfg(feature = "node")]
pub mod trigger;
#[cfg(feature = "node")]
mod user;
#[cfg(feature = "node")]
pub mod vault;

#[global_allocator]
static ALLOCATOR: engine::memory::CountingAllocator = engine::memory::CountingAllocator;
