//! A source that is suspended.

use serde_json::Value;

use super::{git_node, json, push, repository};
use crate::kit::{
    command::{picloud, run, said},
    node::Node,
};

#[test]
fn of_a_suspended_directory_what_was_never_live_goes_live_when_it_is_resumed() {
    let node = Node::start_with(&[("v.rhai", "1")]);
    node.replace("v.rhai", "2");
    node.wait_for("/v", "2");
    picloud(&node, &["source", "suspend"]);
    node.replace("v.rhai", "3");
    picloud(&node, &["sync"]);
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/v").text(), "1");
    picloud(&node, &["source", "resume"]);
    node.wait_for("/v", "3");
}

#[test]
fn a_suspended_source_is_not_followed_until_it_is_resumed() {
    let mut node = Node::start_with(&[("a.rhai", "1")]);
    assert_eq!(picloud(&node, &["health"]), "ready\n");
    picloud(&node, &["source", "suspend"]);
    // Nothing has changed since, and both say it.
    let held = json(&node, &["status"])["held"].as_str().unwrap().to_owned();
    assert!(held.starts_with("the source is suspended by admin since "), "{held}");
    let health = picloud(&node, &["health"]);
    assert!(health.starts_with("ready\nheld: the source is suspended since ") && !health.contains("admin"), "{health}");
    node.replace("a.rhai", "2");
    let told = picloud(&node, &["sync"]);
    assert!(told.contains("not live  the source is suspended by admin since "), "{told}");
    assert_eq!(node.get("/a").text(), "1");
    node.restart();
    assert_eq!(node.get("/a").text(), "1", "what was live is live again, not what the folder holds");
    let again = run(&node, &["source", "suspend"]);
    assert_eq!((again.status.code(), said(&again).as_str()), (Some(2), "error: the source is suspended already\n"));
    picloud(&node, &["source", "resume"]);
    assert_eq!(node.get("/a").text(), "2");
    assert_eq!(json(&node, &["status"])["held"], Value::Null);
    assert_eq!(picloud(&node, &["health"]), "ready\n");
}

#[test]
fn a_push_to_a_suspended_source_is_stored_and_told_so() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    picloud(&node, &["source", "suspend"]);
    checkout.commit(&[("functions/a.rhai", b"2")]);
    let told = push(&node, &checkout);
    assert!(told.contains("stored, and not live: the source is suspended by admin"), "{told}");
    assert_eq!(node.get("/a").text(), "1");
    // Even so, what is broken is refused.
    checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    checkout.refused(&["push", &repository(&node), "main"]);
    picloud(&node, &["source", "resume"]);
    assert_eq!(node.get("/a").text(), "2");
}
