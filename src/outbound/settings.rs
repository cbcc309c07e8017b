//! How far functions may reach, as an operator sets it.

use std::{fmt, str::FromStr, time::Duration};

use url::Url;

use crate::network::Network;

/// How far functions may reach.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboundSettings {
    /// Addresses that are not public, and may be connected to all the same.
    pub private: Vec<Network>,
    /// Through which all requests go.
    pub proxy: Option<ProxyUrl>,
    /// Requests of the node at once; more wait.
    pub max_requests: usize,
    /// Requests of one function at once; more wait.
    pub max_requests_per_function: usize,
    /// For a connection to stand, with finding the address and TLS.
    pub connect_timeout: Duration,
    /// Bytes of an answer, whatever a run could hold.
    pub max_response_bytes: usize,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self {
            private: Vec::new(),
            proxy: None,
            max_requests: 256,
            max_requests_per_function: 64,
            connect_timeout: Duration::from_secs(3),
            max_response_bytes: 4 << 20,
        }
    }
}

/// The URL of a proxy. It may hold a password: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// Returns the URL, for whoever connects to it.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for ProxyUrl {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let url = Url::parse(text).map_err(drop)?;
        let is_proxy = ["http", "https"].contains(&url.scheme()) && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        is_proxy.then_some(Self(url)).ok_or(())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port().map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "{}://{}{port}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_shows_no_password() {
        let proxy: ProxyUrl = "http://ann:sesame@proxy.example.org:3128".parse().unwrap();
        assert_eq!(format!("{proxy:?}"), "http://proxy.example.org:3128");
        for wrong in ["", "proxy:3128", "proxy.example.org", "socks5://proxy:1080", "http://proxy/path", "http://proxy?a"] {
            assert!(wrong.parse::<ProxyUrl>().is_err(), "{wrong}");
        }
    }
}
