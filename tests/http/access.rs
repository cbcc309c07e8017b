//! Who may do what, over HTTP.

use serde_json::json;

use crate::kit::{
    api::bearer,
    node::{Node, node},
};

#[test]
fn the_token_of_the_data_folder_is_the_admin_s() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let whoami = |headers: &[(&str, &str)]| node.send("GET", "/api/admin/whoami", headers, b"");
    let known = whoami(&[("authorization", &bearer(&node))]);
    assert_eq!((known.status, known.json()), (200, json!({ "name": "admin", "scope": "admin" })));
    for wrong in [None, Some("Bearer picloud_1"), Some("Basic !"), Some("sesame")] {
        let headers: Vec<_> = wrong.map(|wrong| ("authorization", wrong)).into_iter().collect();
        let refused = whoami(&headers);
        assert_eq!((refused.status, refused.header("content-type")), (401, Some("application/problem+json")), "{wrong:?}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"), "{wrong:?}");
    }
}

#[test]
fn what_browsers_send_by_themselves_gives_no_orders() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let bearer = bearer(&node);
    let password = format!("x:{}", bearer.strip_prefix("Bearer ").unwrap());
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, password);
    for basic in [format!("Basic {encoded}"), format!("bAsIc {encoded}")] {
        let send = |method: &str, path: &str, basic: &str| node.send(method, path, &[("authorization", basic)], b"{}").status;
        for (method, path) in [("POST", "/api/admin/source/suspend"), ("POST", "/api/admin/rollback"), ("GET", "/api/admin/whoami")] {
            assert_eq!(send(method, path, &basic), 401, "{path}");
        }
        // It is good for looking.
        let deployment = node.get("/a").header("x-picloud-deployment").unwrap().to_owned();
        assert_eq!(send("GET", &format!("/_picloud/v/{deployment}/a"), &basic), 200);
    }
    assert_eq!(node.send("GET", "/api/admin/status", &[("authorization", &bearer)], b"").json()["held"], serde_json::Value::Null);
}

#[test]
fn without_a_database_only_the_admin_is_known() {
    let node = node(&[("a.rhai", "1")]).argument("--database").argument("postgres://nobody@127.0.0.1:1/none").start();
    let whoami = |authorization: &str| node.send("GET", "/api/admin/whoami", &[("authorization", authorization)], b"");
    assert_eq!(whoami(&bearer(&node)).status, 200);
    let refused = whoami(&format!("Bearer picloud_{}", "0".repeat(64)));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.json()["hint"].as_str().unwrap().contains("`admin-token`"));
    // What can be no token needs no database to be wrong.
    assert_eq!(whoami("Bearer sesame").status, 401);
}

#[test]
fn the_control_plane_asks_who_it_is_before_it_reads_what_is_wanted() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let token = |scope: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_picloud"));
        let made = command.args(["token", "create", scope, "--scope", scope]).current_dir(node.folder()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        format!("Bearer {}", String::from_utf8(made.stdout).unwrap().trim())
    };
    let (read, deploy) = (token("read"), token("deploy"));
    let post = |path: &str, token: &str, body: &[u8]| node.send("POST", path, &[("authorization", token)], body);
    let orders = ["/api/admin/sync", "/api/admin/rollback", "/api/admin/unpin", "/api/admin/source/suspend", "/api/admin/source/resume"];
    for path in orders {
        assert_eq!(node.send("POST", path, &[], b"{}").status, 401, "{path}");
        assert_eq!(post(path, &read, b"{}").status, 403, "{path}");
        assert_eq!(node.send("GET", path, &[("authorization", &deploy)], b"").status, 405, "{path}");
    }
    assert_eq!(node.get("/api/admin/status").status, 401);
    let status = node.send("GET", "/api/admin/status", &[("authorization", &read)], b"").json();
    assert_eq!((&status["live"]["functions"], &status["is_in_sync"]), (&1.into(), &true.into()));
    for (body, code) in [("{", 400), ("[1]", 400), (r#"{"too":"x"}"#, 400), ("", 400), ("{}", 404), (r#"{"to":"nothing-like-it"}"#, 404)] {
        let refused = post("/api/admin/rollback", &deploy, body.as_bytes());
        assert_eq!(refused.status, code, "{body}: {}", refused.text());
    }
    // It is told by its length, before it is sent.
    assert_eq!(post("/api/admin/rollback", &deploy, &[b' '; 70_000]).status, 413);
    assert_eq!(post("/api/admin/unpin", &deploy, b"").status, 409);
    assert_eq!(node.get("/a").text(), "1");
}
