//! Which addresses are one sender, wherever something is counted by address.

use std::net::{IpAddr, Ipv6Addr};

/// Returns what one sender has: an address, or the 64-bit network of IPv6 within which anyone takes any address.
pub fn sender(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}
