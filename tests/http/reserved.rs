//! The node's own URLs.

use serde_json::json;

use crate::kit::node::Node;

#[test]
fn health_and_readiness_are_told() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    let health = node.get("/_picloud/health");
    assert_eq!((health.status, health.json()), (200, json!({ "status": "alive" })));
    let ready = node.get("/_picloud/ready");
    assert_eq!(ready.status, 200);
    let deployment = node.get("/a").header("x-picloud-deployment").unwrap().to_owned();
    assert_eq!(
        ready.json(),
        json!({ "status": "ready", "deployment": deployment, "functions": 2, "lost_executions": 0, "degraded": [], "held": null })
    );
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
fn a_url_of_the_node_s_own_is_no_function_s_whoever_is_asked() {
    let node = Node::start_with(&[("[...all].rhai", "\"all\""), ("index.rhai", "1")]);
    let admin = std::fs::read_to_string(node.data().join("admin-token")).unwrap();
    let admin = format!("Bearer {}", admin.trim());
    let send = |method: &str, path: &str, body: &str| {
        node.send(method, path, &[("authorization", &admin), ("content-type", "application/json")], body.as_bytes())
    };
    for path in ["/api/admin/nope", "/_picloud/health", "/api/execute/1", "/functions.git/info/refs", "/%61pi/admin/x"] {
        let explained = send("GET", &format!("/api/admin/routes/explain?path={path}"), "").json();
        assert_eq!(explained["outcome"], "reserved", "{path}");
        let invoked = send("POST", "/api/admin/invoke", &json!({ "path": path }).to_string());
        assert_eq!((invoked.status, invoked.text().contains("the node's own")), (404, true), "{path} {}", invoked.text());
    }
    assert_eq!(send("GET", "/api/admin/routes/explain?path=/api", "").json()["outcome"]["found"]["function"], "[...all].rhai");
    // What it does not have there is no function that is missing.
    for path in ["/api/admin/nope", "/api/admin/executions/", "/api/admin/scripts/carts/%5Bid%5D.get", "/_picloud/x"] {
        let answer = send("GET", path, "");
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")), "{path}");
        assert!(answer.text().contains("/_picloud/openapi.json"), "{path} {}", answer.text());
    }
}

#[test]
fn a_method_that_the_control_plane_does_not_have_is_a_problem_that_names_those_it_has() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    for (method, path, allow) in [
        ("POST", "/api/admin/status", "GET, HEAD"),
        ("DELETE", "/api/admin/routes", "GET, HEAD"),
        ("GET", "/api/admin/sync", "POST"),
        ("PUT", "/_picloud/health", "GET, HEAD"),
    ] {
        let answer = node.send(method, path, &[], b"");
        assert_eq!((answer.status, answer.header("content-type")), (405, Some("application/problem+json")), "{method} {path}");
        assert_eq!((answer.header("allow"), &answer.json()["status"]), (Some(allow), &json!(405)), "{method} {path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(allow), "{method} {path} {}", answer.text());
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
