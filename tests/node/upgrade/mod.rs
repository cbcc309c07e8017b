//! What earlier releases have left on a disk, served by this program. `scripts/keep-release` keeps such folders (docs/releases.md).

use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::kit::{
    api::{Api, admin, ask},
    command::picloud,
    git::Checkout,
    node::{Node, node},
};

const OF_0_1_0: &[u8] = include_bytes!("0.1.0.tar.gz");

/// Starts this program on a folder that was kept.
fn upgraded(kept: &[u8], name: &str) -> Node {
    let setup = node(&[]);
    unpack(kept, name, setup.folder());
    setup.start()
}

fn unpack(kept: &[u8], name: &str, to: &Path) {
    let mut archive = tar::Archive::new(GzDecoder::new(kept));
    let mut count = 0;
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        if let Ok(below) = path.strip_prefix(name)
            && !below.as_os_str().is_empty()
        {
            entry.unpack(to.join(below)).unwrap();
            count += 1;
        }
    }
    assert!(count > 3, "`{name}` is not in what was kept");
}

fn json(node: &Node, arguments: &[&str]) -> Vec<Value> {
    let printed: Value = serde_json::from_str(&picloud(node, &[arguments, &["--json"]].concat())).unwrap();
    printed.as_array().unwrap_or_else(|| panic!("{arguments:?}: {printed}")).clone()
}

#[test]
fn a_folder_of_0_1_0_is_served_with_all_that_was_remembered() {
    let mut node = upgraded(OF_0_1_0, "folder");
    assert_eq!(node.get("/hello").text(), "second");

    let executions = json(&node, &["executions"]);
    let of = |name: &str| executions.iter().find(|execution| execution["function"] == name).unwrap_or_else(|| panic!("{executions:?}"));
    assert_eq!(of("fails")["status"], 502);
    let logs = picloud(&node, &["logs"]);
    assert!(logs.contains("asked /hello") && logs.contains("asked again") && logs.contains("kept on purpose"), "{logs}");
    let replayed = picloud(&node, &["replay", of("echo")["id"].as_str().unwrap()]);
    assert!(replayed.contains(r#"{"got":{"kept":1}}"#), "{replayed}");

    let first = json(&node, &["deployments"]).last().unwrap()["id"].as_str().unwrap().to_owned();
    let earlier = Api::of(&node).get(&format!("/_picloud/v/{first}/hello"));
    assert_eq!((earlier.status, earlier.text().as_str()), (200, "first"));
    picloud(&node, &["rollback", &first, "--yes"]);
    node.wait_for("/hello", "first");
    picloud(&node, &["unpin", "--yes"]);
    node.wait_for("/hello", "second");

    let secret = std::fs::read_to_string(node.folder().join("token")).unwrap();
    assert_eq!(ask(&node, secret.trim(), "GET", "/api/admin/deployments", &Value::Null).status, 200);
    assert_eq!(ask(&node, &secret.trim().replace("picloud_", "picloud_x"), "GET", "/api/admin/deployments", &Value::Null).status, 401);
    assert!(picloud(&node, &["audit"]).contains("deployer"));

    node.write("hello.rhai", "\"third\"");
    node.wait_for("/hello", "third");
    node.restart();
    assert_eq!(node.get("/hello").text(), "third");
}

#[test]
fn a_repository_that_0_1_0_hosted_keeps_its_commits_and_what_was_gone_back_to() {
    let node = upgraded(OF_0_1_0, "git");
    assert_eq!(node.get("/hello").text(), "first");
    let causes: Vec<Value> = json(&node, &["deployments"]).iter().map(|deployment| deployment["cause"].clone()).collect();
    assert_eq!(causes, ["rollback", "push", "push", "start"]);
    let url = format!("http://x:{}@{}/functions.git", admin(&node), node.address());
    let checkout = Checkout::of(&url);
    let commits = checkout.done(&["log", "--format=%s"]);
    assert_eq!(commits.lines().collect::<Vec<_>>(), ["Say second", "Say first"]);
    // A push changes what it changes.
    checkout.commit(&[("hello.rhai", b"\"third\"")]);
    checkout.done(&["push", "origin", "main"]);
    node.wait_for("/hello", "third");
}

#[test]
fn every_setting_of_0_1_0_is_understood() {
    let node = node(&[("hello.rhai", "\"hi\"")]).config(include_str!("0.1.0.toml")).start();
    assert_eq!(node.get("/hello").text(), "hi");
}
