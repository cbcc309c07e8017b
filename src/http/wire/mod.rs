//! Between a socket and a request: connections and their limits, who is at the other end, and what a head must be.

pub mod body;
pub mod nonsense;
pub mod places;
pub mod progress;
pub mod stream;
pub mod timer;
