//! What is mounted in the functions folder, where changes are not reported.

use std::fs;

use crate::{
    directory::saves::sync,
    kit::node::{Node, node},
};

/// Has a shell mount something when a file `go` appears, and undo it when that is gone.
fn when_told(mount: &str, unmount: &str) -> String {
    let until = |test: &str| format!("for i in $(seq 1200); do [ {test} ] && break; sleep 0.05; done");
    format!("({}; {mount}; {}; {unmount}) &", until("-e go"), until("! -e go"))
}

#[test]
fn a_file_that_is_mounted_by_itself_is_looked_for_and_read_when_somebody_wants_it() {
    let mounted = "echo 1 > real.rhai\n: > functions/s.rhai\nmount --bind real.rhai functions/s.rhai";
    let node = node(&[]).in_own_mounts(mounted).start();
    node.wait_for("/s", "1");
    let real = node.folder().join("real.rhai");
    fs::write(&real, "2").unwrap();
    sync(&node);
    assert_eq!(node.get("/s").text(), "2");
    fs::write(&real, "3").unwrap();
    node.wait_for("/s", "3");
    assert_eq!(node.ready()["status"], "ready");
}

#[test]
fn a_volume_that_comes_and_goes_is_noticed() {
    let node =
        node(&[("a.rhai", "1"), ("b.rhai", "1")]).in_own_mounts(&when_told("mount -t tmpfs none functions", "umount functions")).start();
    let is_served = |node: &Node| assert_eq!((node.get("/a").text(), node.get("/b").text()), ("1".into(), "1".into()));
    is_served(&node);
    fs::write(node.folder().join("go"), "").unwrap();
    node.wait_for_state("degraded");
    let ready = node.ready().to_string();
    assert!(ready.contains("is empty; its volume may not be mounted"), "{ready}");
    is_served(&node);
    fs::remove_file(node.folder().join("go")).unwrap();
    node.wait_for_state("ready");
    is_served(&node);
    node.write("a.rhai", "2");
    node.wait_for("/a", "2");
}
