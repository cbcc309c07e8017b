//! Who a request comes from: the peer, or the client that a trusted proxy in front names in one header.
//!
//! Proxies write the address that they were spoken to from at the end of the header, behind what the client itself may have sent. So it is
//! read from its end, as long as whoever wrote there is trusted. The first address that is no proxy of ours is the client.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};
use serde::Deserialize;

use crate::network::Network;

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
}
