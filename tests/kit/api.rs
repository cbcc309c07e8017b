//! Nodes of every kind whose scripts can be written, and a client of the control plane.

use std::fs;

use flate2::{Compression, write::GzEncoder};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    client::{Client, Response},
    node::{Node, node},
    store::Fresh,
    story::{follower, hosted},
};

/// Runs a story on each kind of source, and on both databases.
macro_rules! on_every_source {
    ($($story:ident)*) => {
        mod directory { $(#[test] fn $story() { super::$story(&crate::kit::api::on_a_directory()) })* }
        mod directory_and_postgres { $(#[test] fn $story() { super::$story(&crate::kit::api::on_postgres()) })* }
        mod hosted { $(#[test] fn $story() { super::$story(&crate::kit::api::on_a_hosted_repository()) })* }
        mod bare { $(#[test] fn $story() { super::$story(&crate::kit::api::on_a_bare_repository()) })* }
    };
}
pub(crate) use on_every_source;

pub fn on_a_directory() -> Node {
    node(&[]).start()
}

pub fn on_postgres() -> Node {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    node(&[]).variable("PICLOUD_DATABASE_URL", &fresh.url).start()
}

pub fn on_a_hosted_repository() -> Node {
    hosted().start()
}

pub fn on_a_bare_repository() -> Node {
    follower("").start()
}

/// The secret of the token in a node's data folder.
pub fn admin(node: &Node) -> String {
    fs::read_to_string(node.data().join("admin-token")).unwrap().trim().into()
}

/// What the admin of a node sends as `authorization`.
pub fn bearer(node: &Node) -> String {
    format!("Bearer {}", admin(node))
}

/// A request to the control plane, with a secret.
pub fn ask(node: &Node, secret: &str, method: &str, path: &str, body: &Value) -> Response {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    node.send(method, path, &[("authorization", &format!("Bearer {secret}"))], &body)
}

/// Makes a token over HTTP, and returns its secret.
#[track_caller]
pub fn token(node: &Node, name: &str, scope: &str, functions: Option<&str>) -> String {
    let wish = json!({ "name": name, "scope": scope, "functions": functions });
    let made = ask(node, &admin(node), "POST", "/api/admin/tokens", &wish);
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["secret"].as_str().unwrap().into()
}

/// The control plane of a node, for somebody with a token.
pub struct Api<'a> {
    node: &'a Node,
    token: String,
}

impl<'a> Api<'a> {
    /// For its admin.
    pub fn of(node: &'a Node) -> Self {
        Self::with(node, &admin(node))
    }

    pub fn with(node: &'a Node, token: &str) -> Self {
        Self { node, token: format!("Bearer {token}") }
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let headers = [&[("authorization", self.token.as_str())], headers].concat();
        self.node.send(method, path, &headers, body)
    }

    /// Sends all of a request but its body, of so many bytes.
    pub fn announce(&self, client: &mut Client, method: &str, path: &str, bytes: usize) {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nauthorization: {}\r\ncontent-length: {bytes}\r\n\r\n", self.token);
        client.write(head.as_bytes()).unwrap();
    }

    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    pub fn json(&self, method: &str, path: &str, body: &Value) -> Response {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Makes a token of what the body of the request says, and returns its secret.
    pub fn token(&self, token: &Value) -> String {
        let made = self.json("POST", "/api/admin/tokens", token);
        made.json()["secret"].as_str().unwrap_or_else(|| panic!("{}", made.text())).to_owned()
    }

    /// Makes a script.
    pub fn create(&self, name: &str, source: &str) -> Response {
        self.json("POST", "/api/admin/scripts", &json!({ "name": name, "source": source }))
    }

    /// Makes a script, which must be done.
    #[track_caller]
    pub fn created(&self, name: &str, source: &str) -> Value {
        let response = self.create(name, source);
        assert_eq!(response.status, 201, "{}", response.text());
        response.json()
    }

    /// Changes a script.
    pub fn replace(&self, name: &str, source: &str) -> Response {
        self.json("PUT", &path(name), &json!({ "source": source }))
    }

    pub fn delete(&self, name: &str) -> Response {
        self.send("DELETE", &path(name), &[], b"")
    }

    /// Sends a tree.
    pub fn tree(&self, query: &str, tar: &[u8]) -> Response {
        self.send("PUT", &format!("/api/admin/tree{query}"), &[], tar)
    }

    /// The names in a list.
    #[track_caller]
    pub fn names(&self, query: &str) -> Vec<String> {
        let list = self.get(&format!("/api/admin/scripts{query}")).json();
        let scripts = list["scripts"].as_array().unwrap_or_else(|| panic!("{list}"));
        scripts.iter().map(|script| script["name"].as_str().unwrap().to_owned()).collect()
    }

    /// What `/api/admin/status` says.
    pub fn status(&self) -> Value {
        self.get("/api/admin/status").json()
    }
}

/// Where a script is.
pub fn path(name: &str) -> String {
    format!("/api/admin/scripts/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

/// What is wrong, by the messages.
pub fn messages(response: &Response) -> Vec<String> {
    let found = response.json();
    let found = found["diagnostics"].as_array().cloned().unwrap_or_default();
    found.iter().map(|found| format!("{}: {}", found["file"].as_str().unwrap(), found["message"].as_str().unwrap())).collect()
}

/// A tar of these files, compressed.
pub fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        entry(&mut tar, tar::EntryType::Regular, path, text.as_bytes());
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Adds an entry that the crate would not write: any path and kind.
pub fn entry(tar: &mut tar::Builder<impl std::io::Write>, kind: tar::EntryType, path: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_old();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}
