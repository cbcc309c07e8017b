//! Routes that are live, and why one of them answers: of a node elsewhere as of the files here.

use serde_json::{Value, json};

use crate::{
    api::{Story, elsewhere, get, refused},
    kit::api::{ask, token},
};

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
    assert_eq!(
        (&me["description"], &me["limits"]["body"], &me["broken"]),
        (&"who asks".into(), &json!({ "value": 1_024, "text": "1 KiB" }), &false.into())
    );
    let explained = get(&node, "/api/admin/routes/explain?path=/users/7").json();
    assert_eq!((&explained["method"], &explained["outcome"]["found"]["function"]), (&"GET".into(), &"users/[id=int].get.rhai".into()));
    assert_eq!(explained["others"][0]["function"], Value::from("users/[...rest].rhai"));
    for (query, says) in [("", "`path`"), ("?path=/a&methd=GET", "`methd`"), ("?path=/a&path=/b", "`path`")] {
        let (status, said) = refused(&node, &format!("/api/admin/routes/explain{query}"));
        assert!(status == 400 && said.contains(says), "{query}: {said}");
    }
    let (mut paged, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = get(&node, &format!("/api/admin/routes?{query}")).json();
        paged.extend(page["routes"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=2&cursor={}", form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>());
    }
    assert_eq!((Value::Array(paged), &listed["next"]), (listed["routes"].clone(), &Value::Null));
    let files = |query: &str| -> Vec<String> {
        let listed = get(&node, &format!("/api/admin/routes?{query}")).json();
        listed["routes"].as_array().unwrap().iter().map(|route| route["file"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(files("text=WHO"), ["users/me.rhai"]);
    assert_eq!(files("text=int"), ["users/[id=int].get.rhai"]);
    assert_eq!(files("text=nowhere").len(), 0);
    assert_eq!((files("prefix=users/").len(), files("prefix=b")), (3, vec!["broken.rhai".to_owned()]));
    for (query, says) in [("limit=0", "`limit`"), ("limit=1001", "`limit`"), ("text=", "`text`"), ("txt=a", "`txt`")] {
        let (status, said) = refused(&node, &format!("/api/admin/routes?{query}"));
        assert!(status == 400 && said.contains(says), "{query}: {said}");
    }
    let some = token(&node, "some", "read", Some("users"));
    let of_some = |path: &str| ask(&node, &some, "GET", path, &Value::Null).status;
    assert_eq!((of_some("/api/admin/routes?prefix=users/"), of_some("/api/admin/routes")), (200, 403));
    let reader = story.token(&node, "read");
    for path in ["/api/admin/routes", "/api/admin/routes/explain?path=/"] {
        assert_eq!(node.get(path).status, 401);
        assert_eq!(node.send("GET", path, &[("authorization", &reader)], b"").status, 200);
    }
    node.stop();
}
