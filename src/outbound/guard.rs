//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use url::{Host, Url};

use crate::{
    function::grants::http::Naming,
    network::{Network, Reservation, reserved},
};

/// Knows which addresses may be connected to: public ones, and those that the node's settings name.
pub struct Guard {
    private: Vec<Network>,
    is_own: fn(IpAddr) -> bool,
}

/// An address that may not be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockReason {
    /// The node does not allow it.
    #[error("{} {what}, which this node does not allow; its operator can: `private = [\"{address}\"]` in the section `[outbound]` of picloud.toml", is(host, *address))]
    ByNode {
        /// What was asked for.
        host: String,
        /// What it led to.
        address: IpAddr,
        /// What that is.
        what: Reservation,
    },
    /// The function names it by a wildcard.
    #[error("{} {what}, which an entry of `allow` with a `*` does not reach; add an entry that names `{host}`", is(host, *address))]
    ByWildcard {
        /// What was asked for.
        host: String,
        /// What it led to.
        address: IpAddr,
        /// What that is.
        what: Reservation,
    },
}

fn is(host: &str, address: IpAddr) -> String {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(literal) if literal.to_canonical() == address => format!("`{host}` is"),
        _ => format!("`{host}` is {address},"),
    }
}

impl Guard {
    /// Guards a node that allows these addresses beside public ones.
    pub fn new(private: Vec<Network>) -> Self {
        Self { private, is_own: is_of_this_machine }
    }

    /// Refuses a URL whose host is an address that may not be connected to. Names are looked at when they are resolved.
    pub fn check_literal(&self, url: &Url, named: Naming) -> Result<(), BlockReason> {
        let host = url.host_str().unwrap_or_default();
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(host, address.into(), named),
            Some(Host::Ipv6(address)) => self.check(host, address.into(), named),
            _ => Ok(()),
        }
    }

    /// Refuses an address that a host has and that may not be connected to.
    pub fn check(&self, host: &str, address: IpAddr, named: Naming) -> Result<(), BlockReason> {
        let address = address.to_canonical();
        let Some(what) = reserved(address).or_else(|| (self.is_own)(address).then_some(Reservation::Loopback)) else { return Ok(()) };
        let host = host.to_owned();
        match named {
            _ if !self.allows(address, what) => Err(BlockReason::ByNode { host, address, what }),
            Naming::ByWildcard => Err(BlockReason::ByWildcard { host, address, what }),
            Naming::Exactly => Ok(()),
        }
    }

    /// Where a cloud gives its machines credentials must be named alone. A wide network does not mean it.
    fn allows(&self, address: IpAddr, what: Reservation) -> bool {
        let is_meant = |network: &&Network| what != Reservation::Metadata || network.is_single();
        self.private.iter().filter(is_meant).any(|network| network.contains(address))
    }
}

/// Returns whether an address, though public, is one of this machine: packets to it would come from it. Sends none.
fn is_of_this_machine(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let sender = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    // Where no packet can go, no connection can.
    sender.is_ok_and(|sender| sender.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(private: &[&str]) -> Guard {
        let is_own = |address: IpAddr| address == IpAddr::from([1, 2, 3, 4]);
        Guard { private: private.iter().map(|network| network.parse().unwrap()).collect(), is_own }
    }

    #[test]
    fn only_what_the_node_names_is_reached_beside_public_addresses() {
        let closed = guard(&[]);
        let open = guard(&["10.0.0.0/8", "::1", "169.254.0.0/16", "fd00:ec2::254", "1.2.3.4"]);
        for (address, by_closed, by_open) in [
            ("8.8.8.8", true, true),
            ("2001:4860:4860::8888", true, true),
            ("10.0.0.5", false, true),
            ("::ffff:10.0.0.5", false, true),
            // Where a network's translator would bring this nobody knows.
            ("64:ff9b::a00:5", false, false),
            ("192.168.0.1", false, false),
            ("127.0.0.1", false, false),
            ("::1", false, true),
            ("169.254.1.1", false, true),
            ("169.254.169.254", false, false),
            ("fd00:ec2::254", false, true),
            ("1.2.3.4", false, true),
        ] {
            let is_allowed = |guard: &Guard| guard.check("x", address.parse().unwrap(), Naming::Exactly).is_ok();
            assert_eq!((is_allowed(&closed), is_allowed(&open)), (by_closed, by_open), "{address}");
        }
    }

    #[test]
    fn a_wildcard_reaches_public_addresses_only() {
        let guard = guard(&["10.0.0.5"]);
        let check = |address: &str| guard.check("db.example.org", address.parse().unwrap(), Naming::ByWildcard);
        assert_eq!(check("8.8.8.8"), Ok(()));
        let told = check("10.0.0.5").unwrap_err().to_string();
        assert!(told.starts_with("`db.example.org` is 10.0.0.5, a private address, which an entry of `allow` with a `*`"), "{told}");
    }

    #[test]
    fn literal_addresses_are_looked_at_however_they_are_written() {
        for url in ["http://127.0.0.1", "http://127.1", "http://2130706433", "http://0x7f000001", "http://[::1]", "http://[::ffff:7f00:1]"]
        {
            assert!(guard(&[]).check_literal(&Url::parse(url).unwrap(), Naming::Exactly).is_err(), "{url}");
        }
        let told = guard(&[]).check_literal(&Url::parse("http://[fd00::1]").unwrap(), Naming::Exactly).unwrap_err().to_string();
        assert_eq!(
            told,
            "`[fd00::1]` is a private address, which this node does not allow; its operator can: `private = [\"fd00::1\"]` in the section \
             `[outbound]` of picloud.toml"
        );
        assert!(guard(&[]).check_literal(&Url::parse("http://example.org").unwrap(), Naming::Exactly).is_ok());
    }

    #[test]
    fn this_machine_knows_its_own_addresses() {
        assert!(is_of_this_machine(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_of_this_machine(Ipv4Addr::new(192, 0, 2, 1).into()));
    }
}
