//! The data folder's disk is full, or cannot be written: requests go on, what is lost is counted and said, and all is well again afterwards.

use std::{fs, time::Duration};

use crate::{
    faults::load::{FILES, all_recorded, ask, assert_whole, beside, cpu_in, degraded, fill, lost, recorded, wait_for_degraded},
    kit::{
        machine::{Need, disk_at, needs},
        node::{Node, PATIENCE, node, wait_until},
    },
};

/// A node whose data folder is a small disk of its own.
fn on_small_disk() -> Node {
    node(&FILES).in_own_mounts("mkdir .picloud\nmount -t tmpfs -o size=16m tmpfs .picloud").start()
}

#[test]
fn a_full_disk_stops_no_request_and_what_is_lost_is_told() {
    needs!(Need::OwnMounts);
    let mut node = on_small_disk();
    let data = node.data();
    let mut answered = Vec::new();
    ask(&node, 20, &mut answered);
    wait_until("they are recorded", PATIENCE, || recorded(&node).len() == 20);
    assert_eq!((lost(&node), degraded(&node).as_str()), (0, "[]"));

    let ballast = fill(&data);
    wait_until("the node says that executions are lost", PATIENCE, || {
        ask(&node, 20, &mut answered);
        degraded(&node).contains("executions are lost")
    });
    node.write("n.rhai", "\"two\"");
    let said = wait_for_degraded(&node, "waits for the database");
    assert!(said.contains("full"), "it says why: {said}");
    ask(&node, 200, &mut answered);
    assert_eq!((node.get("/n").text().as_str(), node.ready()["status"].as_str()), ("one", Some("degraded")));
    let mut others = 1;
    assert!(lost(&node) > 0);
    let lines = node.log().lines().filter(|line| line.contains("executions are lost")).count();
    assert_eq!(lines, 1, "it is said when it begins: {}", node.log());
    let used = cpu_in(node.pid(), Duration::from_secs(1));
    assert!(used < Duration::from_millis(250), "it used {used:?} of CPU in a second of waiting");

    ballast.drop_it();
    wait_until("the deployment goes live", PATIENCE, || {
        others += 1;
        node.get("/n").text() == "two"
    });
    ask(&node, 20, &mut answered);
    node.wait_for_state("ready");
    let asked = answered.len() as u64 + others;
    wait_until("every execution is recorded or counted as lost", PATIENCE, || all_recorded(&node) + lost(&node) == asked);
    assert!(recorded(&node).ends_with(&answered[answered.len() - 20..]));
    let used = cpu_in(node.pid(), Duration::from_secs(1));
    assert!(used < Duration::from_millis(250), "it used {used:?} of CPU in an idle second");
    assert_whole(&node);
    node.stop();
}

#[test]
fn a_node_starts_on_a_full_disk_and_serves_what_is_there() {
    needs!(Need::OwnMounts);
    let mut node = node(&FILES).start();
    node.stop();
    node.write("n.rhai", "\"two\"");
    let script =
        "cp -r .picloud seed\nmount -t tmpfs -o size=2m tmpfs .picloud\ncp -r seed/. .picloud\ncat /dev/zero > .picloud/ballast || true";
    node.change(|setup| setup.in_own_mounts(script));
    node.start();
    let mut answered = Vec::new();
    ask(&node, 20, &mut answered);
    wait_until("the node says that its disk is full", PATIENCE, || {
        let said = degraded(&node);
        said.contains("full") || said.contains("disk I/O")
    });
    fs::remove_file(node.data().join("ballast")).unwrap();
    node.wait_for("/n", "two");
    ask(&node, 20, &mut answered);
    node.wait_for_state("ready");
    assert!(recorded(&node).len() as u64 + lost(&node) <= answered.len() as u64);
    assert_whole(&node);
    node.stop();
}

#[test]
fn a_data_folder_that_cannot_be_written_is_refused_with_what_to_do() {
    needs!(Need::OwnMounts);
    let read_only = "mkdir -p .picloud\nmount -t tmpfs -o ro tmpfs .picloud";
    let (code, told) = node(&FILES).in_own_mounts(read_only).fail();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("cannot use the data folder `.picloud`: Read-only file system"), "{told}");
    assert!(told.contains("hint: let the user that PiCloud runs as write it, or name another folder with `--data`"), "{told}");
    // With a full disk there is no token rather than an empty one.
    let full = "mkdir -p .picloud\nmount -t tmpfs -o size=64k tmpfs .picloud\ncat /dev/zero > .picloud/ballast || true";
    let (code, told) = node(&FILES).in_own_mounts(full).fail();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("No space left on device") && told.contains("hint: "), "{told}");
}

#[test]
fn a_disk_that_turns_read_only_stops_no_request_and_is_told() {
    needs!(Need::LoopDevice);
    // As file systems do after an error of the disk: files that are open stay open, and no write gets through.
    let script = format!("mkdir .picloud\n{}", disk_at(".picloud"));
    let mut node = node(&FILES).in_own_mounts(&script).start();
    let mut answered = Vec::new();
    ask(&node, 20, &mut answered);
    wait_until("they are recorded", PATIENCE, || recorded(&node).len() == 20);
    assert!(beside(&node, "mount").args(["-o", "remount,abort", ".picloud"]).status().unwrap().success());
    wait_until("the node says that executions are lost", PATIENCE, || {
        ask(&node, 20, &mut answered);
        degraded(&node).contains("executions are lost")
    });
    node.write("n.rhai", "\"two\"");
    wait_for_degraded(&node, "waits for the database");
    assert_eq!(node.get("/n").text(), "one");
    ask(&node, 50, &mut answered);
    wait_until("what is lost is counted", PATIENCE, || lost(&node) == answered.len() as u64 + 1 - 20);
    let used = cpu_in(node.pid(), Duration::from_secs(1));
    assert!(used < Duration::from_millis(250), "it used {used:?} of CPU in a second of waiting");
    assert!(!node.log().contains("panicked"), "{}", node.log());
    node.stop();
}
