//! The process has no more file handles, or the system gives it no more threads.

use std::{net::TcpStream, process::Command, time::Duration};

use picloud::clock::monotonic;

use crate::{
    faults::load::{FILES, ask, cpu_in, lost, recorded, status_of},
    kit::{
        client::Client,
        node::{Node, PATIENCE, node, wait_until},
    },
};

/// Sets a limit of a process that runs.
fn limit(node: &Node, what: &str) {
    let done = Command::new("prlimit").args(["--pid", &node.pid().to_string(), what]).status().unwrap();
    assert!(done.success());
}

/// How many files a process has open.
fn handles(node: &Node) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().count()
}

#[test]
fn without_file_handles_those_who_are_there_are_served_and_others_when_there_are_some() {
    let mut node = node(&FILES).start();
    let mut answered = Vec::new();
    ask(&node, 5, &mut answered);
    wait_until("they are recorded", PATIENCE, || recorded(&node).len() == 5);
    let mut served = node.client();
    assert_eq!(served.get("/n").unwrap().text(), "one");
    // Lower than any that is free: nothing can be opened, whatever is closed.
    let before = soft_limit(&node);
    limit(&node, "--nofile=5:");
    // The kernel takes connections that the node has no handle for; they wait.
    let mut crowd: Vec<Client> = (0..100).map(|_| node.client()).collect();
    node.wait_for_line(&["cannot accept connections"]);
    // A save needs a handle.
    node.write("n.rhai", "\"two\"");
    let began = monotonic();
    wait_until("a second passes", PATIENCE, || {
        answered.push(served.get("/id").unwrap().text());
        assert_eq!(served.get("/n").unwrap().text(), "one");
        began.elapsed() > Duration::from_secs(1)
    });
    let used = cpu_in(node.pid(), Duration::from_secs(1));
    assert!(used < Duration::from_millis(300), "it used {used:?} of CPU in a second without handles");

    limit(&node, &format!("--nofile={before}:"));
    for client in &mut crowd {
        answered.push(client.get("/id").unwrap().text());
    }
    node.wait_for("/n", "two");
    node.wait_for_state("ready");
    wait_until("it is said that it is over", PATIENCE, || {
        ask(&node, 1, &mut answered);
        node.log().contains("accepted again")
    });
    assert_eq!(told(&node), 1, "it is said once");
    wait_until("every execution is recorded", PATIENCE, || recorded(&node).len() == answered.len());
    assert_eq!((recorded(&node), lost(&node)), (answered, 0));
    node.stop();
}

#[test]
fn clients_that_only_hold_handles_give_way_and_that_is_said_once() {
    let mut node = node(&FILES).start();
    assert_eq!(node.get("/n").text(), "one");
    limit(&node, &format!("--nofile={}:", handles(&node) + 20));
    let crowd: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(node.address()).unwrap()).collect();
    node.wait_for_line(&["cannot accept connections"]);
    // Behind all of them.
    assert_eq!(node.get("/n").text(), "one");
    assert_eq!(told(&node), 1, "{}", node.log());
    drop(crowd);
    node.write("n.rhai", "\"two\"");
    node.wait_for("/n", "two");
    node.wait_for_state("ready");
    node.stop();
}

/// How often it was said that connections cannot be accepted.
fn told(node: &Node) -> usize {
    node.log().lines().filter(|line| line.contains("cannot accept connections")).count()
}

/// How many files a process may have open.
fn soft_limit(node: &Node) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn without_threads_a_save_waits_and_slow_runs_share_the_thread_that_there_is() {
    let slow = "let n = 0; for i in 0..100_000 { n += i } n";
    let mut node = node(&[&FILES[..], &[("slow.rhai", slow)]].concat()).start();
    let mut answered = Vec::new();
    ask(&node, 10, &mut answered);
    assert_eq!(node.get("/n").text(), "one");
    // A run that is not known to be fast has a thread, which is there for some seconds more.
    assert_eq!(node.get("/slow").text(), "4999950000");
    let bytes = status_of(node.pid(), "VmSize") * 1024 + (32 << 20);
    limit(&node, &format!("--as={bytes}:"));
    let mut clients: Vec<_> = (0..6).map(|_| node.client()).collect();
    clients.iter_mut().for_each(|client| client.begin("/slow"));
    for client in &mut clients {
        assert_eq!(client.read("GET").unwrap().text(), "4999950000");
    }
    ask(&node, 50, &mut answered);
    node.write("n.rhai", "\"two\"");
    node.wait_for_line(&["waits for a thread that checks it"]);
    ask(&node, 50, &mut answered);
    assert_eq!(node.get("/n").text(), "one");
    limit(&node, "--as=unlimited:");
    node.wait_for("/n", "two");
    assert_eq!(node.get("/slow").text(), "4999950000");
    wait_until("every execution is recorded", PATIENCE, || recorded(&node).len() == answered.len());
    node.stop();
}

#[test]
fn address_space_for_a_stack_and_nothing_beside_it_ends_no_node() {
    let slow = "let n = 0; for i in 0..100_000 { n += i } n";
    for beside in (0..=48).step_by(4) {
        let mut node = node(&[&FILES[..], &[("slow.rhai", slow)]].concat()).start();
        node.wait_for_state("ready");
        let mut client = node.client();
        // The first run of all has no thread yet. The stack of a thread for runs, its guard, and less than the stack for signals that is mapped when the thread begins.
        let bytes = (status_of(node.pid(), "VmSize") + 256 * 1024 + beside) * 1024;
        limit(&node, &format!("--as={bytes}:"));
        let answer = client.get("/slow").unwrap();
        assert!([200, 503].contains(&answer.status), "{}", answer.text());
        assert_eq!(client.get("/_picloud/health").unwrap().status, 200, "{beside} KiB");
        limit(&node, "--as=unlimited:");
        node.wait_for("/slow", "4999950000");
        node.stop();
    }
}
