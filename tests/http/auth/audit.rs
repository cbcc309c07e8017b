//! The audit log: every way in which something changes, and who did it.

use picloud::audit::AuditEntry;
use serde_json::{Value, json};

use crate::kit::{
    api::{admin, ask, token},
    git::{Checkout, git},
    node::{Node, PATIENCE, Setup, node, wait_until},
    store::on_both_nodes,
    visitor::{Visitor, url},
};

on_both_nodes! {
    every_change_of_a_directory_is_written_down
    a_push_names_its_pusher_and_its_author
    pages_follow_each_other
}

/// The log over HTTP, the newest first.
fn log(node: &Node, query: &str) -> Vec<AuditEntry> {
    let page = ask(node, &admin(node), "GET", &format!("/api/admin/audit?{query}"), &Value::Null);
    assert_eq!(page.status, 200, "{}", page.text());
    serde_json::from_value(page.json()["entries"].take()).unwrap()
}

/// Actions with who did them and from where, the oldest first.
fn told(node: &Node) -> Vec<String> {
    log(node, "limit=1000").iter().rev().map(|entry| format!("{} {} {}", entry.action, entry.who, entry.origin)).collect()
}

fn every_change_of_a_directory_is_written_down(on: impl Fn(Setup) -> Setup) {
    let mut node = on(node(&[("a.rhai", "\"one\"")])).start();
    node.wait_for("/a", "one");
    node.write("a.rhai", "\"two\"");
    node.wait_for("/a", "two");
    let ops = token(&node, "ops", "deploy", None);
    let order = |path: &str, body: Value| assert_eq!(ask(&node, &ops, "POST", path, &body).status, 200, "{path}");
    order("/api/admin/rollback", json!({ "reason": "two is wrong", "dry_run": true }));
    order("/api/admin/rollback", json!({ "reason": "two is wrong" }));
    order("/api/admin/unpin", json!({}));
    order("/api/admin/source/suspend", json!({}));
    order("/api/admin/source/resume", json!({}));
    assert_eq!(ask(&node, &admin(&node), "DELETE", "/api/admin/tokens/ops", &Value::Null).status, 204);
    // What is refused changes nothing.
    assert_eq!(ask(&node, &ops, "POST", "/api/admin/unpin", &json!({})).status, 401);
    node.restart();
    node.stop();
    node.change(|setup| setup.config("[limits]\nmemory = \"8MiB\"\n"));
    node.start();
    // A start is written down beside what it finds.
    wait_until("the last start is written down", PATIENCE, || log(&node, "action=configure").len() == 1);
    let (starts, told): (Vec<String>, Vec<String>) = told(&node).into_iter().partition(|entry| entry.ends_with(" node node"));
    assert_eq!(starts, ["start node node", "start node node", "configure node node"]);
    let expected = [
        "found files source",
        "save files source",
        "token_create admin 127.0.0.1",
        "rollback ops 127.0.0.1",
        "unpin ops 127.0.0.1",
        "save files source",
        "suspend ops 127.0.0.1",
        "resume ops 127.0.0.1",
        "token_revoke admin 127.0.0.1",
    ];
    assert_eq!(told, expected);
    let entries = log(&node, "action=rollback");
    let [rollback] = &entries[..] else { panic!("{entries:?}") };
    assert!(rollback.detail["note"].as_str().unwrap().contains("two is wrong"), "{rollback:?}");
    assert!(rollback.detail["deployment"].is_string() && rollback.detail["revision"].is_string(), "{rollback:?}");
    let entries = log(&node, "action=configure");
    assert_ne!(entries[0].detail["configuration"], entries[0].detail["before"]);
    let all = log(&node, "limit=1000");
    assert!(!format!("{all:?}").contains("picloud_"), "no secrets: {all:?}");
}

fn a_push_names_its_pusher_and_its_author(on: impl Fn(Setup) -> Setup) {
    let node = on(crate::kit::story::hosted()).start();
    let secret = token(&node, "ci", "deploy", None);
    let checkout = Checkout::with(&[("functions/a.rhai", b"\"pushed\"")]);
    let pushed = git(checkout.folder()).args(["push", "--quiet", &crate::kit::story::url(&node, &secret), "main"]).output().unwrap();
    assert!(pushed.status.success(), "{}", crate::kit::command::said(&pushed));
    node.wait_for("/a", "pushed");
    let pushes = log(&node, "action=push");
    let [push] = &pushes[..] else { panic!("{pushes:?}") };
    assert_eq!((push.who.as_str(), push.origin.as_str()), ("ci", "source"));
    assert_eq!((&push.detail["author"], &push.detail["pushed_by"]), (&json!("Ann <ann@example.org>"), &json!("ci")));
    assert_eq!(log(&node, "who=ci").len(), 1);
}

fn pages_follow_each_other(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("a.rhai", "1")])).start();
    for number in 0..5 {
        token(&node, &format!("t{number}"), "read", None);
    }
    let root = admin(&node);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(&node, &root, "GET", &format!("/api/admin/audit?action=token_create&limit=2{cursor}"), &Value::Null).json();
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= 2);
        names.extend(entries.iter().map(|entry| entry["detail"]["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["t4", "t3", "t2", "t1", "t0"]);
    assert_eq!(log(&node, "who=nobody"), []);
    assert_eq!(log(&node, "since=2000-01-01T00:00:00Z&who=admin").len(), 5);
    for wrong in ["action=dance", "limit=0", "limit=1001", "cursor=x", "since=soon", "color=red"] {
        assert_eq!(ask(&node, &root, "GET", &format!("/api/admin/audit?{wrong}"), &Value::Null).status, 400, "{wrong}");
    }
}

#[test]
fn commands_show_the_log_of_a_database_and_of_a_node_alike() {
    let (node, visitor) = (node(&[("a.rhai", "1")]).start(), Visitor::new());
    crate::kit::command::token(&node, &["ci", "--scope", "read"]);
    for number in 0..5 {
        token(&node, &format!("t{number}"), "read", None);
    }
    wait_until("what was found is written down", PATIENCE, || log(&node, "action=found").len() == 1);
    let (place, file) = (url(&node), node.data().join("admin-token"));
    let far = ["--url", &place, "--token-file", file.to_str().unwrap(), "--json"];
    let here = |arguments: &[&str]| -> Value {
        serde_json::from_str(&crate::kit::command::picloud(&node, &[&["audit", "--json"], arguments].concat())).unwrap()
    };
    let there = |arguments: &[&str]| -> Value { serde_json::from_str(&visitor.done(&[&["audit"], &far[..], arguments].concat())).unwrap() };
    for (arguments, length) in
        [(&[][..], 8), (&["--action", "token_create"], 6), (&["--limit", "3"], 3), (&["--who", "admin", "--since", "1h"], 5)]
    {
        let (here, there) = (here(arguments), there(arguments));
        assert_eq!(here, there, "{arguments:?}");
        assert_eq!(here.as_array().unwrap().len(), length, "{arguments:?}: {here}");
    }
    // A command on the machine itself is told apart.
    let made = here(&["--action", "token_create"]);
    let ci = made.as_array().unwrap().last().unwrap();
    assert_eq!((&ci["detail"]["name"], &ci["origin"]), (&json!("ci"), &json!("cli")));
    let table = crate::kit::command::picloud(&node, &["audit"]);
    assert!(table.starts_with("TIME ") && table.contains("token_create"), "{table}");
    let wrong = crate::kit::command::run(&node, &["audit", "--action", "dance"]);
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("`dance` is no action"));
}
