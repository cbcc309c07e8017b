//! Who a request comes from: the peer, or the client that a trusted proxy in front names in one header.
//!
//! Proxies write the address that they were spoken to from at the end of the header, behind what the client itself may have sent. So it is
//! read from its end, as long as whoever wrote there is trusted. The first address that is no proxy of ours is the client.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, HeaderName, header};
use serde::Deserialize;

/// Whose word about clients is taken, and in which header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// None: every peer is the client.
    pub trusted: Vec<Network>,
    /// `forwarded` is read as RFC 7239 has it; any other as a list of addresses, like `x-forwarded-for`.
    pub header: HeaderName,
}

impl Default for Proxies {
    fn default() -> Self {
        Self { trusted: Vec::new(), header: HeaderName::from_static("x-forwarded-for") }
    }
}

impl Proxies {
    /// Returns the client of a request that came from this peer. What a trusted proxy cannot have written makes the peer the client.
    ///
    /// The address is canonical: an IPv4 client of an IPv6 socket has its IPv4 address.
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if !self.trusts(peer.ip()) {
            return peer;
        }
        self.named(headers).map_or(peer, |client| SocketAddr::new(client, peer.port()))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Returns the last address that is none of ours; where all are, the first: a proxy asks for itself.
    fn named(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let is_rfc = self.header == header::FORWARDED;
        let mut client = None;
        for line in headers.get_all(&self.header).iter().rev() {
            // What is malformed further ahead is the client's, and must not spoil what our proxies wrote behind it.
            let line = String::from_utf8_lossy(line.as_bytes());
            for element in line.rsplit(unquoted(',', is_rfc)) {
                let address = parse_address(if is_rfc { forwarded_for(element)? } else { element.trim() })?;
                client = Some(address);
                if !self.trusts(address) {
                    return client;
                }
            }
        }
        client
    }
}

/// Finds this character; where there are quotes, not between them. Backslashes between quotes are not looked at: no address needs one.
fn unquoted(wanted: char, has_quotes: bool) -> impl FnMut(char) -> bool {
    let mut is_quoted = false;
    move |c| {
        is_quoted ^= has_quotes && c == '"';
        c == wanted && !is_quoted
    }
}

/// Returns the value of `for` in one element of `forwarded`: `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<&str> {
    let value = element.split(unquoted(';', true)).find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"'),
        None => Some(value),
    }
}

/// Reads an address, with or without a port. `unknown` and made-up names are none.
fn parse_address(text: &str) -> Option<IpAddr> {
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match text.parse::<SocketAddr>() {
            Ok(address) => address.ip(),
            Err(_) => IpAddr::V6(text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?),
        },
    };
    Some(address.to_canonical())
}

/// An address, or all that begin with the same bits: `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u32,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => same_start(first.to_bits().into(), address.to_bits().into(), 32 - self.prefix),
            (IpAddr::V6(first), IpAddr::V6(address)) => same_start(first.to_bits(), address.to_bits(), 128 - self.prefix),
            _ => false,
        }
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

/// The name of a header, as the configuration has it.
#[derive(Debug)]
pub struct ForwardedHeader(pub HeaderName);

impl<'de> Deserialize<'de> for ForwardedHeader {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong =
            |_| serde::de::Error::custom(format!("`{text}` is no name of a header; write it like \"x-forwarded-for\" or \"forwarded\""));
        text.parse().map(Self).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(header: &'static str, trusted: &[&str]) -> Proxies {
        Proxies { trusted: trusted.iter().map(|text| text.parse().unwrap()).collect(), header: HeaderName::from_static(header) }
    }

    fn client(proxies: &Proxies, peer: &str, lines: &[&str]) -> String {
        let value = |line: &str| http::HeaderValue::from_bytes(line.as_bytes()).unwrap();
        let headers = lines.iter().map(|line| (proxies.header.clone(), value(line))).collect();
        proxies.client(SocketAddr::new(peer.parse().unwrap(), 9), &headers).ip().to_string()
    }

    #[test]
    fn a_list_of_addresses_is_read_from_its_end_as_far_as_it_is_trusted() {
        let ours = proxies("x-forwarded-for", &["127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8"]);
        for (peer, lines, expected) in [
            // Nobody else's word counts.
            ("192.0.2.9", &["198.51.100.1"][..], "192.0.2.9"),
            ("127.0.0.2", &["198.51.100.1"], "127.0.0.2"),
            ("2001:db8::9", &["198.51.100.1"], "2001:db8::9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::1", &["2001:db8::1"], "2001:db8::1"),
            // What the client wrote stands before.
            ("127.0.0.1", &["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["nonsense, , 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["\", 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["ä, 198.51.100.1"], "198.51.100.1"),
            // A chain of proxies, in one line or several.
            ("127.0.0.1", &["1.2.3.4, 198.51.100.1, 10.1.2.3,10.200.0.1"], "198.51.100.1"),
            ("127.0.0.1", &["1.2.3.4", "198.51.100.1, 10.1.2.3", "fd00::7"], "198.51.100.1"),
            ("127.0.0.1", &["198.51.100.1, ::ffff:10.1.2.3"], "198.51.100.1"),
            ("127.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            // A proxy asks for itself.
            ("127.0.0.1", &["10.0.0.7, 10.0.0.8"], "10.0.0.7"),
            // With a port, as some proxies have it.
            ("127.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("127.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            // Malformed where it would be believed: nobody is.
            ("127.0.0.1", &["198.51.100.1, nonsense"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1, nonsense, 10.0.0.1"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1,"], "127.0.0.1"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1", ""], "127.0.0.1"),
            ("127.0.0.1", &["unknown"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.256"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100"], "127.0.0.1"),
            ("127.0.0.1", &["[198.51.100.1]"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1:99999"], "127.0.0.1"),
            ("127.0.0.1", &["\"198.51.100.1"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1 10.0.0.1"], "127.0.0.1"),
        ] {
            assert_eq!(client(&ours, peer, lines), expected, "{peer} {lines:?}");
        }
        assert_eq!(client(&proxies("x-forwarded-for", &[]), "127.0.0.1", &["198.51.100.1"]), "127.0.0.1", "nobody is trusted");
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_has_it() {
        let ours = proxies("forwarded", &["127.0.0.1", "10.0.0.0/8"]);
        for (lines, expected) in [
            (&["for=198.51.100.1"][..], "198.51.100.1"),
            (&["For=\"198.51.100.1:4711\";proto=https; by=10.0.0.1"], "198.51.100.1"),
            (&["proto=https;for=\"[2001:db8::1]:4711\""], "2001:db8::1"),
            (&["for=1.2.3.4, for=198.51.100.1;by=10.0.0.1, for=10.0.0.1"], "198.51.100.1"),
            (&["for=1.2.3.4", "for=198.51.100.1"], "198.51.100.1"),
            (&["host=\"a, for=1.2.3.4; \"; for = 198.51.100.1"], "198.51.100.1"),
            (&["for=\"1.2.3.4, for=198.51.100.1"], "198.51.100.1"),
            (&["for=\"1.2.3.4, for=\"198.51.100.1\";proto=http"], "198.51.100.1"),
            (&["for=10.0.0.7, for=10.0.0.8"], "10.0.0.7"),
            (&["for=unknown"], "127.0.0.1"),
            (&["for=_hidden"], "127.0.0.1"),
            (&["for=\"_gazonk\", for=10.0.0.1"], "127.0.0.1"),
            (&["proto=https"], "127.0.0.1"),
            (&["198.51.100.1"], "127.0.0.1"),
            (&["for=\"198.51.100.1"], "127.0.0.1"),
            (&["for=\"198.51.100.1\\\""], "127.0.0.1"),
            (&["for=\"198.51.\\100.1\""], "127.0.0.1"),
            (&["for="], "127.0.0.1"),
            (&["for=198.51.100.1,"], "127.0.0.1"),
        ] {
            assert_eq!(client(&ours, "127.0.0.1", lines), expected, "{lines:?}");
        }
        // Another header than the one that our proxy writes is the client's.
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-forwarded-for"), "198.51.100.1".parse().unwrap())]);
        assert_eq!(ours.client(([127, 0, 0, 1], 9).into(), &headers), ([127, 0, 0, 1], 9).into());
    }

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
