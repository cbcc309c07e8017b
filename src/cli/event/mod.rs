//! `picloud emit` and `picloud events`: events of a node, from outside.

mod dead;
mod emit;
mod list;
mod stats;
mod waiting;

use clap::Subcommand;

pub use self::emit::Emit;
use self::{
    dead::Dead,
    list::{Discard, List, RetryNow, Show, Topics},
    stats::Stats,
    waiting::Waiting,
};
use super::exit::Exit;

/// `picloud events`
#[derive(Debug, Subcommand)]
pub enum Events {
    /// List topics, with their handlers and what waits
    Topics(Topics),
    /// Count what is in the queue, and what is emitted
    Stats(Stats),
    /// List events, the newest first
    List(List),
    /// Show an event, and what becomes of it
    Show(Show),
    /// List what is in the queue, of events and schedules: what waits, runs and is held
    Waiting(Waiting),
    /// Have a delivery tried at once that waits for its time
    Retry(RetryNow),
    /// Throw a delivery away that waits
    Discard(Discard),
    /// Deal with what was given up
    #[command(subcommand)]
    Dead(Dead),
}

impl Events {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Topics(topics) => topics.run(),
            Self::Stats(stats) => stats.run(),
            Self::List(list) => list.run(),
            Self::Show(show) => show.run(),
            Self::Waiting(waiting) => waiting.run(),
            Self::Retry(retry) => retry.run(),
            Self::Discard(discard) => discard.run(),
            Self::Dead(dead) => dead.run(),
        }
    }
}
