//! A script from its beginning to its end.

use serde_json::{Value, json};

use crate::kit::{
    api::{Api, on_every_source, path},
    node::Node,
};

on_every_source! {
    a_script_is_made_listed_run_changed_and_deleted
    a_name_or_an_id_finds_it
    a_list_has_pages_and_filters
    a_check_writes_nothing
}

fn a_script_is_made_listed_run_changed_and_deleted(node: &Node) {
    let api = Api::of(node);
    let made = api.create("orders", "+++\ndescription = \"Counts\"\nmethods = [\"GET\", \"POST\"]\n+++\n\"one\"");
    assert_eq!(made.status, 201, "{}", made.text());
    let script = made.json();
    let (id, version) = (script["id"].as_str().unwrap().to_owned(), script["version"].as_str().unwrap().to_owned());
    assert_eq!(made.header("location"), Some(&*format!("/api/admin/scripts/{id}")));
    assert_eq!(made.header("etag"), Some(&*format!("\"{version}\"")));
    assert_eq!((&script["state"], &script["kind"], &script["file"]), (&json!("live"), &json!("function"), &json!("orders.rhai")));
    assert_eq!(script["route"], json!({ "path": "/orders", "methods": ["GET", "POST"] }));
    assert_eq!(script["manifest"]["description"], "Counts");
    assert_eq!(script["manifest"]["limits"]["timeout_us"], 10_000_000);
    assert_eq!((&script["deployment"]["cause"], &script["deployment"]["id"]), (&json!("upload"), &api.status()["live"]["id"]));

    // It is live when the answer comes, and not a moment later.
    let answered = node.get("/orders");
    assert_eq!((answered.text().as_str(), answered.header("x-picloud-version")), ("one", Some(&*version)));
    assert_eq!(node.send("POST", &format!("/api/execute/{id}"), &[], b"").text(), "one");
    assert_eq!(api.names(""), ["orders"]);

    let changed = api.replace("orders", "\"two\"");
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(node.get("/orders").text(), "two");
    let second = changed.json()["version"].as_str().unwrap().to_owned();
    assert_ne!(second, version);
    let shown = api.get(&path("orders"));
    assert_eq!((&shown.json()["source"], shown.header("etag")), (&json!("\"two\""), Some(&*format!("\"{second}\""))));
    // The same again is no change.
    let deployment = api.status()["live"]["id"].clone();
    assert_eq!(api.replace("orders", "\"two\"").status, 200);
    assert_eq!(api.status()["live"]["id"], deployment);

    let stale = api.send("PUT", &path("orders"), &[("if-match", &format!("\"{version}\""))], b"{\"source\":\"3\"}");
    assert_eq!(stale.status, 412, "{}", stale.text());
    let stale = api.send("DELETE", &path("orders"), &[("if-match", &format!("\"{version}\""))], b"");
    assert_eq!(stale.status, 412);
    assert_eq!(node.get("/orders").text(), "two");
    let fresh = format!("\"{version}\", W/\"{second}\"");
    assert_eq!(api.send("PUT", &path("orders"), &[("if-match", &fresh)], b"{\"source\":\"3\"}").status, 200);
    assert_eq!(node.get("/orders").text(), "3");

    let all = api.get(&format!("{}/versions", path("orders"))).json();
    let all: Vec<&Value> = all["versions"].as_array().unwrap().iter().map(|known| &known["version"]).collect();
    assert_eq!((all.len(), all[1], all[2]), (3, &json!(second), &json!(version)));
    let first = api.get(&format!("{}/versions/{version}", path("orders"))).json();
    assert!(first["source"].as_str().unwrap().ends_with("\"one\""), "{first}");
    assert_eq!(first["files"].as_object().unwrap().keys().collect::<Vec<_>>(), ["orders.rhai"]);
    let begin = &version.to_string()[..8];
    assert_eq!(api.get(&format!("{}/versions/{begin}", path("orders"))).json()["version"], first["version"]);
    for unknown in ["0".repeat(32).as_str(), "x"] {
        assert_eq!(api.get(&format!("{}/versions/{unknown}", path("orders"))).status, 404);
    }

    assert_eq!(api.send("DELETE", &path("orders"), &[("if-match", "*")], b"").status, 204);
    assert_eq!((node.get("/orders").status, api.get(&path("orders")).status, api.get(&path(&id)).status), (404, 404, 404));
    assert!(api.names("").is_empty());
    // What was is still known.
    assert_eq!(api.get(&format!("{}/versions", path("orders"))).json()["versions"].as_array().unwrap().len(), 3);
    assert_eq!(api.get(&format!("{}/versions", path("never"))).status, 404);
    assert_eq!(api.status()["is_in_sync"], true);
    // And it can come again.
    api.created("orders", "4");
    assert_eq!(node.get("/orders").text(), "4");
}

fn a_name_or_an_id_finds_it(node: &Node) {
    let api = Api::of(node);
    let made = api.created("users/[id=int].get", "`user ${ctx.request.params.id}`");
    assert_eq!(node.get("/users/7").text(), "user 7");
    let id = made["id"].as_str().unwrap();
    assert_eq!(api.get(&path(id)).json(), api.get(&path("users/[id=int].get")).json());
    assert_eq!(made["route"], json!({ "path": "/users/[id=int]", "methods": ["GET"] }));
    assert_eq!(api.json("PUT", &path(id), &json!({ "source": "8" })).status, 200);
    assert_eq!(node.get("/users/7").text(), "8");
    // Modules and guards are scripts, too.
    let module = api.created("_lib/prices", "fn price() { 9 }");
    assert_eq!((&module["kind"], &module["route"], &module["version"]), (&json!("module"), &Value::Null, &Value::Null));
    assert_eq!(api.replace("users/[id=int].get", "import \"prices\" as p; p::price()").status, 200);
    let before = api.get(&path(id));
    assert_eq!(api.replace("_lib/prices", "fn price() { 10 }").status, 200);
    assert_eq!(node.get("/users/7").text(), "10");
    assert_ne!(before.header("etag"), api.get(&path(id)).header("etag"), "what it imports belongs to its version");
    assert_eq!(api.send("DELETE", &path(id), &[], b"").status, 204);
    assert_eq!(node.get("/users/7").status, 404);
}

fn a_list_has_pages_and_filters(node: &Node) {
    let api = Api::of(node);
    for name in ["a", "a-b", "a/b", "b", "c/d/e"] {
        api.created(name, "1");
    }
    assert_eq!(api.names(""), ["a-b", "a", "a/b", "b", "c/d/e"]);
    assert_eq!(api.names("?prefix=a/"), ["a/b"]);
    assert_eq!(api.names("?state=live&prefix=c"), ["c/d/e"]);
    assert!(api.names("?state=broken").is_empty());
    let (mut paged, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = api.get(&format!("/api/admin/scripts{query}")).json();
        paged.extend(page["scripts"].as_array().unwrap().iter().map(|script| script["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(paged, api.names(""));
    for wrong in ["?limit=0", "?limit=1001", "?limit=x", "?state=dead", "?name=a"] {
        assert_eq!(api.get(&format!("/api/admin/scripts{wrong}")).status, 400, "{wrong}");
    }
}

fn a_check_writes_nothing(node: &Node) {
    let api = Api::of(node);
    api.created("_lib/m", "fn f() { 1 }");
    api.created("a", "import \"m\" as m; m::f()");
    let check = |body: &Value| api.json("POST", "/api/admin/check", body);
    let good = check(&json!({ "name": "b", "source": "2" })).json();
    assert_eq!((&good["ok"], &good["text"]), (&json!(true), &json!("+ any method /b  b.rhai")));
    // Beside what is live: whoever imports it is checked, too.
    let bad = check(&json!({ "files": { "_lib/m.rhai": "fn g() { 1 }", "c.rhai": "let x = ;" } })).json();
    let files: Vec<&Value> = bad["diagnostics"].as_array().unwrap().iter().map(|found| &found["file"]).collect();
    assert_eq!((&bad["ok"], files), (&json!(false), vec![&json!("a.rhai"), &json!("c.rhai")]));
    let conflict = check(&json!({ "name": "a/index", "source": "1" })).json();
    assert_eq!(conflict["ok"], false);
    for name in ["../a", "a.rhai", ".git/x", "a//b", "\u{7}"] {
        assert_eq!(check(&json!({ "name": name, "source": "1" })).json()["ok"], false, "{name}");
    }
    for wrong in [json!({}), json!({ "name": "a" }), json!({ "name": "a", "source": "1", "files": {} }), json!([1])] {
        assert_eq!(check(&wrong).status, 400, "{wrong}");
    }
    let large = "1".repeat(256 * 1024 + 1);
    assert_eq!(check(&json!({ "name": "b", "source": large })).status, 413);
    let mut client = node.client();
    api.announce(&mut client, "POST", "/api/admin/check", (4 << 20) + 1);
    assert_eq!(client.read("POST").unwrap().status, 413);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").status), ("1", 404));
    assert_eq!(api.names(""), ["_lib/m", "a"]);
}
