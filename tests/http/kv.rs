//! The key-value store for operators: over HTTP and by commands.

use picloud::audit::AuditEntry;
use serde_json::{Value, json};

use crate::kit::{
    api::{Api, token},
    command::{run, said},
    node::{Node, Setup, node},
    store::on_both_nodes,
};

on_both_nodes! {
    the_link_shortener_of_the_manual_works
    a_value_is_kept_read_listed_and_removed
    a_write_that_comes_too_late_changes_nothing
    what_makes_no_sense_is_refused_with_the_reason
    commands_work_on_the_database_and_on_a_node_elsewhere
}

fn start(on: impl Fn(Setup) -> Setup) -> Node {
    on(node(&[("a.rhai", "1")])).start()
}

/// Actions and details of the audit log about keys, the oldest first.
fn told(api: &Api) -> Vec<String> {
    let entries: Vec<AuditEntry> = serde_json::from_value(api.get("/api/admin/audit").json()["entries"].take()).unwrap();
    let of_kv = entries.iter().rev().filter(|entry| entry.action.as_str().starts_with("kv_"));
    of_kv.map(|entry| format!("{} {} {}", entry.action, entry.who, entry.detail)).collect()
}

fn the_link_shortener_of_the_manual_works(on: impl Fn(Setup) -> Setup) {
    let manual = include_str!("../../docs/kv.md");
    let script = manual.split_once("```text\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    let mut node = on(node(&[("go/[[code]].rhai", script)])).start();
    let post = |url: &str| {
        let body = json!({ "url": url }).to_string();
        let answer = node.send("POST", "/go", &[("content-type", "application/json")], body.as_bytes());
        (answer.status, answer.json())
    };
    assert_eq!(post("ftp://example.org").0, 422);
    assert_eq!(post("https://example.org/a"), (201, json!({ "link": "/go/1" })));
    assert_eq!(post("https://example.org/b"), (201, json!({ "link": "/go/2" })));
    assert_eq!(node.get("/go/3").status, 404);
    assert_eq!(node.get("/go").status, 404);
    node.restart();
    let followed = node.get("/go/1");
    assert_eq!((followed.status, followed.header("location")), (302, Some("https://example.org/a")));
    assert_eq!(node.get("/go/2").header("location"), Some("https://example.org/b"));
    let api = Api::of(&node);
    assert_eq!(api.get("/api/admin/kv/links/hits%3A1").json()["value"], 1);
    assert_eq!(api.get("/api/admin/kv").json()["namespaces"][0]["keys"], 5);
    // What a function writes is not an operator's.
    assert!(told(&api).is_empty());
}

fn a_value_is_kept_read_listed_and_removed(on: impl Fn(Setup) -> Setup) {
    let node = start(on);
    let api = Api::of(&node);
    assert_eq!(api.get("/api/admin/kv").json(), json!({ "namespaces": [] }));
    let put = |path: &str, value: Value| {
        let answer = api.json("PUT", &format!("/api/admin/kv/{path}"), &value);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["version"].as_u64().unwrap()
    };
    let first = put("shop/link%2F1", json!({ "url": "https://example.org", "n": [1, null] }));
    assert!(put("shop/link%2F2?ttl=1h", json!("two")) > first);
    put("shop/other", json!(null));
    put("users/ada", json!(7));
    let entry = api.get("/api/admin/kv/shop/link%2F1").json();
    assert_eq!(
        entry,
        json!({ "key": "link/1", "value": { "n": [1, null], "url": "https://example.org" }, "version": first, "expires": null })
    );
    assert!(api.get("/api/admin/kv/shop/link%2F2").json()["expires"].as_str().unwrap().ends_with('Z'));
    let keys = |query: &str| {
        let page = api.get(&format!("/api/admin/kv/shop{query}")).json();
        let keys: Vec<String> = page["entries"].as_array().unwrap().iter().map(|entry| entry["key"].as_str().unwrap().to_owned()).collect();
        (keys.join(" "), page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(keys(""), ("link/1 link/2 other".into(), None));
    assert_eq!(keys("?prefix=link/"), ("link/1 link/2".into(), None));
    assert_eq!(keys("?limit=1"), ("link/1".into(), Some("link/1".into())));
    assert_eq!(keys("?limit=2&cursor=link/1"), ("link/2 other".into(), None));
    let namespaces = api.get("/api/admin/kv").json();
    assert_eq!(namespaces["namespaces"][1], json!({ "name": "users", "keys": 1, "bytes": 4 }));
    assert_eq!(api.send("DELETE", "/api/admin/kv/shop/link%2F1", &[], b"").status, 204);
    for (method, status) in [("GET", 404), ("DELETE", 404)] {
        let answer = api.send(method, "/api/admin/kv/shop/link%2F1", &[], b"");
        assert_eq!(answer.status, status);
        assert!(answer.text().contains("nothing is kept under `link/1` in the namespace `shop`"), "{}", answer.text());
    }
    // Where, and never what.
    let told = told(&api);
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told[0], "kv_set admin {\"key\":\"link/1\",\"namespace\":\"shop\"}");
    assert_eq!(told[4], "kv_delete admin {\"key\":\"link/1\",\"namespace\":\"shop\"}");
    assert!(!node.log().contains("example.org"));
}

fn a_write_that_comes_too_late_changes_nothing(on: impl Fn(Setup) -> Setup) {
    let node = start(on);
    let api = Api::of(&node);
    let put = |query: &str, value: &str| api.send("PUT", &format!("/api/admin/kv/a/k{query}"), &[], value.as_bytes());
    let first = put("?if_version=0", "1").json()["version"].as_u64().unwrap();
    let late = put("?if_version=0", "2");
    assert_eq!(late.status, 412);
    assert!(late.text().contains(&format!("`k` has the version {first}, and nothing was changed")), "{}", late.text());
    assert_eq!(put(&format!("?if_version={first}"), "2").status, 200);
    assert_eq!(api.send("DELETE", "/api/admin/kv/a/k", &[], b"").status, 204);
    let gone = put(&format!("?if_version={first}"), "3");
    assert_eq!((gone.status, gone.text().contains("`k` is not there, and nothing was changed")), (412, true));
    assert_eq!(told(&api).len(), 3);
}

fn what_makes_no_sense_is_refused_with_the_reason(on: impl Fn(Setup) -> Setup) {
    let node = start(|setup| on(setup.config("[kv]\nmax_keys = 1\n")));
    let api = Api::of(&node);
    let large = format!("\"{}\"", "x".repeat(64 << 10));
    for (path, body, status, why) in [
        ("a%2Fb/k", "1", 400, "`a/b` is no name of a namespace: write 1 to 64 letters"),
        ("a/k%0A", "1", 400, "a key holds no control characters, and this one has U+000A after 1 bytes"),
        (&format!("a/{}", "k".repeat(513)), "1", 400, "a key has 1 to 512 bytes, and this one has 513"),
        ("a/k", "nope", 400, "the value is not JSON: expected ident at line 1 column 2"),
        ("a/k", "", 400, "the value is not JSON: EOF"),
        ("a/k", large.as_str(), 413, "65536 bytes"),
        ("a/k?ttl=soon", "1", 400, "`soon` is not a time to live: write it like"),
        ("a/k?ttl=0s", "1", 400, "a time to live is 1ms to 3650d, and not 0s"),
        ("a/k?if_version=-1", "1", 400, "if_version"),
        ("a/k?if_version=9223372036854775807", "1", 412, "`k` is not there, and nothing was changed"),
        ("a/k?if_version=9223372036854775808", "1", 400, "a version is at most 9223372036854775807, and not 9223372036854775808"),
        ("a/k?if_version=18446744073709551616", "1", 400, "if_version"),
        ("a/k?if=1", "1", 400, "unknown field `if`"),
        ("a/k", "1", 200, "version"),
        ("a/l", "1", 507, "the namespace `a` is full: it may hold 1 keys (`max_keys` in the section `[kv]` of picloud.toml)"),
    ] {
        let answer = api.send("PUT", &format!("/api/admin/kv/{path}"), &[], body.as_bytes());
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let said = if status == 200 { answer.text() } else { answer.json()["detail"].as_str().unwrap().to_owned() };
        assert!(said.contains(why), "{path}: {said}");
    }
    for (query, why) in [
        ("limit=0", "a list has 1 to 1000 entries at once, and not 0"),
        ("limit=1001", "and not 1001: ask again for what follows the last key"),
        ("prefix=%0A", "control characters"),
        ("x=1", "`x`"),
    ] {
        let answer = api.get(&format!("/api/admin/kv/a?{query}"));
        assert_eq!((answer.status, answer.text().contains(why)), (400, true), "{query}: {}", answer.text());
    }
    assert_eq!(told(&api).len(), 1);
}

fn commands_work_on_the_database_and_on_a_node_elsewhere(on: impl Fn(Setup) -> Setup) {
    let node = start(on);
    let url = format!("http://{}", node.address());
    let secret = node.folder().join("secret");
    std::fs::write(&secret, token(&node, "ops", "admin", None)).unwrap();
    let database: Vec<(String, String)> = node.variables().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let kv = |elsewhere: bool, arguments: &[&str]| {
        let mut all = [&["kv"], arguments].concat();
        if elsewhere {
            all.extend(["--url", url.as_str(), "--token-file", "secret"]);
        }
        let place = database.iter().find(|(name, _)| name == "PICLOUD_DATABASE_URL");
        if let (false, Some((_, url))) = (elsewhere, place) {
            all.extend(["--database", url.as_str()]);
        }
        let output = run(&node, &all);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), said(&output))
    };
    for elsewhere in [false, true] {
        let (code, _, told) = kv(elsewhere, &["set", "shop", "link/1", "{\"url\": \"https://example.org\"}", "--if-version", "0"]);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.starts_with("`link/1` in `shop` has the version "), "{told}");
        let (code, _, told) = kv(elsewhere, &["set", "shop", "link/1", "1", "--if-version", "0"]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("and nothing was changed"), "{told}");
        assert_eq!(kv(elsewhere, &["set", "shop", "n", "-7", "--ttl", "1h"]).0, Some(0));
        assert_eq!(kv(elsewhere, &["get", "shop", "n"]).1, "-7\n");
        let entry: Value = serde_json::from_str(&kv(elsewhere, &["get", "shop", "link/1", "--json"]).1).unwrap();
        assert_eq!((&entry["value"]["url"], &entry["expires"]), (&json!("https://example.org"), &Value::Null));
        let (_, listed, _) = kv(elsewhere, &["list", "shop", "--prefix", "link/"]);
        assert_eq!((listed.lines().count(), listed.contains("link/1"), listed.contains("never")), (2, true, true), "{listed}");
        let (_, listed, _) = kv(elsewhere, &["list", "shop", "--json", "--limit", "1"]);
        assert_eq!(serde_json::from_str::<Value>(&listed).unwrap().as_array().unwrap().len(), 1);
        assert!(kv(elsewhere, &["list"]).1.contains("shop"));
        for key in ["link/1", "n"] {
            let (code, _, told) = kv(elsewhere, &["delete", "shop", key]);
            assert_eq!((code, told), (Some(0), format!("`{key}` in `shop` is not there any more.\n")));
        }
        for what in ["get", "delete"] {
            let (code, _, told) = kv(elsewhere, &[what, "shop", "n"]);
            assert_eq!(code, Some(2));
            assert!(told.contains("nothing is kept under `n` in the namespace `shop`"), "{told}");
        }
        let (code, _, told) = kv(elsewhere, &["set", "shop", "k", "hello"]);
        assert_eq!((code, told.contains("a text stands in double quotes")), (Some(2), true), "{told}");
    }
    let api = Api::of(&node);
    let told = told(&api);
    assert_eq!(told.len(), 8, "{told:?}");
    assert!(told[4..].iter().all(|entry| entry.contains(" ops ")), "{told:?}");
    assert!(told[..4].iter().all(|entry| !entry.contains(" ops ")), "{told:?}");
}
