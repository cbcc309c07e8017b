//! What a push changes after a rollback, and how long a pin lasts.

use serde_json::Value;

use super::{git_node, json, push, repository};
use crate::kit::{
    command::{picloud, run, said},
    node::Node,
};

#[test]
fn a_commit_that_was_gone_back_from_does_not_return_by_itself() {
    let (mut node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    let first = json(&node, &["status"])["live"]["id"].clone();
    checkout.commit(&[("functions/a.rhai", b"2"), ("functions/b.rhai", b"2")]);
    push(&node, &checkout);
    node.wait_for("/a", "2");

    let shown = picloud(&node, &["rollback", "--dry-run"]);
    assert!(shown.contains("~ any method /a  a.rhai\n- any method /b  b.rhai"), "{shown}");
    assert_eq!(node.get("/a").text(), "2", "a dry run changes nothing");

    picloud(&node, &["rollback", "--reason", "prices are wrong"]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").status), ("1", 404));
    let status = json(&node, &["status"]);
    assert_eq!((&status["live"]["cause"], &status["live"]["by"]), (&"rollback".into(), &"admin".into()));
    assert_eq!(status["live"]["note"], format!("back to {}: prices are wrong", first.as_str().unwrap()));
    assert_eq!(status["is_in_sync"], false);
    assert!(status["held"].as_str().unwrap().contains("admin went back from "), "{status}");

    // No look, no restart and no crash brings it back.
    picloud(&node, &["sync"]);
    assert_eq!(node.get("/a").text(), "1");
    node.restart();
    assert_eq!(node.get("/a").text(), "1");
    node.kill();
    node.start();
    picloud(&node, &["sync"]);
    assert_eq!(node.get("/a").text(), "1");

    // A newer good push does, with what it changes.
    checkout.commit(&[("functions/a.rhai", b"3")]);
    let told = push(&node, &checkout);
    assert!(told.contains("live at "), "{told}");
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").status), ("3", 404));
    checkout.commit(&[("functions/b.rhai", b"3")]);
    push(&node, &checkout);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").text().as_str()), ("3", "3"));
    let status = json(&node, &["status"]);
    assert_eq!((&status["is_in_sync"], &status["following"]["pin"]), (&true.into(), &Value::Null));
}

#[test]
fn a_push_keeps_what_was_gone_back_to_where_it_changes_nothing() {
    let (mut node, checkout) = git_node(&[("functions/v.rhai", b"\"good\""), ("functions/w.rhai", b"\"good\"")]);
    checkout.commit(&[("functions/v.rhai", b"\"bad\""), ("functions/w.rhai", b"\"bad\"")]);
    push(&node, &checkout);
    picloud(&node, &["rollback", "--reason", "leaks customer data"]);
    let answers = |node: &Node| ["/v", "/w"].map(|path| node.get(path).text());
    let stays = "(\"leaks customer data\") stays: v.rhai, w.rhai";

    // Documentation, and nothing at all.
    checkout.commit(&[("README.md", b"docs")]);
    let told = checkout.refused(&["push", "-o", "dry-run", &repository(&node), "main"]);
    assert!(told.contains("admin's rollback of 20") && told.contains(stays) && told.contains("picloud unpin"), "{told}");
    for files in [&[("README.md", &b"docs"[..])][..], &[]] {
        let commit = checkout.commit(files);
        let told = push(&node, &checkout);
        assert!(told.contains(stays) && told.contains("live at"), "{told}");
        assert_eq!(answers(&node), ["good", "good"]);
        let status = json(&node, &["status"]);
        assert_eq!((&status["live"]["revision"], &status["is_in_sync"]), (&commit.as_str().into(), &false.into()));
        assert!(
            status["held"]
                .as_str()
                .unwrap()
                .ends_with("; v.rhai, w.rhai stay so until they change in the source, or until `picloud unpin`"),
            "{status}"
        );
        assert!(status["live"]["note"].as_str().unwrap().contains(stays), "{status}");
    }
    node.restart();
    picloud(&node, &["sync"]);
    assert_eq!(answers(&node), ["good", "good"]);

    // What a push changes follows it, and that is said before and after.
    checkout.commit(&[("functions/w.rhai", b"\"mended\"")]);
    let part = "(\"leaks customer data\") for w.rhai; it stays for v.rhai";
    let told = checkout.refused(&["push", "-o", "dry-run", &repository(&node), "main"]);
    assert!(told.contains("this ends admin's rollback of 20") && told.contains(part), "{told}");
    let told = push(&node, &checkout);
    assert!(told.contains("this ends admin's rollback of 20") && told.contains(part), "{told}");
    assert_eq!(answers(&node), ["good", "mended"]);
    let audit = picloud(&node, &["audit", "--json"]);
    assert!(audit.contains("ends admin's rollback of 20") && audit.contains("it stays for v.rhai"), "{audit}");

    checkout.commit(&[("functions/v.rhai", b"\"mended\"")]);
    let told = push(&node, &checkout);
    assert!(told.contains("this ends admin's rollback of 20") && told.contains("(\"leaks customer data\")\u{20}"), "{told}");
    assert_eq!(answers(&node), ["mended", "mended"]);
    let status = json(&node, &["status"]);
    assert_eq!((&status["is_in_sync"], &status["held"], &status["following"]["pin"]), (&true.into(), &Value::Null, &Value::Null));
}

#[test]
fn a_broken_push_does_not_end_a_pin() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    let good = checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    picloud(&node, &["rollback"]);
    checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    checkout.refused(&["push", &repository(&node), "main"]);
    assert_eq!(node.get("/a").text(), "1");
    assert_eq!(json(&node, &["status"])["following"]["pin"]["abandoned"], good.as_str());
}

#[test]
fn a_pin_that_holds_ends_only_by_unpin() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    picloud(&node, &["rollback", "--hold"]);
    checkout.commit(&[("functions/a.rhai", b"3")]);
    let told = push(&node, &checkout);
    assert!(told.contains("stored, and not live: admin went back"), "{told}");
    assert_eq!(node.get("/a").text(), "1");
    let told = picloud(&node, &["unpin"]);
    assert!(told.starts_with("live "), "{told}");
    assert_eq!(node.get("/a").text(), "3");
    let again = run(&node, &["unpin"]);
    assert_eq!((again.status.code(), said(&again).as_str()), (Some(2), "error: nothing is pinned\n"));
}

#[test]
fn unpin_brings_back_what_was_abandoned() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    picloud(&node, &["rollback"]);
    picloud(&node, &["unpin"]);
    assert_eq!(node.get("/a").text(), "2");
}
