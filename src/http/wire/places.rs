//! Places for connections: who holds them, and whose is given to a newcomer when all are taken.
//!
//! A client that takes its time costs the node nothing but its place. While places are free it may take it, up to the limits of time. When
//! none is free, a newcomer gets a place of the address that holds the most: that of the client the node has waited for longest. So one
//! address cannot shut out the others. Behind a reverse proxy all have one address, trusted or not, because a connection is the proxy's and
//! serves many clients. The longest idle one goes, and slow clients cannot hold what the proxy has for all. A connection whose request is
//! being worked on is never ended for another.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};

use crate::{clock::coarse_ms, http::peer::sender::sender};

/// A client keeps its place so long at least: a new one needs a moment to say what it wants.
const LEAST_WAIT_MS: u64 = 100;
/// Where no place can be had yet, a newcomer looks again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How often the log says that places run out.
const SAY_AGAIN_MS: u64 = 60_000;

/// The places of a node.
pub struct ConnectionPlaces {
    count: usize,
    free: Arc<Semaphore>,
    taken: Mutex<Occupancy>,
}

/// The places that are taken.
#[derive(Default)]
struct Occupancy {
    places: Vec<Arc<ConnectionPlace>>,
    /// How many each address holds.
    by_address: HashMap<IpAddr, Arc<AtomicUsize>>,
    ended: u64,
    said_ms: Option<u64>,
}

impl ConnectionPlaces {
    /// Makes so many, all free.
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { count, free: Arc::new(Semaphore::new(count)), taken: Mutex::default() })
    }

    /// Takes a place for a client of this address; if none is free, another's.
    pub async fn take(self: &Arc<Self>, address: IpAddr) -> HeldPlace {
        let free = loop {
            if let Ok(free) = self.free.clone().try_acquire_owned() {
                break free;
            }
            self.end_one();
            if let Ok(free) = tokio::time::timeout(LOOK_AGAIN, self.free.clone().acquire_owned()).await {
                break free.expect("the semaphore is never closed");
            }
        };
        let address = sender(address);
        let mut taken = self.taken();
        let of_address = taken.by_address.entry(address).or_default().clone();
        of_address.fetch_add(1, Ordering::Relaxed);
        let place = Arc::new(ConnectionPlace {
            waits_since_ms: AtomicU64::new(coarse_ms()),
            address,
            of_address,
            at: AtomicUsize::new(taken.places.len()),
            has_unread: AtomicBool::new(false),
            task: OnceLock::new(),
        });
        taken.places.push(place.clone());
        drop(taken);
        HeldPlace { place, places: self.clone(), _free: free }
    }

    /// Ends the connection that can be spared most, if there is one.
    pub fn end_one(&self) {
        let now = coarse_ms();
        let mut taken = self.taken();
        let waiting =
            taken.places.iter().filter_map(|place| Some((place.of_address.load(Ordering::Relaxed), place.waited_ms(now)?, place)));
        let Some((count, waited_ms, place)) = waiting.max_by_key(|(count, waited_ms, _)| (*count, *waited_ms)) else { return };
        if waited_ms < LEAST_WAIT_MS {
            return;
        }
        let (address, place) = (place.address, place.clone());
        // So that it is not chosen again before it is gone.
        place.is_worked_for();
        if let Some(task) = place.task.get() {
            task.abort();
        }
        taken.ended += 1;
        if taken.said_ms.is_none_or(|said_ms| now - said_ms >= SAY_AGAIN_MS) {
            taken.said_ms = Some(now);
            let (all, ended) = (self.count, taken.ended);
            drop(taken);
            tracing::warn!(
                "all {all} places for connections are taken: newcomers get those of the clients that are waited for longest ({ended} so far; this one for {waited_ms} ms, of {count} that `{address}` holds)"
            );
        }
    }

    fn taken(&self) -> MutexGuard<'_, Occupancy> {
        // Nothing that can panic runs while it is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, place: &ConnectionPlace) {
        let mut taken = self.taken();
        let at = place.at.load(Ordering::Relaxed);
        taken.places.swap_remove(at);
        if let Some(moved) = taken.places.get(at) {
            moved.at.store(at, Ordering::Relaxed);
        }
        if place.of_address.fetch_sub(1, Ordering::Relaxed) == 1 {
            taken.by_address.remove(&place.address);
        }
    }
}

/// A place that is taken. Dropping it makes it free.
pub struct HeldPlace {
    place: Arc<ConnectionPlace>,
    places: Arc<ConnectionPlaces>,
    _free: OwnedSemaphorePermit,
}

impl HeldPlace {
    /// Returns what the connection tells about itself.
    pub fn place(&self) -> Arc<ConnectionPlace> {
        self.place.clone()
    }
}

impl Drop for HeldPlace {
    fn drop(&mut self) {
        self.places.leave(&self.place);
    }
}

/// What is known of a connection.
pub struct ConnectionPlace {
    /// Since when the node waits for the client; 0 while it works for it.
    waits_since_ms: AtomicU64,
    address: IpAddr,
    of_address: Arc<AtomicUsize>,
    /// Its index among all; changed only under their lock.
    at: AtomicUsize,
    /// A request was answered before all of it was read.
    has_unread: AtomicBool,
    task: OnceLock<AbortHandle>,
}

impl ConnectionPlace {
    /// Says how the connection can be ended.
    pub fn ends_by(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    /// From now on the next step is the client's.
    pub fn waits(&self) {
        self.waits_since_ms.store(coarse_ms(), Ordering::Relaxed);
    }

    /// From now on the next step is the node's.
    pub fn is_worked_for(&self) {
        self.waits_since_ms.store(0, Ordering::Relaxed);
    }

    /// Returns whether the next step is the client's.
    pub fn is_waiting(&self) -> bool {
        self.waits_since_ms.load(Ordering::Relaxed) > 0
    }

    /// A request is answered before all of it was read.
    pub fn leaves_unread(&self) {
        self.has_unread.store(true, Ordering::Relaxed);
    }

    /// Returns whether the client may still be sending what nobody reads.
    pub fn has_unread(&self) -> bool {
        self.has_unread.load(Ordering::Relaxed)
    }

    fn waited_ms(&self, now_ms: u64) -> Option<u64> {
        let since_ms = self.waits_since_ms.load(Ordering::Relaxed);
        (since_ms > 0).then(|| now_ms.saturating_sub(since_ms))
    }
}
