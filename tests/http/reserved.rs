//! The node's own URLs.

use serde_json::json;

use crate::node::Node;

#[test]
fn health_and_readiness_are_told() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    let health = node.get("/_picloud/health");
    assert_eq!((health.status, health.json()), (200, json!({ "status": "alive" })));
    let ready = node.get("/_picloud/ready");
    assert_eq!(ready.status, 200);
    let deployment = node.get("/a").header("x-picloud-deployment").unwrap().to_owned();
    assert_eq!(ready.json(), json!({ "status": "ready", "deployment": deployment, "functions": 2, "lost_executions": 0, "degraded": [] }));
    assert_eq!(node.send("HEAD", "/_picloud/health", &[], b"").status, 200);
}

#[test]
fn a_function_is_run_by_its_script_id_with_any_method() {
    let script =
        "#{ id: ctx.script_id, by: ctx.invocation_type, method: ctx.request.method, body: ctx.request.body, params: ctx.request.params }";
    let node = Node::start_with(&[("users/[id].get.rhai", script)]);
    let id = node.get("/users/7").json()["id"].as_str().unwrap().to_owned();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let answer = node.send(method, &format!("/api/execute/{id}?q=1"), &[("content-type", "text/plain")], b"hi");
        assert_eq!(answer.json(), json!({ "id": id, "by": "execute", "method": method, "body": "hi", "params": {} }));
        assert!(answer.header("x-picloud-execution").is_some() && answer.header("x-picloud-version").is_some());
    }
    // The same name has the same id everywhere.
    let other = Node::start_with(&[("users/[id].get.rhai", "ctx.script_id")]);
    assert_eq!(other.get("/users/1").text(), id);
}

#[test]
fn a_script_id_is_no_way_past_a_guard() {
    let guard = "if ctx.request.headers[\"x-key\"] != \"k\" { #{ statusCode: 401, body: \"no\" } }";
    let node = Node::start_with(&[("inner/_middleware.rhai", guard), ("inner/id.rhai", "ctx.script_id")]);
    let key = [("x-key", "k")];
    let id = node.send("GET", "/inner/id", &key, b"").text();
    let url = format!("/api/execute/{id}");
    assert_eq!((node.get(&url).status, node.send("GET", &url, &key, b"").text()), (401, id));
}

#[test]
fn an_unknown_script_id_is_not_found() {
    let node = Node::start_with(&[("[...all].rhai", "\"all\"")]);
    for id in ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "nonsense", "", "a/b"] {
        let answer = node.get(&format!("/api/execute/{id}"));
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")), "{id}");
    }
}

#[test]
fn reserved_paths_never_reach_a_function() {
    let node = Node::start_with(&[("[...all].rhai", "\"all\"")]);
    for path in [
        "/_picloud",
        "/_picloud/",
        "/_picloud/x",
        "/_picloud/health/x",
        "/api/admin",
        "/api/admin/x",
        "/api/execute",
        "/functions.git/info/refs",
    ] {
        assert_ne!(node.get(path).text(), "all", "{path}");
    }
    // However it is written.
    for path in ["/%5Fpicloud/health", "/api/%61dmin/scripts", "/functions%2Egit", "/api/execut%65/x"] {
        assert_ne!(node.get(path).text(), "all", "{path}");
    }
    for path in ["/_picloudy", "/api/administrators", "/functions", "/api"] {
        assert_eq!(node.get(path).text(), "all", "{path}");
    }
}

#[test]
fn a_file_below_a_reserved_prefix_is_a_mistake() {
    let node = Node::start_with(&[("good.rhai", "1")]);
    node.write("api/admin/x.rhai", "\"mine\"");
    node.wait_for_state("degraded");
    assert_ne!(node.get("/api/admin/x").text(), "mine");
    assert_eq!(node.get("/good").text(), "1");
}
