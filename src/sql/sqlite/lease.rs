//! A worker while somebody uses it. Afterwards it goes back to its pool.

use std::time::Instant;

use super::{
    connection::Connection,
    worker::{Cancel, Worker},
};
use crate::{
    capability::sql::{SqlError, SqlErrorKind},
    sql::pool::Place,
};

/// A worker and its place in the pool.
pub struct Lease {
    /// Some until the end.
    held: Option<(Worker, Place<Worker>)>,
}

impl Lease {
    /// Takes a worker.
    pub fn new(worker: Worker, place: Place<Worker>) -> Self {
        Self { held: Some((worker, place)) }
    }

    /// Does some work, which ends at the deadline, or when this future is dropped.
    pub async fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&Connection, &Cancel) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        match &self.held {
            Some((worker, _)) => worker.run(deadline, work).await.unwrap_or_else(|| Err(timed_out())),
            None => Err(timed_out()),
        }
    }

    /// Does some work for which nobody waits, before the next user's.
    pub fn send(&self, work: impl FnOnce(&Connection) + Send + 'static) {
        if let Some((worker, _)) = &self.held {
            worker.send(work);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((worker, place)) = self.held.take()
            && worker.is_alive()
        {
            place.give_back(worker);
        }
    }
}

/// Says that the time is over.
pub fn timed_out() -> SqlError {
    SqlError::new(SqlErrorKind::Timeout, "the time for the database is over").code("57014")
}
