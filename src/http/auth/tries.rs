//! Wrong tokens, counted by sender. This spares the database: nobody guesses a secret of 256 bits anyway.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::http::peer::sender::sender;

/// Wrong tokens that an address may send within `WINDOW`.
const MAX_WRONG: u32 = 10;
/// After so long an address's wrong tokens are forgotten.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are kept in memory; past it they are forgotten.
const REMEMBERED: usize = 10_000;

/// The wrong tokens of the last minute.
#[derive(Default)]
pub struct Tries {
    /// When the first came from an address, and how many since.
    wrong: HashMap<IpAddr, (Instant, u32)>,
}

impl Tries {
    /// Returns how long no unknown token from there is looked at, if that is so.
    pub fn blocked(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let (first, count) = self.wrong.get(&sender(address))?;
        let remaining = WINDOW.checked_sub(now.duration_since(*first)).filter(|remaining| !remaining.is_zero());
        remaining.filter(|_| *count >= MAX_WRONG)
    }

    /// Counts one.
    pub fn failed(&mut self, address: IpAddr, now: Instant) {
        let is_recent = |first: &Instant| now.duration_since(*first) < WINDOW;
        if self.wrong.len() >= REMEMBERED {
            self.wrong.retain(|_, (first, _)| is_recent(first));
        }
        if self.wrong.len() >= REMEMBERED {
            self.wrong.clear();
        }
        let (first, count) = self.wrong.entry(sender(address)).or_insert((now, 0));
        if !is_recent(first) {
            (*first, *count) = (now, 0);
        }
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::clock::monotonic;

    #[test]
    fn an_address_is_blocked_for_a_while_after_too_many_wrong_tokens() {
        let (mut tries, now) = (Tries::default(), monotonic());
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        for _ in 0..MAX_WRONG {
            assert_eq!(tries.blocked(one, now), None);
            tries.failed(one, now);
        }
        assert_eq!(tries.blocked(one, now + WINDOW / 2), Some(WINDOW / 2));
        assert_eq!(tries.blocked("::ffff:10.0.0.1".parse().unwrap(), now), Some(WINDOW));
        assert_eq!(tries.blocked(other, now), None);
        assert_eq!(tries.blocked(one, now + WINDOW), None);
        tries.failed(one, now + WINDOW);
        assert_eq!(tries.blocked(one, now + WINDOW), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_sender_and_many_senders_take_little_memory() {
        let (mut tries, now) = (Tries::default(), monotonic());
        for host in 0..u64::from(MAX_WRONG) {
            tries.failed(IpAddr::V6(Ipv6Addr::from_bits(u128::from(host))), now);
        }
        assert!(tries.blocked("::ffff:ffff:ffff:ffff".parse().unwrap(), now).is_some());
        for network in 0..3 * REMEMBERED as u128 {
            tries.failed(IpAddr::V6(Ipv6Addr::from_bits(network << 64)), now);
            assert!(tries.wrong.len() <= REMEMBERED);
        }
    }
}
