//! The process has no more file handles, or the system gives it no more threads.

use std::{net::TcpStream, process::Command, time::Duration};

use crate::{
    kit::{FILES, Load, ask, cpu_in, let_pass, lost, recorded, status_of},
    node::{Node, PATIENCE, node, wait_until},
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
fn without_file_handles_nobody_is_cut_off_and_others_are_served_when_there_are_some() {
    let mut node = node(&FILES).start();
    let mut answered = Vec::new();
    ask(&node, 5, &mut answered);
    wait_until("they are recorded", PATIENCE, || recorded(&node).len() == 5);
    let mut served = node.client();
    assert_eq!(served.get("/n").unwrap().text(), "one");
    let soft = handles(&node) + 20;
    limit(&node, &format!("--nofile={soft}:"));
    // The kernel takes connections that the node has no handle for; they wait.
    let crowd: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(node.address()).unwrap()).collect();
    node.wait_for_line(&["cannot accept connections"]);

    let load = Load::default();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            answered.push(served.get("/id").unwrap().text());
        }
        let used = cpu_in(node.pid(), Duration::from_secs(1));
        assert!(used < Duration::from_millis(300), "it used {used:?} of CPU in a second without handles");
        let lines = node.log().lines().filter(|line| line.contains("cannot accept connections")).count();
        assert_eq!(lines, 1, "it is said when it begins");
        // A save now needs a handle that is not there.
        node.write("n.rhai", "\"two\"");
        let_pass(Duration::from_secs(1));
        assert_eq!(served.get("/n").unwrap().text(), "one");
        // One who came too late waits in line, and is served as soon as there are handles.
        let late = load.start(scope, &node, 1, "/n");
        drop(crowd);
        load.during(|| load.wait_for_more(1));
        late.into_iter().for_each(|client| client.join().unwrap().unwrap());
    });
    node.wait_for_line(&["accepted again"]);
    node.wait_for("/n", "two");
    node.wait_for_state("ready");
    ask(&node, 20, &mut answered);
    wait_until("every execution is recorded", PATIENCE, || recorded(&node).len() == answered.len());
    assert_eq!((recorded(&node), lost(&node)), (answered, 0));
    node.stop();
}

#[test]
fn without_threads_a_save_waits_and_slow_runs_are_put_off() {
    let slow = "let n = 0; for i in 0..100_000 { n += i } n";
    let mut node = node(&[&FILES[..], &[("slow.rhai", slow)]].concat()).start();
    assert_eq!(node.get("/slow").text(), "4999950000");
    let mut answered = Vec::new();
    ask(&node, 10, &mut answered);
    assert_eq!(node.get("/n").text(), "one");
    // Runs that were not known to be fast have threads, which end when nobody needs them.
    wait_until("the threads of the pool have ended", PATIENCE, || threads(&node, "run") == 0);
    // Other threads may end meanwhile, and leave room for a new one.
    wait_until("a run has no thread", PATIENCE, || {
        let bytes = status_of(node.pid(), "VmSize") * 1024 + (32 << 20);
        limit(&node, &format!("--as={bytes}:"));
        let refused = node.get("/slow");
        refused.status == 503 && refused.header("retry-after") == Some("1")
    });
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

fn threads(node: &Node, name: &str) -> usize {
    let threads = std::fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
    threads.flatten().filter(|thread| std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim() == name)).count()
}
