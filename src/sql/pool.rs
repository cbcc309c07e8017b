//! Connections that are used again. Each has a place, and there are only so many places.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout_at,
};

/// Connections to one database.
pub struct Pool<C> {
    shared: Arc<Shared<C>>,
    /// How often a thread looks whether a place is free before it waits for one.
    looks: u32,
}

struct Shared<C> {
    places: Arc<Semaphore>,
    idle: Mutex<Vec<C>>,
    /// A place was given back.
    given_back: Notify,
}

/// A place for one connection. It is free again when this is dropped.
pub struct Place<C> {
    shared: Arc<Shared<C>>,
    /// The connection that was left here, if there is one.
    left: Option<C>,
    /// Some until the end.
    permit: Option<OwnedSemaphorePermit>,
}

impl<C> Pool<C> {
    /// Makes a pool of so many places, without a connection.
    pub fn new(places: usize) -> Self {
        Self::with(places, 1)
    }

    /// The same, where a place is mostly free again within microseconds: a thread looks some times before it waits, which takes as long.
    pub fn of_quick(places: usize) -> Self {
        Self::with(places, 20)
    }

    fn with(places: usize, looks: u32) -> Self {
        let (places, idle) = (Arc::new(Semaphore::new(places)), Mutex::new(Vec::new()));
        Self { shared: Arc::new(Shared { places, idle, given_back: Notify::new() }), looks }
    }

    /// Waits for a place. Whoever comes when one is free takes it, even if others have waited: a free place that waits for its next user to
    /// wake up would keep everybody waiting. None: the time was over first.
    pub async fn place(&self, deadline: Instant) -> Option<Place<C>> {
        loop {
            let mut given_back = pin!(self.shared.given_back.notified());
            // From here on no notice is missed.
            given_back.as_mut().enable();
            if let Some(place) = self.free_place() {
                return Some(place);
            }
            timeout_at(deadline.into(), given_back).await.ok()?;
        }
    }

    fn free_place(&self) -> Option<Place<C>> {
        (0..self.looks).find_map(|look| {
            if look > 0 {
                thread::yield_now();
            }
            let permit = self.shared.places.clone().try_acquire_owned().ok()?;
            Some(Place { left: self.shared.idle().pop(), shared: self.shared.clone(), permit: Some(permit) })
        })
    }

    /// Drops the connections that nobody uses.
    pub fn forget_idle(&self) {
        self.shared.idle().clear();
    }
}

impl<C> Place<C> {
    /// Takes the connection that was left here.
    pub fn take(&mut self) -> Option<C> {
        self.left.take()
    }

    /// Leaves a connection for the next.
    pub fn give_back(mut self, connection: C) {
        self.left = Some(connection);
    }
}

impl<C> Drop for Place<C> {
    fn drop(&mut self) {
        if let Some(connection) = self.left.take() {
            self.shared.idle().push(connection);
        }
        drop(self.permit.take());
        self.shared.given_back.notify_one();
    }
}

impl<C> Shared<C> {
    fn idle(&self) -> MutexGuard<'_, Vec<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
