//! More runs than the machine has memory for: some are put off, none ends the process, and short ones feel nothing.

use std::time::Duration;

use crate::{
    faults::load::{Load, status_of},
    kit::node::{PATIENCE, node, wait_until},
};

/// Takes some 40 MB and keeps it for a while.
const LARGE: &str =
    "let a = []; for i in 0..60 { let s = \"0123456789\"; for j in 0..16 { s += s; } a.push(|| s); } for i in 0..3_000_000 {} a.len()";

#[test]
fn runs_share_the_memory_of_the_node() {
    let files = [("large.rhai", LARGE), ("short.rhai", "1")];
    let mut node = node(&files).config("[executor]\nmemory = \"200MiB\"\n").start();
    assert_eq!(node.get("/large").text(), "60");
    let before = status_of(node.pid(), "VmHWM") >> 10;
    let load = Load::default();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let short = load.start(scope, &node, 1, "/short");
        let large = load.during(|| {
            load.wait_for_more(10);
            let large: Vec<_> = (0..32).map(|_| scope.spawn(|| node.get("/large"))).collect();
            load.wait_for_more(50);
            large.into_iter().map(|client| client.join().unwrap()).collect()
        });
        short.into_iter().for_each(|client| client.join().unwrap().unwrap());
        large
    });
    let (done, put_off): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty() && !put_off.is_empty(), "{} done, {} put off", done.len(), put_off.len());
    for answer in put_off {
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.text());
    }
    let used = (status_of(node.pid(), "VmHWM") >> 10).saturating_sub(before);
    // Each of 32 may hold 1 MiB that is not counted and pass its share by what one operation takes.
    assert!(used < 200 + 32 * 4 + 50, "{used} MiB more than before");
    node.wait_for_execution("one that was put off", |execution| {
        execution.failure.as_ref().is_some_and(|failure| failure.message.contains("no memory left"))
    });
    // Everything was given back.
    for _ in 0..20 {
        assert_eq!(node.get("/large").text(), "60");
    }
    node.stop();
}

#[test]
fn a_run_that_is_larger_than_its_own_limit_is_still_told_so() {
    let greedy =
        "+++\n[limits]\nmemory = \"8MiB\"\n+++\nlet a = []; loop { let s = \"0123456789\"; for j in 0..13 { s += s; } a.push(|| s); }";
    let mut node = node(&[("greedy.rhai", greedy)]).start();
    let answer = node.get("/greedy");
    assert_eq!(answer.status, 507, "{}", answer.text());
    wait_until("it is recorded", PATIENCE.max(Duration::ZERO), || node.executions().len() == 1);
    assert_eq!(node.executions()[0].outcome, picloud::execution::Outcome::MemoryExceeded);
    node.stop();
}
