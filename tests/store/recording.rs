//! Every run is recorded, and nothing of it is lost when the node ends.

use std::{
    collections::HashSet,
    sync::{Mutex, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use crate::kit::{
    client::Client,
    node::{Node, PATIENCE, Signal, node, wait_until},
};
use picloud::{
    clock::monotonic,
    execution::{LogLevel, Outcome, Trigger},
};

/// Runs on the pool, and takes as long as it may unless it is asked whether there is a place.
const ENDLESS: &str = "+++\ntimeout = \"120s\"\n[limits]\noperations = 5_000_000_000\nconcurrency = 1\n+++\nif ctx.request.query.end != () { for i in 0..50_000 {} return 1; }\nloop {}";

/// Asks for a run that takes the function's one place, and waits until it has.
fn occupy(node: &Node, path: &str) -> Client {
    let mut client = node.client();
    client.begin(path);
    wait_until("the request is under way", PATIENCE, || {
        client.begin_again(path);
        node.get(&format!("{path}?end")).status == 503
    });
    client
}

#[test]
fn a_run_is_recorded_with_what_it_did() {
    let script = "log::info(\"one\"); log::warn(#{ two: 2 }); #{ statusCode: 201, body: 1 }";
    let node = Node::start_with(&[("a/[id].post.rhai", script), ("bad.rhai", "let x = 1;\nthrow \"no\"")]);
    let answer = node.send("POST", "/a/7?q=1", &[("x-request-id", "r-1")], b"");
    let id = answer.header("x-picloud-execution").unwrap();
    let execution = node.wait_for_execution("the request", |execution| execution.id.to_string() == id);
    assert_eq!((execution.function.as_str(), execution.method.as_str(), execution.path.as_str()), ("a/[id].post", "POST", "/a/7"));
    assert_eq!((execution.status, execution.outcome, execution.trigger), (201, Outcome::Ok, Trigger::Http));
    assert_eq!(Some(execution.version.to_string().as_str()), answer.header("x-picloud-version"));
    assert_eq!(Some(execution.deployment.to_string().as_str()), answer.header("x-picloud-deployment"));
    assert_eq!(execution.request_id.as_deref(), Some("r-1"));
    let lines: Vec<_> = execution.logs.iter().map(|line| (line.level, line.message.as_str())).collect();
    assert_eq!(lines, [(LogLevel::Info, "one"), (LogLevel::Warn, r#"{"two":2}"#)]);
    assert!(execution.operations > 0 && execution.failure.is_none());

    let answer = node.get("/bad");
    let id = answer.header("x-picloud-execution").unwrap();
    let failed = node.wait_for_execution("the failure", |execution| execution.id.to_string() == id);
    let failure = failed.failure.unwrap();
    assert_eq!((failed.status, failed.outcome, failure.message.as_str()), (502, Outcome::Failed, "no"));
    assert_eq!((&*failure.file, failure.position.unwrap().line), ("bad.rhai", 2));
}

#[test]
fn only_failures_are_recorded_when_asked_for() {
    let mut node = node(&[("a.rhai", "1"), ("bad.rhai", "throw 1")]).config("[journal]\nrecord = \"failed\"\n").start();
    assert_eq!((node.get("/a").status, node.get("/bad").status), (200, 502));
    node.stop();
    let paths: Vec<String> = node.executions().into_iter().map(|execution| execution.path.into()).collect();
    assert_eq!(paths, ["/bad"]);
}

/// Lets four clients ask until they are told to stop or their connection ends; returns the ids of every answer that came.
fn load(node: &Node, stop: &AtomicBool, answered: &Mutex<HashSet<String>>) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = node.client();
                while !stop.load(Ordering::Relaxed) {
                    let Ok(answer) = client.get("/a") else { break };
                    assert_eq!(answer.status, 200);
                    answered.lock().unwrap().insert(answer.header("x-picloud-execution").unwrap().to_owned());
                }
            });
        }
    });
}

fn recorded(node: &Node) -> HashSet<String> {
    node.executions().iter().map(|execution| execution.id.to_string()).collect()
}

#[test]
fn a_node_that_is_told_to_end_under_load_loses_no_record() {
    let mut node = Node::start_with(&[("a.rhai", "1")]);
    let (stop, answered) = (AtomicBool::new(false), Mutex::default());
    std::thread::scope(|scope| {
        scope.spawn(|| load(&node, &stop, &answered));
        wait_until("the load runs", PATIENCE, || answered.lock().unwrap().len() > 500);
        node.terminate();
    });
    assert_eq!(node.ended().code(), Some(0), "{}", node.log());
    let (recorded, answered) = (recorded(&node), answered.into_inner().unwrap());
    let lost: Vec<_> = answered.difference(&recorded).collect();
    assert!(lost.is_empty(), "{} of {} answers are not recorded", lost.len(), answered.len());
}

#[test]
fn a_node_that_is_killed_loses_at_most_the_last_moment() {
    let mut node = Node::start_with(&[("a.rhai", "1")]);
    let (stop, answered) = (AtomicBool::new(false), Mutex::<HashSet<String>>::default());
    let mut old = HashSet::new();
    std::thread::scope(|scope| {
        scope.spawn(|| load(&node, &stop, &answered));
        wait_until("the load runs", PATIENCE, || answered.lock().unwrap().len() > 500);
        old = answered.lock().unwrap().clone();
        // What was answered so long before the end must be there.
        let began = monotonic();
        wait_until("time passes under load", PATIENCE, || began.elapsed() > Duration::from_millis(200));
        node.signal(Signal::KILL);
    });
    node.kill();
    node.start();
    let recorded = recorded(&node);
    let lost: Vec<_> = old.difference(&recorded).collect();
    assert!(lost.is_empty(), "{} of {} answers are not recorded", lost.len(), old.len());
    assert_eq!(node.get("/a").text(), "1");
}

#[test]
fn a_running_request_is_answered_before_the_node_ends() {
    let slow = ENDLESS.replace("loop {}", "let n = 0; while n < 1_000_000 { n += 1; } n");
    let mut node = node(&[("slow.rhai", &slow)]).config("[server]\ngrace = \"60s\"\n").start();
    let mut client = occupy(&node, "/slow");
    let address = node.address();
    node.terminate();
    wait_until("no connection is taken any more", PATIENCE, || std::net::TcpStream::connect(address).is_err());
    assert_eq!(client.read("GET").unwrap().text(), "1000000");
    assert_eq!(node.ended().code(), Some(0), "{}", node.log());
    assert_eq!(node.executions().iter().filter(|execution| execution.operations > 1_000_000).count(), 1);
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let mut node = Node::start_with(&[("a.rhai", "1")]);
    let mut client = node.client();
    assert_eq!(client.get("/a").unwrap().text(), "1");
    let silent = node.client();
    let began = monotonic();
    node.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    drop(silent);
    client.rest().expect("the node ends the connection");
}

#[test]
fn work_that_outlasts_the_grace_period_does_not_hold_up_the_end() {
    let mut node = node(&[("endless.rhai", ENDLESS)]).config("[server]\ngrace = \"500ms\"\n").start();
    let _client = occupy(&node, "/endless");
    let began = monotonic();
    node.stop();
    assert!(began.elapsed() >= Duration::from_millis(500), "it took {:?}", began.elapsed());
    node.wait_for_line(&["did not end within 500ms"]);
}

#[test]
fn a_second_signal_ends_the_node_at_once() {
    let mut node = Node::start_with(&[("endless.rhai", ENDLESS)]);
    let _client = occupy(&node, "/endless");
    node.terminate();
    node.wait_for_line(&["stopping"]);
    // Those that come right after the first are the same one.
    wait_until("a second signal counts", PATIENCE, || {
        node.signal(Signal::INT);
        node.log().contains("stopped at once")
    });
    assert_eq!(node.ended().code(), Some(130), "{}", node.log());
}
