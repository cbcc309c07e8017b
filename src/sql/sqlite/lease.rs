//! A connection while somebody uses it. Afterwards it goes back to its pool.
//!
//! SQLite works on the thread of whoever asks: most statements take less than to hand them to another thread and back.

use std::{thread, time::Instant};

use super::{BUSY_LIMIT, connection::Connection};
use crate::{
    cancel::CancelFlag,
    capability::sql::{SqlError, SqlErrorKind},
    clock::monotonic,
    sql::pool::Place,
};

/// Operations of SQLite's machine after which it looks whether it should stop: some microseconds.
const OPERATIONS: i32 = 1_000;

/// When work ends before it is done.
#[derive(Debug, Clone)]
pub struct Stop {
    pub deadline: Instant,
    /// Set when nobody wants the result any more.
    pub cancel: CancelFlag,
}

impl Stop {
    /// Ends work at this time.
    pub fn at(deadline: Instant) -> Self {
        Self { deadline, cancel: CancelFlag::default() }
    }

    /// Returns whether it ends now.
    pub fn is_over(&self) -> bool {
        self.cancel.is_set() || monotonic() >= self.deadline
    }
}

/// A connection and its place in the pool.
pub struct Lease {
    /// Some until the end.
    held: Option<(Connection, Place<Connection>)>,
}

impl Lease {
    /// Takes a connection.
    pub fn new(connection: Connection, place: Place<Connection>) -> Self {
        Self { held: Some((connection, place)) }
    }

    /// Does some work, which SQLite stops when that says so.
    pub fn run<T>(&self, stop: &Stop, work: impl FnOnce(&Connection) -> Result<T, SqlError>) -> Result<T, SqlError> {
        let Some((connection, _)) = self.held.as_ref().filter(|_| !stop.is_over()) else { return Err(timed_out()) };
        let left = stop.deadline.saturating_duration_since(monotonic());
        let is_over = {
            let stop = stop.clone();
            move || stop.is_over()
        };
        // Only a connection that somebody else owns can refuse this.
        let _ = connection.sqlite.progress_handler(OPERATIONS, Some(is_over));
        let _ = connection.sqlite.busy_timeout(BUSY_LIMIT.min(left));
        work(connection)
    }

    /// Does some work that always ends soon.
    pub fn finish(&self, work: impl FnOnce(&Connection)) {
        if let Some((connection, _)) = &self.held {
            work(connection);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A connection in which something panicked is closed.
        if let Some((connection, place)) = self.held.take().filter(|_| !thread::panicking()) {
            place.give_back(connection);
        }
    }
}

/// Says that the time is over.
pub fn timed_out() -> SqlError {
    SqlError::new(SqlErrorKind::Timeout, "the time for the database is over").code("57014")
}
