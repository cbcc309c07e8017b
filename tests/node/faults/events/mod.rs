//! Nodes that are killed, and databases that go away, while events and schedules run: nothing is lost, and nothing is done twice but what was
//! under way.

mod desk;
mod kills;
mod outage;
