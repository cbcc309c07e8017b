//! The proxy in front of a node, as callers meet it.

use std::str::FromStr;

use serde_json::Value;

use super::{Finding, PATIENCE};
use crate::{api::node::Readiness, cli::credentials, config::Config, node::Announcement};

const PART: &str = "proxy";

/// The URL under which callers reach a node.
#[derive(Debug, Clone)]
pub struct ProxyUrl(String);

impl FromStr for ProxyUrl {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        credentials::normal(text).map(Self)
    }
}

/// Asks through the proxy for what every node answers, and compares it with the answer of the node here.
pub fn proxy(config: &Config, running: Option<&Announcement>, ProxyUrl(url): &ProxyUrl) -> Vec<Finding> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build().into();
    let readiness = |url: &str| {
        let mut answer = agent.get(format!("{url}/_picloud/ready")).call().map_err(|error| error.to_string())?;
        let status = answer.status();
        let said: Value = answer.body_mut().read_json().unwrap_or_default();
        serde_json::from_value::<Readiness>(said).map_err(|_| format!("it answers {status}, and not as a node"))
    };
    let through = match readiness(url) {
        Ok(through) => through,
        Err(why) => {
            let hint = format!(
                "lead all paths of {url} to http://{}; docs/deploy.md has a configuration for Caddy and for nginx",
                config.server.listen
            );
            return vec![Finding::error(PART, format!("{url}: {why}"), hint)];
        }
    };
    let mut findings = Vec::new();
    let own = running.and_then(|running| readiness(&running.url).ok());
    if own.is_some_and(|own| own.deployment != through.deployment) {
        findings.push(Finding::error(
            PART,
            format!("{url} leads to another node than that of the data folder"),
            format!("lead it to http://{}", config.server.listen),
        ));
    }
    if url.starts_with("http://") {
        findings.push(Finding::warning(
            PART,
            format!("{url} is without TLS: everybody on the way reads tokens and answers"),
            "give the proxy a certificate; Caddy gets one by itself",
        ));
    }
    if config.server.proxies.trusted.is_empty() {
        let hint = "name the proxy's address in `trusted_proxies` in `[server]`";
        findings.push(Finding::warning(
            PART,
            "no proxy is trusted, so every caller has the proxy's address, and they share one limit of wrong tokens",
            hint,
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(PART, format!("{url} leads here")));
    }
    findings
}
