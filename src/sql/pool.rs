//! Connections that are used again. Each has a place, and there are only so many places.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout_at,
};

/// Connections to one database.
pub struct Pool<C> {
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<C>>>,
}

/// A place for one connection. It is free again when this is dropped.
pub struct Place<C> {
    idle: Arc<Mutex<Vec<C>>>,
    /// The connection that was left here, if there is one.
    left: Option<C>,
    _permit: OwnedSemaphorePermit,
}

impl<C> Pool<C> {
    /// Makes a pool of so many places, without a connection.
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), idle: Arc::default() }
    }

    /// Waits for a place, in order of arrival. None: the time was over first.
    pub async fn place(&self, deadline: Instant) -> Option<Place<C>> {
        let permit = timeout_at(deadline.into(), self.places.clone().acquire_owned()).await.ok()?.ok()?;
        let left = lock(&self.idle).pop();
        Some(Place { idle: self.idle.clone(), left, _permit: permit })
    }

    /// Drops the connections that nobody uses.
    pub fn forget_idle(&self) {
        lock(&self.idle).clear();
    }
}

impl<C> Place<C> {
    /// Takes the connection that was left here.
    pub fn take(&mut self) -> Option<C> {
        self.left.take()
    }

    /// Leaves a connection for the next.
    pub fn give_back(self, connection: C) {
        lock(&self.idle).push(connection);
    }
}

impl<C> Drop for Place<C> {
    fn drop(&mut self) {
        if let Some(connection) = self.left.take() {
            lock(&self.idle).push(connection);
        }
    }
}

fn lock<C>(idle: &Mutex<Vec<C>>) -> MutexGuard<'_, Vec<C>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::monotonic;

    #[tokio::test]
    async fn a_connection_is_used_again_and_places_are_limited() {
        let pool = Pool::new(1);
        let mut place = pool.place(monotonic()).await.unwrap();
        assert_eq!(place.take(), None);
        assert!(pool.place(monotonic()).await.is_none());
        place.give_back(7);
        let deadline = monotonic() + Duration::from_secs(60);
        // A place that is not used leaves what was there.
        drop(pool.place(deadline).await.unwrap());
        assert_eq!(pool.place(deadline).await.unwrap().take(), Some(7));
        assert_eq!(pool.place(deadline).await.unwrap().take(), None);
    }
}
