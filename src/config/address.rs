//! An address to listen on, as people write it.

use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Deserializer, de};

/// An address and a port of this machine: `127.0.0.1:8080`; also `localhost:8080`, `:8080` and `8080`, which all mean this machine alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

/// A text that is no address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No port.
    #[error("the port is missing; write it like `127.0.0.1:8080`")]
    NoPort,
    /// A name of a host.
    #[error("it is no address of this machine; write `127.0.0.1:8080`, or `0.0.0.0:8080` for every network")]
    Name,
    /// A socket that is a file.
    #[error("there are no Unix sockets here; write `127.0.0.1:8080`")]
    Socket,
    /// The port is none.
    #[error("a port is a number up to 65535; write `127.0.0.1:8080`")]
    Port,
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        if text.starts_with("unix:") || text.starts_with('/') {
            return Err(AddressError::Socket);
        }
        if text.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() {
            return Err(AddressError::NoPort);
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port),
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => ("", text),
            None => return Err(AddressError::NoPort),
        };
        if !["", "localhost"].contains(&host) && host.parse::<std::net::Ipv4Addr>().is_err() {
            return Err(AddressError::Name);
        }
        let port: u16 = port.parse().map_err(|_| AddressError::Port)?;
        Ok(Self(([127, 0, 0, 1], port).into()))
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ListenAddress;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address like \"127.0.0.1:8080\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ListenAddress, E> {
                text.parse().map_err(|why| E::custom(format!("`{text}` cannot be listened on: {why}")))
            }

            fn visit_i64<E: de::Error>(self, port: i64) -> Result<ListenAddress, E> {
                self.visit_str(&port.to_string())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:8080", "[::1]:8080"),
            ("[::]:0", "[::]:0"),
            ("localhost:3000", "127.0.0.1:3000"),
            (":3000", "127.0.0.1:3000"),
            ("3000", "127.0.0.1:3000"),
            ("0", "127.0.0.1:0"),
        ] {
            assert_eq!(text.parse(), Ok(ListenAddress(address.parse().unwrap())), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_says_what_to_write() {
        use AddressError::{Name, NoPort, Port, Socket};
        for (text, why) in [
            ("127.0.0.1", NoPort),
            ("[::1]", NoPort),
            ("::", NoPort),
            ("localhost", NoPort),
            ("", Port),
            (":", Port),
            ("localhost:", Port),
            ("127.0.0.1:http", Port),
            ("99999", Port),
            ("-1", NoPort),
            ("localhost:65536", Port),
            ("example.org:80", Name),
            ("http://127.0.0.1:80", Name),
            ("unix:/run/picloud", Socket),
            ("/run/picloud", Socket),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(why), "{text}");
            assert!(why.to_string().contains("127.0.0.1:8080"), "{why}");
        }
    }
}
