//! Who may do what, over HTTP.

use serde_json::json;

use crate::node::{Node, node};

fn admin(node: &Node) -> String {
    format!("Bearer {}", std::fs::read_to_string(node.data().join("admin-token")).unwrap().trim())
}

#[test]
fn the_token_of_the_data_folder_is_the_admin_s() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let whoami = |headers: &[(&str, &str)]| node.send("GET", "/api/admin/whoami", headers, b"");
    let known = whoami(&[("authorization", &admin(&node))]);
    assert_eq!((known.status, known.json()), (200, json!({ "name": "admin", "scope": "admin" })));
    for wrong in [None, Some("Bearer picloud_1"), Some("Basic !"), Some("sesame")] {
        let headers: Vec<_> = wrong.map(|wrong| ("authorization", wrong)).into_iter().collect();
        let refused = whoami(&headers);
        assert_eq!((refused.status, refused.header("content-type")), (401, Some("application/problem+json")), "{wrong:?}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"), "{wrong:?}");
    }
}

#[test]
fn without_a_database_only_the_admin_is_known() {
    let node = node(&[("a.rhai", "1")]).argument("--database").argument("postgres://nobody@127.0.0.1:1/none").start();
    let whoami = |authorization: &str| node.send("GET", "/api/admin/whoami", &[("authorization", authorization)], b"");
    assert_eq!(whoami(&admin(&node)).status, 200);
    let refused = whoami(&format!("Bearer picloud_{}", "0".repeat(64)));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.json()["detail"].as_str().unwrap().contains("`admin-token`"));
    // What can be no token needs no database to be wrong.
    assert_eq!(whoami("Bearer sesame").status, 401);
}
