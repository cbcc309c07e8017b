//! The sections `[server]`, `[metrics]` and `[previews]`: how requests come in.

use serde::Deserialize;

use super::{Fault, ListenAddress, SpanFrom};
use crate::{
    function::{
        Cors,
        quantity::{Size, Span},
        within::Within,
    },
    http::{self, HttpSettings},
    network::Network,
    source::git,
};

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerFile {
    listen: Option<ListenAddress>,
    trusted_proxies: Option<Vec<Network>>,
    forwarded_header: Option<http::ForwardedHeader>,
    admin_listen: Option<ListenAddress>,
    dev: Option<bool>,
    max_connections: Option<Within<usize, 1, 1_000_000>>,
    max_head: Option<Within<Size, 8_192, { 16 << 20 }>>,
    max_headers: Option<Within<usize, 1, { http::MOST_HEADERS }>>,
    header_timeout: Option<SpanFrom<1>>,
    body_timeout: Option<SpanFrom<1>>,
    write_timeout: Option<SpanFrom<1>>,
    min_rate: Option<Within<Size, 0, { 1 << 30 }>>,
    max_tails: Option<Within<usize, 0, 100_000>>,
    tail_rate: Option<Within<u32, 1, 1_000_000>>,
    grace: Option<SpanFrom<0>>,
}

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MetricsFile {
    open: Option<bool>,
}

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PreviewsFile {
    branches: Option<Within<usize, 0, 10_000>>,
    host: Option<String>,
    open: Option<bool>,
}

impl PreviewsFile {
    pub(super) fn validate(&self) -> Result<(), Fault> {
        if self.host.is_some() && self.host().is_none() {
            let fault = Fault::new(&["previews.host"], "`host` in the section `[previews]` must have `{branch}` in it, once");
            return Err(fault.hint("for example `host = \"{branch}.preview.example.org\"`"));
        }
        Ok(())
    }

    pub(super) fn host(&self) -> Option<git::PreviewHost> {
        git::PreviewHost::parse(self.host.as_deref()?)
    }

    /// Returns how many branches are shown.
    pub(super) fn branches(&self) -> usize {
        self.branches.map_or(0, Within::get)
    }
}

impl ServerFile {
    pub(super) fn resolve(self, metrics: &MetricsFile, previews: &PreviewsFile, cors: Option<Cors>) -> HttpSettings {
        let default = HttpSettings::default();
        HttpSettings {
            listen: self.listen.map_or(default.listen, |address| address.0),
            proxies: http::Proxies {
                trusted: self.trusted_proxies.unwrap_or(default.proxies.trusted),
                header: self.forwarded_header.map_or(default.proxies.header, |header| header.0),
            },
            admin_listen: self.admin_listen.map(|address| address.0),
            metrics_open: metrics.open.unwrap_or(default.metrics_open),
            dev: self.dev.unwrap_or(default.dev),
            previews_open: previews.open.unwrap_or(default.previews_open),
            preview_host: previews.host(),
            max_connections: self.max_connections.map_or(default.max_connections, Within::get),
            max_head_bytes: self.max_head.map_or(default.max_head_bytes, |size| size.get().bytes()),
            max_headers: self.max_headers.map_or(default.max_headers, Within::get),
            header_timeout: self.header_timeout.map_or(default.header_timeout, |span| span.get().0),
            body_timeout: self.body_timeout.map_or(default.body_timeout, |span| span.get().0),
            write_timeout: self.write_timeout.map_or(default.write_timeout, |span| span.get().0),
            min_rate_bytes: self.min_rate.map_or(default.min_rate_bytes, |size| size.get().0),
            max_tails: self.max_tails.map_or(default.max_tails, Within::get),
            tail_rate: self.tail_rate.map_or(default.tail_rate, Within::get),
            cors,
        }
    }

    /// Returns how long running work may take to end.
    pub(super) fn grace(&self) -> Span {
        self.grace.map_or(Span::seconds(20), Within::get)
    }
}

/// Refuses one address for everybody and for the control plane alone.
pub(super) fn must_have_two_addresses(settings: &HttpSettings) -> Result<(), Fault> {
    if settings.admin_listen.is_some_and(|address| address.port() != 0 && address == settings.listen) {
        let message = "`admin_listen` and `listen` in the section `[server]` are the same address";
        return Err(Fault::new(&["server.admin_listen", "server.listen"], message)
            .hint("give the control plane another port, or leave `admin_listen` out: then it is at `listen`"));
    }
    Ok(())
}
