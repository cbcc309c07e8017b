//! PiCloud turns a folder of `.rhai` files into live HTTP endpoints.

pub mod cli;
pub mod clock;
pub mod config;
pub mod deployment;
pub mod engine;
pub mod execution;
pub mod executor;
pub mod function;
pub mod http;
pub mod live;
pub mod node;
mod shutdown;
pub mod source;
pub mod store;
pub mod sync;
pub mod telemetry;

#[global_allocator]
static ALLOCATOR: engine::memory::CountingAllocator = engine::memory::CountingAllocator;
