//! The section `[outbound]`: how far functions may reach.

use serde::Deserialize;

use super::{Fault, SpanFrom};
use crate::{
    function::{quantity::Size, within::Within},
    network::Network,
    outbound::{OutboundSettings, ProxyUrl},
};

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OutboundFile {
    private: Option<Vec<Network>>,
    proxy: Option<String>,
    max_requests: Option<Within<usize, 1, 100_000>>,
    max_requests_per_function: Option<Within<usize, 1, 100_000>>,
    connect_timeout: Option<SpanFrom<1>>,
    max_response: Option<Within<Size, 1_024, { 1 << 30 }>>,
}

impl OutboundFile {
    pub(super) fn validate(&self) -> Result<(), Fault> {
        if self.proxy.is_some() && self.proxy().is_none() {
            let fault = Fault::new(&["outbound.proxy"], "`proxy` in the section `[outbound]` is not the address of a proxy");
            return Err(fault.hint("for example `proxy = \"http://127.0.0.1:4750\"`; it is `http` or `https`, and has no path"));
        }
        Ok(())
    }

    fn proxy(&self) -> Option<ProxyUrl> {
        self.proxy.as_deref()?.parse().ok()
    }

    pub(super) fn resolve(self) -> OutboundSettings {
        let default = OutboundSettings::default();
        OutboundSettings {
            proxy: self.proxy(),
            private: self.private.unwrap_or(default.private),
            max_requests: self.max_requests.map_or(default.max_requests, Within::get),
            max_requests_per_function: self.max_requests_per_function.map_or(default.max_requests_per_function, Within::get),
            connect_timeout: self.connect_timeout.map_or(default.connect_timeout, |span| span.get().0),
            max_response_bytes: self.max_response.map_or(default.max_response_bytes, |size| size.get().bytes()),
        }
    }
}
