//! Which addresses are not for everybody: those of this machine, of networks that are not the Internet, and of networks inside networks.
//!
//! After the IANA special-purpose registries for [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry) and
//! [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry). Of IPv6 only `2000::/3` is given out, so all else is reserved.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What an address is for that is not for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// Where clouds give their machines credentials.
    Metadata,
    /// This machine.
    Loopback,
    /// Networks of homes and companies.
    Private,
    /// Behind the address translation of a provider (RFC 6598).
    SharedByProvider,
    /// One cable.
    LinkLocal,
    /// More than one machine.
    Multicast,
    /// Says where else the packets go: 6to4, Teredo, NAT64 of a network's own.
    Tunnel,
    /// Examples, measurements, and what is not given out.
    Special,
}

impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "an address of cloud metadata",
            Self::Loopback => "an address of this machine",
            Self::Private => "a private address",
            Self::SharedByProvider => "a private address of a provider",
            Self::LinkLocal => "a link-local address",
            Self::Multicast => "a multicast address",
            Self::Tunnel => "an address of a tunnel",
            Self::Special => "an address for special use",
        })
    }
}

/// Where AWS, Azure, Google, Alibaba, Oracle, Scaleway and Tencent give machines their credentials. One of them looks like any other address.
const METADATA: [IpAddr; 11] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 42, 42)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 0, 23)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Returns what an address is for. `None`: everybody.
///
/// An IPv4 address inside an IPv6 address is judged itself where the packets go to it: `::ffff:0:0/96`, and `64:ff9b::/96`, by which networks
/// without IPv4 reach the rest (RFC 6052).
pub fn reserved(address: IpAddr) -> Option<Reservation> {
    let address = address.to_canonical();
    if METADATA.contains(&address) {
        return Some(Reservation::Metadata);
    }
    match address {
        IpAddr::V4(address) => reserved_v4(address.octets()),
        IpAddr::V6(address) => match address.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => reserved(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)).into()),
            segments => reserved_v6(address, segments),
        },
    }
}

fn reserved_v4(octets: [u8; 4]) -> Option<Reservation> {
    Some(match octets {
        [127, ..] => Reservation::Loopback,
        // Linux takes 0.0.0.0 for this machine.
        [0, ..] => Reservation::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Reservation::Private,
        [100, 64..=127, ..] => Reservation::SharedByProvider,
        [169, 254, ..] => Reservation::LinkLocal,
        [224..=239, ..] => Reservation::Multicast,
        // Relays of 6to4.
        [192, 88, 99, _] => Reservation::Tunnel,
        [192, 0, 0 | 2, _] | [198, 18..=19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [240..=255, ..] => Reservation::Special,
        _ => return None,
    })
}

fn reserved_v6(address: Ipv6Addr, segments: [u16; 8]) -> Option<Reservation> {
    Some(match segments {
        _ if address.is_loopback() || address.is_unspecified() => Reservation::Loopback,
        [0xfc00..=0xfdff, ..] => Reservation::Private,
        [0xfe80..=0xfebf, ..] => Reservation::LinkLocal,
        [0xff00..=0xffff, ..] => Reservation::Multicast,
        // NAT64 of a network's own, Teredo, 6to4.
        [0x64, 0xff9b, ..] | [0x2001, 0, ..] | [0x2002, ..] => Reservation::Tunnel,
        // Protocols (2001::/23), documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reservation::Special,
        [0x2000..=0x3fff, ..] => return None,
        _ => Reservation::Special,
    })
}

#[cfg(test)]
mod tests {
    use super::{Reservation::*, *};

    #[test]
    fn addresses_that_are_not_for_everybody_are_known() {
        for (addresses, expected) in [
            (&["127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "::1", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"][..], Loopback),
            (&["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1", "fc00::", "fdff:ffff::1"], Private),
            (&["::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b::192.168.1.1"], Private),
            (&["100.64.0.0", "100.127.255.255", "::ffff:100.64.0.1"], SharedByProvider),
            (&["169.254.0.1", "169.254.255.255", "fe80::1", "febf::1"], LinkLocal),
            (&["224.0.0.1", "239.255.255.255", "ff02::1"], Multicast),
            (&["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2002:7f00:1::", "2002:808:808::1", "192.88.99.1"], Tunnel),
            (&["64:ff9b:1::808:808", "64:ff9b:0:1::1"], Tunnel),
            (&["192.0.0.1", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "240.0.0.1"], Special),
            (&["255.255.255.255", "2001:2::1", "2001:db8::1", "2001:1ff::1", "3fff::1", "3fff:fff::1"], Special),
            // IPv4-compatible, discarding, site-local, segment routing, and what nobody was given.
            (&["::8.8.8.8", "::a00:1", "100::1", "fec0::1", "5f00::1", "4000::1", "e000::1"], Special),
            (&["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"], Metadata),
            (&["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd20:ce::254"], Metadata),
        ] {
            for address in addresses {
                assert_eq!(reserved(address.parse().unwrap()), Some(expected), "{address}");
            }
        }
    }

    #[test]
    fn all_others_are_for_everybody() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700::1",
            "2a00:1450:4001::1",
            "3ffe::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert_eq!(reserved(address.parse().unwrap()), None, "{address}");
        }
    }
}
