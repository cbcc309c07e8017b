//! Very many functions that wait for something outside at once: the node goes on, and each is answered.

use std::collections::BTreeSet;

use super::load::status_of;
use crate::kit::{
    client::Client,
    machine,
    node::{Node, PATIENCE, node, wait_until},
    slow::SlowService,
};

/// As many as a test can hold on any machine.
const MANY: usize = 1_000;

/// Lets functions ask this machine, as often as the stories want.
const CONFIG: &str = "[executor]\nmax_waiting = 1_000\n\
    [outbound]\nprivate = [\"127.0.0.1\"]\nmax_requests = 1_000\nmax_requests_per_function = 1_000\n";

/// Asks a path on so many connections, and waits for no answer.
fn begin(node: &Node, count: usize, path: &str) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| node.client()).collect();
    clients.iter_mut().for_each(|client| client.begin(path));
    clients
}

/// A function that gives what another URL answers.
fn asks(url: &str) -> String {
    let origin = url.rsplit_once('/').unwrap().0;
    format!("+++\ntimeout = \"60s\"\n[limits]\nconcurrency = 1_024\n[http]\nallow = [\"{origin}\"]\n+++\nhttp::get(\"{url}\").text")
}

#[test]
fn three_hundred_functions_that_call_their_own_node_are_all_answered() {
    const INNER: &str = "+++\ntimeout = \"60s\"\n[limits]\nconcurrency = 1_024\n[kv]\n+++\nkv::add(\"calls\", 1)";
    // One core, so that two runs at most have a place at once: the least that there can be.
    let core = machine::one_core();
    let mut node = node(&[("inner.rhai", INNER)])
        .config("[outbound]\nprivate = [\"127.0.0.1\"]\n")
        .after(&format!("taskset -cp {core} $$ >/dev/null"))
        .start();
    node.write("outer.rhai", &asks(&format!("http://{}/inner", node.address())));
    node.wait_for("/outer", "1");
    let answers: BTreeSet<u64> =
        begin(&node, 300, "/outer").iter_mut().map(|client| client.read("GET").unwrap().text().parse().unwrap()).collect();
    assert_eq!(answers, (2..=301).collect(), "each has asked once, and got its own answer");
    node.stop();
}

#[test]
fn a_thousand_functions_wait_at_once_and_the_node_goes_on() {
    machine::open_many_files();
    let service = SlowService::start();
    let slow = asks(&format!("http://{}/x", service.address));
    let mut node = node(&[("slow.rhai", &slow), ("fast.rhai", "1")]).config(CONFIG).start();
    let before = node.rss_mib();
    let mut waiting = begin(&node, MANY, "/slow");
    wait_until("all of them wait", PATIENCE * 2, || service.held() == MANY);

    let refused = node.get("/slow");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.json()["detail"], "too many requests at once");
    assert_eq!(node.get("/fast").text(), "1");
    assert!(status_of(node.pid(), "Threads") as usize >= MANY, "each has a thread");
    let grown = node.rss_mib().saturating_sub(before);
    assert!(grown < MANY as u64 / 2, "{MANY} that wait take {grown} MiB");

    service.open();
    for client in &mut waiting {
        let answer = client.read("GET").unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    }
    assert_eq!(node.get("/slow").text(), "ok", "their places are free again");
    node.stop();
}

#[test]
fn a_function_whose_service_never_answers_ends_with_its_time() {
    let service = SlowService::start();
    let slow = asks(&format!("http://{}/x", service.address)).replace("60s", "300ms");
    let mut node = node(&[("slow.rhai", &slow)]).config(CONFIG).start();
    for _ in 0..3 {
        let answer = node.get("/slow");
        assert_eq!((answer.status, answer.json()["detail"].as_str()), (504, Some("the function ran past its time limit")));
    }
    wait_until("its requests have ended with it", PATIENCE, || service.held() == 0);
    node.stop();
}
