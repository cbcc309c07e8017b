//! Places for the large bodies of webhooks: nobody has proved anything while a body is read.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Mutex, MutexGuard},
};

use crate::http::peer::sender::sender;

/// Places for larger bodies, of all senders and of one, because nobody has proved anything while a body is read.
const MAX_BODIES: usize = 4;
const MAX_BODIES_OF_ONE: usize = 2;
/// The places that are taken for large bodies, by sender.
#[derive(Default)]
pub struct Bodies(Mutex<HashMap<IpAddr, usize>>);

impl Bodies {
    /// Takes one for this sender, if one is free.
    pub fn take(&self, address: IpAddr) -> Option<BodyPermit<'_>> {
        let address = sender(address);
        let mut taken = self.taken();
        let own = taken.get(&address).copied().unwrap_or_default();
        if own == MAX_BODIES_OF_ONE || taken.values().sum::<usize>() == MAX_BODIES {
            return None;
        }
        taken.insert(address, own + 1);
        Some(BodyPermit { bodies: self, address })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}

/// A place that is taken. Dropping it makes it free.
pub struct BodyPermit<'a> {
    bodies: &'a Bodies,
    address: IpAddr,
}

impl Drop for BodyPermit<'_> {
    fn drop(&mut self) {
        let mut taken = self.bodies.taken();
        if let Entry::Occupied(mut own) = taken.entry(self.address) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sender_has_every_place_for_a_large_body() {
        let bodies = Bodies::default();
        let take = |text: &str| bodies.take(text.parse().unwrap());
        let own = [take("10.0.0.1"), take("::ffff:10.0.0.1")];
        assert!(own.iter().all(Option::is_some) && take("10.0.0.1").is_none());
        let others = [take("2001:db8::1"), take("2001:db8::2")];
        assert!(others.iter().all(Option::is_some) && take("10.0.0.2").is_none());
        drop(own);
        assert!(take("10.0.0.2").is_some() && take("2001:db8::3").is_none());
        drop(others);
        assert!(bodies.taken().is_empty());
    }
}
