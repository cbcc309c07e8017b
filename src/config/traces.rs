//! The section `[traces]`: where traces go, and of which requests.

use http::Uri;
use serde::Deserialize;

use super::Fault;
use crate::{function::within::Within, trace::TraceSettings};

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TracesFile {
    endpoint: Option<String>,
    sample: Option<f64>,
    queue: Option<Within<usize, 1, 1_000_000>>,
    service: Option<String>,
}

/// Where a collector takes spans, below its address.
const PATH: &str = "/v1/traces";

impl TracesFile {
    pub(super) fn validate(&self) -> Result<(), Fault> {
        if self.endpoint.as_deref().is_some_and(|endpoint| !is_address(endpoint)) {
            let fault = Fault::new(&["traces.endpoint"], "`endpoint` in the section `[traces]` is not the address of a collector");
            return Err(fault.hint("for example `endpoint = \"http://127.0.0.1:4318\"`; a user or a password cannot be in it"));
        }
        if self.sample.is_some_and(|sample| !(0.0..=1.0).contains(&sample)) {
            let fault = Fault::new(&["traces.sample"], "`sample` in the section `[traces]` must be from 0 to 1");
            return Err(fault.hint("0.1 is every tenth request, 1 is every one"));
        }
        Ok(())
    }

    /// Without an endpoint there are no traces.
    pub(super) fn resolve(self) -> Option<TraceSettings> {
        let endpoint = self.endpoint?;
        let endpoint = endpoint.trim_end_matches('/');
        Some(TraceSettings {
            endpoint: if endpoint.ends_with(PATH) { endpoint.to_owned() } else { format!("{endpoint}{PATH}") },
            sample: self.sample.unwrap_or(0.1),
            queue: self.queue.map_or(8_192, Within::get),
            service: self.service.unwrap_or_else(|| "picloud".into()),
        })
    }
}

fn is_address(endpoint: &str) -> bool {
    endpoint.parse::<Uri>().is_ok_and(|uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http && uri.query().is_none() && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    })
}
