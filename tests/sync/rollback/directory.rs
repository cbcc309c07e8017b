//! A directory after a rollback.

use serde_json::Value;

use super::json;
use crate::kit::{command::picloud, node::Node};

const GIT_MANUAL: &str = include_str!("../../../docs/git.md");

#[test]
fn of_a_directory_only_what_is_saved_after_going_back_goes_live() {
    let mut node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    node.replace("c.rhai", "2");
    node.wait_for("/c", "2");
    let first = json(&node, &["deployments"]).as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let told = picloud(&node, &["rollback", &first]);
    assert!(GIT_MANUAL.contains(&format!("\n{}\n", told.lines().last().unwrap())), "docs/git.md shows another end: {told}");
    assert_eq!((node.get("/a").text().as_str(), node.get("/c").status), ("1", 404));
    let status = json(&node, &["status"]);
    assert!(status["following"]["pin"]["files"].as_object().unwrap().keys().eq(["a.rhai", "c.rhai"]), "{status}");
    assert_eq!(status["is_in_sync"], false);

    node.replace("b.rhai", "3");
    node.wait_for("/b", "3");
    assert_eq!((node.get("/a").text().as_str(), node.get("/c").status), ("1", 404));
    node.restart();
    picloud(&node, &["sync"]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").text().as_str(), node.get("/c").status), ("1", "3", 404));

    node.replace("a.rhai", "4");
    node.wait_for("/a", "4");
    assert_eq!(node.get("/c").status, 404);
    picloud(&node, &["unpin"]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").text().as_str(), node.get("/c").text().as_str()), ("4", "3", "2"));
    assert_eq!(json(&node, &["status"])["is_in_sync"], true);
}

#[test]
fn of_a_directory_a_pin_ends_when_nothing_of_it_is_left() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/a").text(), "1");
    node.replace("a.rhai", "3");
    node.wait_for("/a", "3");
    assert_eq!(json(&node, &["status"])["following"]["pin"], Value::Null);
    // Now it is a save as any other.
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
}

#[test]
fn of_a_directory_a_pin_that_holds_stops_every_save() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    picloud(&node, &["rollback", "--hold"]);
    node.replace("b.rhai", "2");
    picloud(&node, &["sync"]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").text().as_str()), ("1", "1"));
    picloud(&node, &["unpin"]);
    node.wait_for("/a", "2");
    node.wait_for("/b", "2");
}

#[test]
fn a_rollback_of_a_folder_says_at_once_what_it_holds_back_and_why() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    let first = json(&node, &["status"])["live"]["id"].as_str().unwrap().to_owned();
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    picloud(&node, &["rollback", &first, "--reason", "prices are wrong"]);
    let held = |node: &Node| json(node, &["status"])["held"].clone();
    let said = held(&node).as_str().unwrap_or_default().to_owned();
    assert!(said.starts_with("admin went back from ") && said.contains(&format!("to deployment {first} at ")), "{said}");
    assert!(said.ends_with(" (prices are wrong); a.rhai stays so until it changes in the source, or until `picloud unpin`"), "{said}");
    let health = picloud(&node, &["health"]);
    assert!(health.starts_with(&format!("ready\nheld: a rollback to deployment {first} holds the source back since ")), "{health}");
    // Another file goes live, and the one that is held still is.
    node.replace("b.rhai", "2");
    node.wait_for("/b", "2");
    assert_eq!((held(&node), node.get("/a").text().as_str()), (said.into(), "1"));
    // It is saved anew: nothing is held any more.
    node.replace("a.rhai", "3");
    node.wait_for("/a", "3");
    assert_eq!(held(&node), Value::Null);
}
