//! Starts functions without a request: at the due times of their schedules, and for the events that they handle.
//!
//! The scheduler turns due times into deliveries of the queue. The dispatcher claims deliveries, runs them and settles them.

mod announce;
mod dispatch;
mod due;
mod inbox;
mod lease;
mod occasion;
mod order;
mod places;
mod run;
mod schedule;
mod tick_runs;

pub use announce::Announcer;
pub use dispatch::{DispatchLimits, Dispatcher};
pub use inbox::Inbox;
pub use order::{RunOrder, RunOrders};
pub use run::{DeliveryRunner, RunReport};
pub use schedule::Scheduler;
pub use tick_runs::TickRuns;
