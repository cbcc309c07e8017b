//! Addresses: networks as people write them, and addresses that are not for everybody.

mod reserved;

use std::{fmt, net::IpAddr, str::FromStr};

use serde::Deserialize;

pub use reserved::{Reservation, reserved};

/// An address, or all that begin with the same bits: `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u32,
}

impl Network {
    /// Returns whether an address is one of them. An IPv4 address inside an IPv6 address is none: make it canonical before.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => same_start(first.to_bits().into(), address.to_bits().into(), 32 - self.prefix),
            (IpAddr::V6(first), IpAddr::V6(address)) => same_start(first.to_bits(), address.to_bits(), 128 - self.prefix),
            _ => false,
        }
    }

    /// Returns whether it is one address alone.
    pub fn is_single(&self) -> bool {
        self.prefix == if self.first.is_ipv4() { 32 } else { 128 }
    }
}

/// Returns whether two addresses are alike but for their last bits.
fn same_start(one: u128, other: u128, last_bits: u32) -> bool {
    (one ^ other).checked_shr(last_bits).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address or network; write it like \"127.0.0.1\", \"::1\" or \"10.0.0.0/8\"");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            // What `parse` takes beyond digits is a sign.
            Some(prefix) if prefix.starts_with('+') => return Err(wrong()),
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= bits).ok_or_else(wrong)?,
            None => bits,
        };
        let start = match first {
            IpAddr::V4(first) => IpAddr::V4(((u64::from(first.to_bits()) >> (32 - prefix) << (32 - prefix)) as u32).into()),
            IpAddr::V6(first) => IpAddr::V6((first.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)).into()),
        };
        if start != first {
            return Err(format!("`{text}` could mean one address or many; write \"{first}\" or \"{start}/{prefix}\""));
        }
        Ok(Self { first, prefix })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_and_how_many_bits_of_it_count() {
        for (network, inside, outside) in [
            ("127.0.0.1", &["127.0.0.1"][..], &["127.0.0.2", "::1", "::7f00:1"][..]),
            ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255"], &["11.0.0.0", "9.255.255.255"]),
            ("192.168.4.0/22", &["192.168.7.255"], &["192.168.8.0", "192.168.3.255"]),
            ("192.168.7.9/32", &["192.168.7.9"], &["192.168.7.8"]),
            ("0.0.0.0/0", &["1.2.3.4"], &["::1"]),
            ("::/0", &["::1", "2001:db8::1"], &["1.2.3.4"]),
            ("fd00::/8", &["fdff::1"], &["fc00::1"]),
            ("2001:db8::1", &["2001:db8::1"], &["2001:db8::2"]),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(inside.iter().all(|address| parsed.contains(address.parse().unwrap())), "{network}");
            assert!(!outside.iter().any(|address| parsed.contains(address.parse().unwrap())), "{network}");
        }
        for wrong in [
            "",
            "localhost",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/x",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "/8",
            "10.0.0.0/8/8",
            "10/8",
        ] {
            assert!(wrong.parse::<Network>().unwrap_err().contains("write it like"), "{wrong}");
        }
        let error = "10.1.2.3/8".parse::<Network>().unwrap_err();
        assert_eq!(error, "`10.1.2.3/8` could mean one address or many; write \"10.1.2.3\" or \"10.0.0.0/8\"");
        assert!("fd00::1/8".parse::<Network>().unwrap_err().contains("\"fd00::/8\""));
    }
}
