//! A scrape, as a test asks of it.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::kit::{
    api::bearer,
    client::{Client, Response},
    machine::{self, Need},
    node::Node,
};

/// What a node says of itself.
pub struct Scrape(pub String);

impl Scrape {
    /// Asks a node for it.
    pub fn of(node: &Node) -> Self {
        Self::from(node.send("GET", "/_picloud/metrics", &[("authorization", &bearer(node))], b""))
    }

    pub fn from(response: Response) -> Self {
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Self(response.text())
    }

    /// Returns the value of a sample, as it is written: `name{label="value"}`.
    pub fn find(&self, sample: &str) -> Option<f64> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
        Some(value.parse().unwrap())
    }

    #[track_caller]
    pub fn value(&self, sample: &str) -> f64 {
        self.find(sample).unwrap_or_else(|| panic!("`{sample}` is not in\n{}", self.0))
    }

    /// Returns how many requests to a function had a status of this class.
    #[track_caller]
    pub fn requests(&self, function: &str, class: &str) -> f64 {
        self.value(&format!("picloud_requests_total{{function=\"{function}\",status_class=\"{class}\"}}"))
    }

    /// Returns the names of the metrics.
    pub fn names(&self) -> Vec<&str> {
        self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
    }

    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        self.0.lines().filter(|line| !line.starts_with('#')).count()
    }
}

/// Has Prometheus's own tool read something, where it is installed.
#[track_caller]
pub fn promtool(arguments: &[&str], input: &str) {
    if let Err(why) = machine::has(Need::Program("promtool")) {
        return machine::not_here(&why);
    }
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there: `scripts/setup test` installs Debian's package `prometheus`");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let text = [said.stdout, said.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(said.status.success(), "{text}");
}

/// Returns the status of a request to an address.
pub fn status(address: std::net::SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    Client::to(address).send(method, path, headers, b"").unwrap().status
}
