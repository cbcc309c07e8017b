//! What a node knows when it starts again.

use std::fs;

use crate::kit::node::{Node, node};

fn deployment(node: &Node) -> String {
    node.ready()["deployment"].as_str().unwrap_or_else(|| panic!("{}", node.ready())).to_owned()
}

#[test]
fn a_restart_serves_the_last_good_version_of_a_file_that_is_broken_on_disk() {
    let mut node = Node::start_with(&[("hello.rhai", "\"good\""), ("other.rhai", "1")]);
    let version = node.get("/hello").header("x-picloud-version").unwrap().to_owned();
    node.write("hello.rhai", "let x = ;");
    node.wait_for_state("degraded");
    node.restart();
    let again = node.get("/hello");
    assert_eq!((again.text().as_str(), again.header("x-picloud-version")), ("good", Some(version.as_str())));
    // Written a moment ago, it might be half of a save.
    node.wait_for_state("degraded");
    node.write("hello.rhai", "\"mended\"");
    node.wait_for("/hello", "mended");
    node.wait_for_state("ready");
}

#[test]
fn a_file_broken_while_the_node_is_down_is_served_as_it_was() {
    let mut node = Node::start_with(&[("hello.rhai", "\"good\"")]);
    node.stop();
    node.write("hello.rhai", "let x = ;");
    node.start();
    assert_eq!(node.get("/hello").text(), "good");
}

#[test]
fn a_restart_without_changes_keeps_the_deployment() {
    let mut node = Node::start_with(&[("hello.rhai", "1")]);
    let before = deployment(&node);
    node.restart();
    assert_eq!(deployment(&node), before);
    node.kill();
    node.start();
    assert_eq!(deployment(&node), before);
    let told = node.wait_for_line(&["is live as before"]);
    assert!(told.contains(&format!("\"deployment.id\":\"{before}\"")), "{told}");
    assert_eq!(node.get("/hello").header("x-picloud-deployment"), Some(before.as_str()));
}

#[test]
fn what_changed_while_the_node_was_down_is_a_new_deployment() {
    let mut node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    let before = deployment(&node);
    node.stop();
    node.write("a.rhai", "2");
    node.remove("b.rhai");
    node.start();
    node.wait_for("/a", "2");
    node.wait_for_status("/b", 404);
    assert!(deployment(&node) > before);
}

#[test]
fn a_node_that_starts_without_its_functions_serves_what_it_remembers() {
    let mut node = Node::start_with(&[("a.rhai", "1")]);
    node.stop();
    let (root, away) = (node.folder().join("functions"), node.folder().join("away"));
    fs::rename(&root, &away).unwrap();
    node.start();
    assert_eq!(node.get("/a").text(), "1");
    assert_eq!(node.ready()["status"], "degraded");
    fs::write(away.join("a.rhai"), "2").unwrap();
    fs::rename(&away, &root).unwrap();
    node.wait_for("/a", "2");
}

#[test]
fn a_deployment_survives_a_kill() {
    let mut node = Node::start_with(&[("hello.rhai", "1")]);
    node.write("hello.rhai", "2");
    node.wait_for("/hello", "2");
    let live = deployment(&node);
    node.kill();
    node.start();
    assert_eq!((deployment(&node), node.get("/hello").text()), (live, "2".into()));
}

#[test]
fn a_live_module_that_stricter_limits_forbid_takes_only_its_importers_down() {
    let module = "let n = 0; while n < 10_000 { n += 1; } export n;\nfn answer() { 1 }";
    let files = [("a.rhai", "import \"m\" as m; m::answer()"), ("other.rhai", "2"), ("_lib/m.rhai", module)];
    let mut node = node(&files).config("").start();
    assert_eq!(node.get("/a").text(), "1");
    node.stop();
    fs::write(node.folder().join("picloud.toml"), "[limits]\noperations = 1_000\n").unwrap();
    node.start();
    assert_eq!(node.get("/other").text(), "2");
    node.wait_for_status("/a", 503);
}
