//! Takes the addresses that a node listens on, and says what to do where it cannot.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener as Probe},
};

use anyhow::anyhow;
use tokio::net::TcpListener;

use crate::http::HttpSettings;

/// How many ports are looked at for one that is free.
const NEIGHBOURS: u16 = 20;

/// What a node listens on.
pub struct Listeners {
    /// For callers of functions, and of the control plane where that has no address of its own.
    pub functions: TcpListener,
    /// For the control plane alone.
    pub control: Option<TcpListener>,
}

impl Listeners {
    /// Takes both addresses.
    pub async fn open(settings: &HttpSettings) -> Result<Self, ListenError> {
        let functions = listen(settings.listen, "--listen").await?;
        let control = match settings.admin_listen {
            Some(address) => Some(listen(address, "--admin-listen").await?),
            None => None,
        };
        Ok(Self { functions, control })
    }

    /// Returns how many addresses there are.
    pub fn count(&self) -> usize {
        1 + usize::from(self.control.is_some())
    }

    /// Returns where the control plane is.
    pub fn control_address(&self) -> io::Result<SocketAddr> {
        self.control.as_ref().unwrap_or(&self.functions).local_addr()
    }
}

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    address: SocketAddr,
    flag: &'static str,
    error: io::Error,
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|error| ListenError { address, flag, error })
}

impl ListenError {
    /// Returns whether somebody else listens there.
    pub fn is_taken(&self) -> bool {
        self.error.kind() == ErrorKind::AddrInUse
    }

    /// Says why, and what to do.
    pub fn explained(self) -> anyhow::Error {
        let Self { address, flag, error } = self;
        let hint = match error.kind() {
            ErrorKind::AddrInUse => match free_neighbour(address) {
                Some(free) => format!("\n  hint: another program listens there; `{flag} {free}` is free"),
                None => format!("\n  hint: another program listens there; name another address with `{flag}`"),
            },
            ErrorKind::PermissionDenied => {
                format!("\n  hint: ports below 1024 are for root alone; `{flag} {}` is not", SocketAddr::new(address.ip(), 8080))
            }
            ErrorKind::AddrNotAvailable => {
                format!("\n  hint: this machine has no such address; `{flag} 0.0.0.0:{}` listens on every network", address.port())
            }
            _ => String::new(),
        };
        anyhow!("cannot listen on {address}: {error}{hint}")
    }
}

/// Finds a port above this one that nobody listens on just now.
fn free_neighbour(address: SocketAddr) -> Option<SocketAddr> {
    let ports = (1..=NEIGHBOURS).filter_map(|above| address.port().checked_add(above));
    ports.map(|port| SocketAddr::new(address.ip(), port)).find(|free| Probe::bind(free).is_ok())
}
