//! Connections that stay open, apart by what they may reach.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, ClientBuilder, Proxy, redirect::Policy};
use rustls::ClientConfig;

use super::{
    guard::Guard,
    resolve::{GuardedResolver, Resolver},
    settings::OutboundSettings,
};
use crate::function::grants::http::Naming;

/// A connection that nobody uses is closed after this time. Many servers close it after 60 s, and a request that meets that is lost.
const IDLE: Duration = Duration::from_secs(30);
/// Connections to one host that are kept while nobody uses them: as many as one function has requests under way by default. With fewer, a
/// service that answers at once would be connected to again and again.
const MAX_IDLE: usize = 64;
/// Bytes that a server may send ahead of us with HTTP/2, for one answer and for a connection; they are not counted for a run.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of the headers of one answer with HTTP/2. HTTP/1 has at most 100 headers, in 400 KiB.
const MAX_HEAD: u32 = 64 << 10;

/// One pool for each way to be named: a wildcard must not find a connection to a private address that another entry has opened.
pub struct Pools {
    exact: Client,
    wildcard: Client,
}

impl Pools {
    /// Makes the pools; nothing is connected.
    pub fn new(
        settings: &OutboundSettings,
        guard: &Arc<Guard>,
        resolver: &Arc<dyn Resolver>,
        tls: &ClientConfig,
    ) -> Result<Self, reqwest::Error> {
        let client = |named| {
            let builder = builder(settings, tls.clone());
            let guarded = |guard| GuardedResolver { resolver: resolver.clone(), guard };
            match &settings.proxy {
                // It finds the addresses. What is resolved here is its own name.
                Some(proxy) => builder.proxy(Proxy::all(proxy.expose())?).dns_resolver(guarded(None)).build(),
                None => builder.dns_resolver(guarded(Some((guard.clone(), named)))).build(),
            }
        };
        Ok(Self { exact: client(Naming::Exactly)?, wildcard: client(Naming::ByWildcard)? })
    }

    /// Returns the client whose connections such a place may use.
    pub fn client(&self, named: Naming) -> &Client {
        match named {
            Naming::Exactly => &self.exact,
            Naming::ByWildcard => &self.wildcard,
        }
    }
}

/// Redirects are followed by hand, and proxies of the environment would hide the destination.
fn builder(settings: &OutboundSettings, tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(MAX_HEAD)
        .tls_backend_preconfigured(tls)
}
