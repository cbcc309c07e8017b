//! How requests come in, as an operator sets it.

use std::{net::SocketAddr, time::Duration};

use crate::{function::Cors, http::peer::forwarded::Proxies, source::git::PreviewHost};

/// How requests come in.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whose word about clients is taken.
    pub proxies: Proxies,
    /// Where the control plane is, if it has an address of its own.
    pub admin_listen: Option<SocketAddr>,
    /// The metrics are told to anybody, and not only to those with a token.
    pub metrics_open: bool,
    /// Shows authors what went wrong in their script, in the response.
    pub dev: bool,
    /// Earlier deployments and other branches answer anybody, and not only those with a token.
    pub previews_open: bool,
    /// A host name with `{branch}` in it, under which other branches answer at the functions' own paths.
    pub preview_host: Option<PreviewHost>,
    /// Connections at the same time, at each address; beyond it a newcomer gets the place of the client that is waited for longest.
    pub max_connections: usize,
    /// Bytes of a request's line and headers.
    pub max_head_bytes: usize,
    /// Headers of a request.
    pub max_headers: usize,
    /// From the first byte of a connection, or the end of its last response, to the end of the next request's headers.
    pub header_timeout: Duration,
    /// From the headers to the end of the body.
    pub body_timeout: Duration,
    /// For a client to take the next part of a response.
    pub write_timeout: Duration,
    /// What a client must send of a push, or take of a response, on average over each of these times, in bytes a second.
    pub min_rate_bytes: u64,
    /// Those who follow executions or the status at the same time.
    pub max_tails: usize,
    /// Executions a second that one of them is told; more are counted.
    pub tail_rate: u32,
    /// Which pages of other origins may call functions that say nothing of it.
    pub cors: Option<Cors>,
}

/// The most headers that a configuration may allow; a [`http::HeaderMap`] panics at some 24,000.
pub const MOST_HEADERS: u64 = 10_000;

impl HttpSettings {
    /// Returns what a client must send or take in such a time, so that it is waited for longer.
    pub(super) fn least_bytes_within(&self, time: Duration) -> u64 {
        ((self.min_rate_bytes as f64 * time.as_secs_f64()) as u64).max(1)
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            proxies: Proxies::default(),
            admin_listen: None,
            metrics_open: false,
            dev: false,
            previews_open: false,
            preview_host: None,
            max_connections: 4_096,
            max_head_bytes: 64 * 1024,
            max_headers: 100,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            min_rate_bytes: 1_024,
            max_tails: 64,
            tail_rate: 100,
            cors: None,
        }
    }
}
