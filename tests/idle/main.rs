//! What has nothing to do does nothing. Alone in its process, so that no other test keeps the machine's timers busy, and so that the threads
//! counted are its own.

mod directory;
#[path = "../kit/mod.rs"]
mod kit;
mod node;
