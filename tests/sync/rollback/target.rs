//! What can be gone back to.

use std::process::{Command, Stdio};

use super::{git_node, json, push, repository};
use crate::kit::{
    command::{picloud, run, said},
    node::{Node, Signal, node},
};

#[test]
fn what_was_never_live_is_not_what_was_gone_back_from() {
    let (node, checkout) = git_node(&[("functions/v.rhai", b"0")]);
    for content in [b"1", b"2"] {
        checkout.commit(&[("functions/v.rhai", content)]);
        push(&node, &checkout);
    }
    picloud(&node, &["source", "suspend"]);
    assert!(picloud(&node, &["status"]).contains("the source is suspended by admin"), "at once");
    checkout.commit(&[("functions/v.rhai", b"3")]);
    push(&node, &checkout);
    let told = picloud(&node, &["rollback"]);
    assert!(told.contains("the source is suspended"), "{told}");
    assert_eq!(node.get("/v").text(), "1");
    let told = picloud(&node, &["source", "resume"]);
    assert!(told.starts_with("live "), "{told}");
    assert_eq!(node.get("/v").text(), "3", "the newer commit goes live");

    // Going back twice abandons what was live first, and passes over what was gone back from before.
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/v").text(), "1");
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/v").text(), "0");
    picloud(&node, &["sync"]);
    assert_eq!(node.get("/v").text(), "0");
}

#[test]
fn going_back_again_leads_to_what_was_live_right_before_and_never_to_what_was_abandoned() {
    let (mut node, checkout) = git_node(&[("functions/a.rhai", b"90"), ("functions/b.rhai", b"90")]);
    let go = |node: &Node, a: &[u8], b: &[u8]| {
        checkout.commit(&[("functions/a.rhai", a), ("functions/b.rhai", b)]);
        push(node, &checkout);
    };
    let answers = |node: &Node| ["/a", "/b"].map(|path| node.get(path).text());
    go(&node, b"91", b"91");
    go(&node, b"92", b"92");
    picloud(&node, &["rollback", "--reason", "92: it leaks"]);
    assert_eq!(answers(&node), ["91", "91"]);
    // A part of the rollback holds.
    go(&node, b"93", b"92");
    assert_eq!(answers(&node), ["93", "91"]);
    node.restart();
    picloud(&node, &["rollback"]);
    assert_eq!(answers(&node), ["91", "91"]);
    // And it is none of the two that were abandoned that comes next.
    picloud(&node, &["rollback"]);
    assert_eq!(answers(&node), ["90", "90"]);
    let next = picloud(&node, &["rollback", "--dry-run"]);
    assert!(next.contains("- any method /a") && next.contains("- any method /b"), "what was there first was nothing: {next}");
    // The same once nothing of a rollback holds.
    go(&node, b"94", b"94");
    picloud(&node, &["rollback"]);
    assert_eq!(answers(&node), ["90", "90"]);
    let next = picloud(&node, &["rollback", "--dry-run"]);
    assert!(next.contains("- any method /a") && next.contains("- any method /b"), "what was there first was nothing: {next}");
}

#[test]
fn going_back_needs_no_repository() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    std::fs::remove_dir_all(repository(&node)).unwrap();
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/a").text(), "1");
}

#[test]
fn one_can_go_back_further_by_id_or_by_commit() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    let second = checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    let id = json(&node, &["status"])["live"]["id"].as_str().unwrap().to_owned();
    for text in ["3", "4"] {
        checkout.commit(&[("functions/a.rhai", text.as_bytes())]);
        push(&node, &checkout);
    }
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/a").text(), "3");
    // Again: one step further, not back to where we came from.
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/a").text(), "2");
    let same = run(&node, &["rollback", &id]);
    assert_eq!(said(&same), format!("error: the files of deployment {id} are what is live already\n"));
    picloud(&node, &["unpin"]);
    assert_eq!(node.get("/a").text(), "4");
    picloud(&node, &["rollback", &second[..8]]);
    assert_eq!(node.get("/a").text(), "2");
    let unknown = run(&node, &["rollback", "0000000000000"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        said(&unknown).contains("no deployment has the id or the revision `0000000000000`\n  hint: `picloud deployments`"),
        "{}",
        said(&unknown)
    );
}

#[test]
fn a_crash_while_going_back_leaves_one_whole_state() {
    let (mut node, checkout) = git_node(&[("functions/a.rhai", b"1"), ("functions/b.rhai", b"1")]);
    for round in 0..12 {
        let text = format!("2 // {round}");
        checkout.commit(&[("functions/a.rhai", text.as_bytes()), ("functions/b.rhai", text.as_bytes())]);
        push(&node, &checkout);
        let mut rollback = Command::new(env!("CARGO_BIN_EXE_picloud"));
        let mut rollback = rollback
            .args(["rollback", "--yes"])
            .current_dir(node.folder())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From before it is asked for until after it is done.
        std::thread::sleep(std::time::Duration::from_millis(round * 4));
        node.signal(Signal::KILL);
        node.ended();
        let _ = rollback.wait();
        node.start();
        let both = (node.get("/a").text(), node.get("/b").text());
        let is_back = json(&node, &["status"])["following"]["pin"].is_object();
        let expected = if is_back { "1" } else { "2" };
        assert_eq!((both.0.as_str(), both.1.as_str()), (expected, expected), "round {round}");
        // And so it stays.
        picloud(&node, &["sync"]);
        assert_eq!(node.get("/a").text(), expected);
        if !is_back {
            picloud(&node, &["rollback"]);
        }
        assert_eq!(node.get("/b").text(), "1");
    }
}

#[test]
fn what_today_s_rules_refuse_cannot_be_gone_back_to() {
    let mut node = node(&[("a.rhai", "+++\ntimeout = \"200s\"\n+++\n1")]).start();
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    std::fs::write(node.folder().join("picloud.toml"), "[ceilings]\ntimeout = \"100s\"\n").unwrap();
    node.restart();
    let refused = run(&node, &["rollback"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = said(&refused);
    assert!(told.contains("cannot go live any more\na.rhai:2:1: error: `timeout` is 3m 20s, above this node"), "{told}");
    assert_eq!(node.get("/a").text(), "2");
}
