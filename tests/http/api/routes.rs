//! Routes that are live, and why one of them answers: of a node elsewhere as of the files here.

use serde_json::Value;

use crate::api::{Story, elsewhere, get, refused};

#[test]
fn routes_of_a_node_elsewhere_are_those_of_its_files() {
    let story = Story::sqlite();
    let files = [
        ("users/me.rhai", "+++\ntimeout = \"1s\"\nmethods = [\"GET\"]\ndescription = \"who asks\"\n[limits]\nbody = \"1KiB\"\n+++\n1"),
        ("users/_middleware.rhai", "() // lets everyone in"),
        ("users/[id=int].get.rhai", "1"),
        ("users/[...rest].rhai", "2"),
        ("broken.rhai", "("),
    ];
    let mut node = story.setup(&files).start();
    node.wait_for_status("/broken", 503);
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["routes"][..],
        &["routes", "--json"],
        &["routes", "/users/me"],
        &["routes", "http://x:1/users/me?y", "--json"],
        &["routes", "/users/7", "-X", "delete"],
        &["routes", "/users/7", "-X", "HEAD", "--json"],
        &["routes", "/broken"],
        &["routes", "/nowhere"],
        &["routes", "/%ff"],
    ] {
        let (remote, local) = (elsewhere(&folder, &node, arguments).output().unwrap(), story.beside(&node, arguments).output().unwrap());
        assert_eq!(String::from_utf8(remote.stdout).unwrap(), String::from_utf8(local.stdout).unwrap(), "{arguments:?}");
        assert_eq!(String::from_utf8(remote.stderr).unwrap(), "1 error; `picloud status` shows where\n", "{arguments:?}");
        assert_eq!((remote.status.code(), local.status.code()), (Some(1), Some(1)), "{arguments:?}");
    }

    let listed = get(&node, "/api/admin/routes").json();
    assert_eq!(listed["deployment"], node.get("/users/7").header("x-picloud-deployment").unwrap());
    let me = listed["routes"].as_array().unwrap().iter().find(|route| route["route"] == "/users/me").unwrap();
    assert_eq!((&me["description"], &me["limits"]["body"], &me["broken"]), (&"who asks".into(), &"1 KiB".into(), &false.into()));
    let explained = get(&node, "/api/admin/routes/explain?path=/users/7").json();
    assert_eq!((&explained["method"], &explained["outcome"]["found"]["function"]), (&"GET".into(), &"users/[id=int].get.rhai".into()));
    assert_eq!(explained["others"][0]["function"], Value::from("users/[...rest].rhai"));
    for (query, says) in [("", "`path`"), ("?path=/a&methd=GET", "`methd`"), ("?path=/a&path=/b", "`path`")] {
        let (status, said) = refused(&node, &format!("/api/admin/routes/explain{query}"));
        assert!(status == 400 && said.contains(says), "{query}: {said}");
    }
    let reader = story.token(&node, "read");
    for path in ["/api/admin/routes", "/api/admin/routes/explain?path=/"] {
        assert_eq!(node.get(path).status, 401);
        assert_eq!(node.send("GET", path, &[("authorization", &reader)], b"").status, 200);
    }
    node.stop();
}
