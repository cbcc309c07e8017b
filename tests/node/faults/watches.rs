//! The system gives no more watches: it is said with what to do, and changes are found by looking.

use crate::{
    faults::load::{FILES, wait_for_degraded},
    kit::{
        machine::{Need, needs, own_limits},
        node::node,
    },
};

#[test]
fn without_watches_changes_are_looked_for_and_it_is_said_what_to_do() {
    needs!(Need::OwnLimits);
    // In a namespace of its own the limit is the node's alone.
    let script = "echo 1 > /proc/sys/user/max_inotify_watches\nexec \"$@\"";
    let mut node = node(&FILES).wrapped(&[&own_limits()[..], &["sh", "-ec", script, "sh"]].concat()).start();
    let told = wait_for_degraded(&node, "are only found by looking every few seconds");
    assert!(told.contains("fs.inotify.max_user_watches"), "{told}");
    node.write("n.rhai", "\"two\"");
    node.wait_for("/n", "two");
    node.write("deep/er/new.rhai", "\"new\"");
    node.wait_for("/deep/er/new", "new");
    node.stop();
}

#[test]
fn watches_that_run_out_while_the_node_runs_are_told_too() {
    needs!(Need::OwnLimits);
    let script = "echo 12 > /proc/sys/user/max_inotify_watches\nexec \"$@\"";
    let mut node = node(&FILES).wrapped(&[&own_limits()[..], &["sh", "-ec", script, "sh"]].concat()).start();
    node.wait_for_state("ready");
    for number in 0..20 {
        node.write(&format!("folder{number}/f.rhai"), &number.to_string());
    }
    for number in 0..20 {
        node.wait_for(&format!("/folder{number}/f"), &number.to_string());
    }
    let told = wait_for_degraded(&node, "are only found by looking every few seconds");
    assert!(told.contains("fs.inotify.max_user_watches"), "{told}");
    for number in [0, 19] {
        node.write(&format!("folder{number}/f.rhai"), "\"again\"");
        node.wait_for(&format!("/folder{number}/f"), "again");
    }
    node.stop();
}
