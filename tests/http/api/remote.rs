//! The command line speaks to a node elsewhere as to the database here.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::{
    api::{Story, elsewhere, on_both_databases, text},
    kit::{
        node::{PATIENCE, wait_until},
        proxy::Proxy,
    },
};

on_both_databases! {
    lists_and_logs_of_a_node_elsewhere_are_those_of_its_database
    logs_of_a_node_elsewhere_can_be_followed_through_a_cut
    a_command_that_was_not_told_of_the_node_s_database_asks_the_node
}

const FILES: [(&str, &str); 2] = [("a/[n].rhai", "log::info(`number ${ctx.request.params.n}`); 1"), ("bad.rhai", "throw \"no\"")];

fn lists_and_logs_of_a_node_elsewhere_are_those_of_its_database(story: Story) {
    let mut node = story.setup(&FILES).start();
    for number in 0..30 {
        node.get(&format!("/a/{number}"));
    }
    node.get("/bad");
    let folder = tempfile::tempdir().unwrap();
    let remote = |arguments: &[&str]| text(elsewhere(&folder, &node, arguments).output().unwrap());
    let local = |arguments: &[&str]| text(story.beside(&node, arguments).output().unwrap());
    wait_until("all are recorded", PATIENCE, || remote(&["executions", "--limit", "99"]).lines().count() == 32);
    for arguments in [
        &["executions"][..],
        &["executions", "--json", "--limit", "2000"],
        &["executions", "--status", "failed"],
        &["executions", "--text", "number 7", "--prefix", "a/", "--trigger", "http", "--since", "1h"],
        &["executions", "--until", "2020-01-01T00:00:00Z"],
        &["logs"],
        &["logs", "--limit", "3", "--json"],
    ] {
        assert_eq!(remote(arguments), local(arguments), "{arguments:?}");
    }
    let one: Value = serde_json::from_str(&remote(&["executions", "--text", "number 7", "--json"])).unwrap();
    assert_eq!((one.as_array().unwrap().len(), &one[0]["path"]), (1, &"/a/7".into()));
    let refused = elsewhere(&folder, &node, &["executions"]).env("PICLOUD_TOKEN", "picloud_1").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("the token is not known here"));
    let refused = elsewhere(&folder, &node, &["logs", "-f"]).env("PICLOUD_TOKEN", "picloud_1").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    node.stop();
}

fn a_command_that_was_not_told_of_the_node_s_database_asks_the_node(story: Story) {
    let mut node = story.setup(&FILES).start();
    node.get("/a/1");
    node.get("/bad");
    let told = |arguments: &[&str]| text(story.beside(&node, arguments).output().unwrap());
    let untold = |arguments: &[&str]| text(story.beside(&node, arguments).env_remove("PICLOUD_DATABASE_URL").output().unwrap());
    wait_until("both are recorded", PATIENCE, || told(&["executions"]).lines().count() == 3);
    for arguments in [&["executions"][..], &["executions", "--json"], &["logs"], &["deployments"], &["versions", "bad"]] {
        assert_eq!(untold(arguments), told(arguments), "{arguments:?}");
    }
    node.stop();
    // Without it nobody knows where the database is.
    let lost = story.beside(&node, &["executions"]).env_remove("PICLOUD_DATABASE_URL").output().unwrap();
    let said = String::from_utf8(lost.stderr).unwrap();
    assert_eq!(lost.status.code(), Some(2));
    assert!(
        said.starts_with("error: there is no database at `.picloud/picloud.db` yet\n  hint: `picloud serve` makes it; `--config"),
        "{said}"
    );
}

fn logs_of_a_node_elsewhere_can_be_followed_through_a_cut(story: Story) {
    let mut node = story.setup(&FILES).start();
    let (proxy, _) = story.runtime.block_on(Proxy::before(&format!("http://x@{}/", node.address())));
    node.get("/a/1");
    let folder = tempfile::tempdir().unwrap();
    wait_until("it is recorded", PATIENCE, || !text(elsewhere(&folder, &node, &["logs"]).output().unwrap()).is_empty());
    let url = format!("http://{}", proxy.address);
    let mut following = elsewhere(&folder, &node, &["logs", "-f"]).env("PICLOUD_URL", url).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut expect = |number: u32| {
        let line = lines.next().unwrap().unwrap();
        assert!(line.ends_with(&format!("number {number}")), "{line}");
    };
    expect(1);
    for number in 2..5 {
        node.get(&format!("/a/{number}"));
    }
    (2..5).for_each(&mut expect);
    proxy.cut();
    for number in 5..8 {
        node.get(&format!("/a/{number}"));
    }
    proxy.restore();
    (5..8).for_each(&mut expect);
    following.kill().unwrap();
    following.wait().unwrap();
    node.stop();
}
