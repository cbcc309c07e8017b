//! Modules that functions share.

use crate::kit::node::Node;

const IMPORTS: &str = "import \"m\" as m; m::answer()";

#[test]
fn a_changed_module_reaches_every_importer() {
    let files = [("a.rhai", IMPORTS), ("b/c.rhai", IMPORTS), ("_lib/m.rhai", "fn answer() { 1 }")];
    let node = Node::start_with(&files);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b/c").text().as_str()), ("1", "1"));
    let version = node.get("/a").header("x-picloud-version").unwrap().to_owned();
    node.write("_lib/m.rhai", "fn answer() { 2 }");
    node.wait_for("/a", "2");
    // One deployment for both.
    assert_eq!(node.get("/b/c").text(), "2");
    assert_ne!(node.get("/a").header("x-picloud-version"), Some(version.as_str()));
}

#[test]
fn a_broken_module_leaves_its_importers_as_they_were() {
    let node = Node::start_with(&[("a.rhai", IMPORTS), ("other.rhai", "1"), ("_lib/m.rhai", "fn answer() { 1 }")]);
    node.write("_lib/m.rhai", "fn answer() {");
    node.wait_for_state("degraded");
    assert_eq!(node.get("/a").text(), "1");
    node.wait_for_line(&["_lib/m.rhai:1:"]);
    node.write("other.rhai", "2");
    node.wait_for("/other", "2");
    assert_eq!(node.get("/a").text(), "1");
    node.write("_lib/m.rhai", "fn answer() { 3 }");
    node.wait_for("/a", "3");
    node.wait_for_state("ready");
}

#[test]
fn a_module_without_what_an_importer_calls_is_refused_for_it() {
    let node = Node::start_with(&[("a.rhai", IMPORTS), ("_lib/m.rhai", "fn answer() { 1 }")]);
    node.write("_lib/m.rhai", "fn anwser() { 2 }");
    node.wait_for_state("degraded");
    assert_eq!(node.get("/a").text(), "1");
}

#[test]
fn a_deleted_module_leaves_its_importers_as_they_were() {
    let node = Node::start_with(&[("a.rhai", IMPORTS), ("other.rhai", "1"), ("_lib/m.rhai", "fn answer() { 1 }")]);
    node.remove("_lib/m.rhai");
    node.wait_for_state("degraded");
    assert_eq!(node.get("/a").text(), "1");
    node.write("_lib/m.rhai", "fn answer() { 2 }");
    node.wait_for("/a", "2");
}

#[test]
fn a_module_may_come_after_its_importer() {
    let node = Node::start_with(&[("other.rhai", "1")]);
    node.write("a.rhai", IMPORTS);
    node.wait_for_status("/a", 503);
    node.write("_lib/m.rhai", "fn answer() { 1 }");
    node.wait_for("/a", "1");
}

#[test]
fn a_function_with_the_name_of_a_module_takes_no_import_over() {
    let node = Node::start_with(&[("a.rhai", IMPORTS), ("b/c.rhai", IMPORTS), ("_lib/m.rhai", "fn answer() { 1 }")]);
    let version = |node: &Node| node.get("/a").header("x-picloud-version").map(str::to_owned);
    let before = version(&node);
    node.write("m.rhai", "\"a function\"");
    node.wait_for("/m", "a function");
    assert_eq!((node.get("/a").text(), version(&node)), ("1".into(), before));
    // Whatever else changes: the importers are looked at again.
    node.write("_lib/m.rhai", "fn answer() { 2 }");
    node.wait_for("/a", "2");
    assert_eq!(node.get("/b/c").text(), "2");
    assert_eq!(node.ready()["status"], "ready");
}

#[test]
fn a_module_that_is_nearer_takes_the_import_over_and_gives_it_back() {
    let mut node = Node::start_with(&[("in/a.rhai", IMPORTS), ("b.rhai", IMPORTS), ("_lib/m.rhai", "fn answer() { 1 }")]);
    let version = |node: &Node| node.get("/in/a").header("x-picloud-version").map(str::to_owned);
    let before = version(&node);
    node.write("in/_lib/m.rhai", "fn answer() { 2 }");
    node.wait_for("/in/a", "2");
    assert_eq!(node.get("/b").text(), "1");
    assert_ne!(version(&node), before);
    node.restart();
    assert_eq!(node.get("/in/a").text(), "2");
    node.remove("in/_lib/m.rhai");
    node.wait_for("/in/a", "1");
    assert_eq!(version(&node), before);
}
