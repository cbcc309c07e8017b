//! What is not written, and what whoever wanted it is told.

use serde_json::{Value, json};

use crate::kit::{
    api::{Api, messages, on_every_source, path, tar},
    command::{picloud, run, said, token},
    git::Checkout,
    node::{Node, node},
    story::follower,
};

on_every_source! {
    what_does_not_check_is_not_written
    what_is_there_already_is_not_made_again
    a_name_is_one_that_can_be_served
    what_is_too_large_or_no_order_is_refused
    nobody_writes_without_a_token
    a_token_for_some_functions_changes_those_alone
    who_changes_a_script_is_in_the_audit_log
    what_an_operator_holds_is_not_written
}

/// What the node follows, in a word that changes with every change.
fn wanted(api: &Api) -> Value {
    api.status()["wanted"].clone()
}

fn what_does_not_check_is_not_written(node: &Node) {
    let api = Api::of(node);
    api.created("a", "1");
    let before = wanted(&api);
    let refused = api.create("b", "let x = ;");
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let problem = refused.json();
    assert_eq!(problem["detail"], "there is 1 mistake, and nothing was written");
    let found = &problem["diagnostics"][0];
    assert_eq!((&found["file"], &found["line"], &found["column"]), (&json!("b.rhai"), &json!(1), &json!(9)));
    assert_eq!(api.replace("a", "+++\nmetods = []\n+++\n1").status, 422);
    assert_eq!(api.replace("a", "import \"nowhere\" as n; 1").status, 422);
    assert_eq!(wanted(&api), before);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").status, api.get(&path("b")).status), ("1", 404, 404));

    // A change that breaks another script is refused with that one's mistake.
    api.created("_lib/m", "fn f() { 1 }");
    assert_eq!(api.replace("a", "import \"m\" as m; m::f()").status, 200);
    let before = wanted(&api);
    for refused in [api.replace("_lib/m", "fn g() { 1 }"), api.delete("_lib/m")] {
        assert_eq!(refused.status, 422, "{}", refused.text());
        assert!(messages(&refused).iter().all(|found| found.starts_with("a.rhai: ")), "{}", refused.text());
    }
    assert_eq!(wanted(&api), before);
    assert_eq!(node.get("/a").text(), "1");
}

fn what_is_there_already_is_not_made_again(node: &Node) {
    let api = Api::of(node);
    api.created("a", "1");
    let twice = api.create("a", "2");
    assert_eq!((twice.status, &twice.json()["detail"]), (409, &json!("there is a script `a` already")));
    let taken = api.create("a/index", "2");
    assert_eq!((taken.status, messages(&taken)), (409, vec!["a/index.rhai: `a.rhai` serves any method on `/a` as well".to_owned()]));
    api.created("b.get", "1");
    assert_eq!(api.create("(group)/b.get", "1").status, 409);
    assert_eq!(api.create("B.get", "1").status, 409, "file systems that know no case cannot hold both");
    assert_eq!((api.replace("c", "1").status, api.delete("c").status, api.get(&path("c")).status), (404, 404, 404));
    assert_eq!(api.get(&path("00000000-0000-0000-0000-000000000000")).status, 404);
    assert_eq!(node.get("/a").text(), "1");
}

fn a_name_is_one_that_can_be_served(node: &Node) {
    let api = Api::of(node);
    api.created("a", "1");
    let before = wanted(&api);
    for name in [
        "",
        "/",
        "../a",
        "a/../../b",
        "a/..",
        "./b",
        "/etc/b",
        "a//b",
        ".git/hooks/b",
        ".b",
        "b~/c",
        "b.rhai",
        "a\nb",
        "a\0b",
        "[",
        "[a][b]",
        "a?",
        "api/admin/b",
        "functions.git/b",
        "(a",
        "git~1/b",
        "..",
        ".",
    ] {
        let refused = api.create(name, "1");
        assert_eq!((refused.status, messages(&refused).len()), (422, 1), "{name:?}: {}", refused.text());
    }
    assert_eq!(api.create(&"x/".repeat(40), "1").status, 422);
    assert_eq!(api.create(&"x".repeat(300), "1").status, 422);
    assert_eq!(wanted(&api), before);
    // These can.
    for name in ["b c", "ä", "[x+5b]d", ".well-known/e", "(group)/f"] {
        api.created(name, "1");
    }
    assert_eq!(node.get("/%C3%A4").text(), "1");
}

fn what_is_too_large_or_no_order_is_refused(node: &Node) {
    let api = Api::of(node);
    let most = |more: usize| format!("/*{}*/1", "\u{1}".repeat(256 * 1024 - 5 + more));
    // As large as a file may be, and six times as large in JSON.
    api.created("a", &most(0));
    let large = api.create("b", &most(1));
    assert_eq!((large.status, &large.json()["detail"]), (413, &json!("the body is larger than the 262144 bytes that are taken here")));
    assert_eq!(api.replace("a", &most(1)).status, 413);
    let mut client = node.client();
    api.announce(&mut client, "POST", "/api/admin/scripts", 2 << 20);
    assert_eq!(client.read("POST").unwrap().status, 413);
    for body in ["", "{", "[]", "{\"name\":\"b\"}", "{\"name\":\"b\",\"source\":1}", "{\"name\":\"b\",\"source\":\"1\",\"sauce\":1}"] {
        assert_eq!(api.send("POST", "/api/admin/scripts", &[], body.as_bytes()).status, 400, "{body}");
    }
    assert_eq!(api.send("PUT", &path("a"), &[], b"{\"source\":\"\xff\"}").status, 400);
    assert_eq!(api.send("PATCH", &path("a"), &[], b"").status, 405);
    assert_eq!(api.names(""), ["a"]);
}

fn nobody_writes_without_a_token(node: &Node) {
    let admin = Api::of(node);
    admin.created("a", "1");
    let nobody = Api::with(node, "sesame");
    assert_eq!((nobody.create("b", "1").status, nobody.replace("a", "2").status, nobody.delete("a").status), (401, 401, 401));
    assert_eq!((nobody.get("/api/admin/scripts").status, nobody.tree("", b"").status), (401, 401));
    // Browsers keep and send these.
    let basic = [("authorization", "Basic eDp5")];
    assert_eq!(node.send("DELETE", &path("a"), &basic, b"").status, 401);
    assert_eq!(node.get("/a").text(), "1");
}

fn a_token_for_some_functions_changes_those_alone(node: &Node) {
    let admin = Api::of(node);
    admin.created("shop/cart", "1");
    admin.created("other", "1");
    let api = Api::with(node, &admin.token(&json!({ "name": "shop", "scope": "deploy", "functions": "shop" })));
    let id = admin.get(&path("other")).json()["id"].as_str().unwrap().to_owned();
    let refused = [
        api.create("other/b", "1"),
        api.create("shops", "1"),
        api.replace("other", "2"),
        api.replace(&id, "2"),
        api.delete("other"),
        api.get(&path("other")),
        api.get(&format!("{}/versions", path("other"))),
        api.get("/api/admin/scripts"),
        api.get("/api/admin/scripts?prefix=shop"),
        api.json("POST", "/api/admin/check", &json!({ "files": { "shop/a.rhai": "1", "other.rhai": "1" } })),
        api.tree("", &tar(&[("shop/cart.rhai", "1")])),
    ];
    for (at, refused) in refused.iter().enumerate() {
        assert_eq!(refused.status, 403, "{at}: {}", refused.text());
    }
    assert_eq!(api.create("shop/new", "1").status, 201);
    assert_eq!(api.replace("shop/cart", "2").status, 200);
    assert_eq!(api.names("?prefix=shop/"), ["shop/cart", "shop/new"]);
    assert_eq!(api.json("POST", "/api/admin/check", &json!({ "name": "shop/b", "source": "1" })).json()["ok"], true);
    assert_eq!(api.delete("shop/new").status, 204);
    assert_eq!((node.get("/shop/cart").text(), node.get("/other").text()), ("2".into(), "1".into()));
}

fn who_changes_a_script_is_in_the_audit_log(node: &Node) {
    let api = Api::with(node, &Api::of(node).token(&json!({ "name": "ann", "scope": "deploy" })));
    api.created("a", "1");
    assert_eq!(api.tree("", &tar(&[("a.rhai", "2")])).status, 200);
    assert_eq!(api.delete("a").status, 204);
    let log = Api::of(node).get("/api/admin/audit?action=upload").json();
    let log = log["entries"].as_array().unwrap_or_else(|| panic!("{log}"));
    let told: Vec<_> = log.iter().map(|entry| (entry["who"].as_str().unwrap(), entry["origin"].as_str().unwrap())).collect();
    assert_eq!(told, [("ann", "127.0.0.1"); 3]);
}

#[test]
fn a_token_that_reads_does_not_write_and_one_that_deploys_is_named() {
    for node in [crate::kit::api::on_a_directory(), crate::kit::api::on_a_hosted_repository(), crate::kit::api::on_a_bare_repository()] {
        let reader = token(&node, &["reader", "--scope", "read"]);
        let deployer = token(&node, &["ci", "--scope", "deploy"]);
        let (reader, deployer) = (Api::with(&node, &reader), Api::with(&node, &deployer));
        deployer.created("a", "1");
        assert_eq!((reader.create("b", "1").status, reader.replace("a", "2").status, reader.delete("a").status), (403, 403, 403));
        assert_eq!((reader.tree("", b"").status, reader.json("POST", "/api/admin/check", &json!({})).status), (403, 403));
        let live = reader.status()["live"].clone();
        assert_eq!((&live["cause"], live["pushed_by"].as_str().or(live["by"].as_str())), (&json!("upload"), Some("ci")), "{live}");
        assert_eq!(reader.names(""), ["a"]);
        for path in [path("a"), format!("{}/versions", path("a"))] {
            assert_eq!(reader.get(&path).status, 200);
        }
        assert_eq!(node.get("/a").text(), "1");
    }
}

fn what_an_operator_holds_is_not_written(node: &Node) {
    let api = Api::of(node);
    api.created("a", "1");
    let before = wanted(&api);
    assert_eq!(api.json("POST", "/api/admin/source/suspend", &json!({})).status, 200);
    let refused = [api.create("b", "1"), api.replace("a", "2"), api.delete("a"), api.tree("", &crate::kit::api::tar(&[("a.rhai", "2")]))];
    for refused in refused {
        assert_eq!(refused.status, 409);
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("nothing was written: the source is suspended by admin since "), "{detail}");
    }
    assert_eq!(wanted(&api), before);
    assert_eq!(api.json("POST", "/api/admin/source/resume", &json!({})).status, 200);
    assert_eq!(api.replace("a", "2").status, 200);
    // What was seen is not live any more: somebody else was quicker.
    let seen = api.json("POST", "/api/admin/rollback", &json!({ "dry_run": true })).json()["from"].take();
    assert_eq!(seen, api.status()["live"]["id"]);
    assert_eq!(api.replace("a", "4").status, 200);
    let refused = api.json("POST", "/api/admin/rollback", &json!({ "from": seen }));
    assert!(refused.status == 409 && refused.text().contains("nothing was changed"), "{}", refused.text());
    assert_eq!(node.get("/a").text(), "4");
    assert_eq!(api.replace("a", "2").status, 200);
    let seen = api.status()["live"]["id"].take();
    let back = api.json("POST", "/api/admin/rollback", &json!({ "from": seen, "to": before }));
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(node.get("/a").text(), "1");
    let refused = api.replace("a", "3");
    assert_eq!(refused.status, 409);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    let hint = refused.json()["hint"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("nothing was written: admin went back from ") && hint.starts_with("`picloud unpin` "), "{detail}: {hint}");
    // A change in the source itself does go live: only `--hold` keeps that back.
    assert!(!detail.contains("goes live") && !hint.contains("goes live"), "{detail}: {hint}");
    assert_eq!(api.json("POST", "/api/admin/unpin", &json!({})).status, 200);
    assert_eq!(api.replace("a", "3").status, 200);
    assert_eq!(node.get("/a").text(), "3");
}

#[test]
fn a_repository_elsewhere_is_changed_there() {
    let upstream = Checkout::with(&[("functions/a.rhai", b"1")]);
    let url = format!("file://{}/.git", upstream.folder().display());
    let node = node(&[]).config(&format!("[source]\nkind = \"git\"\nrepository = \"{url}\"\n")).start();
    node.wait_for("/a", "1");
    let api = Api::of(&node);
    for refused in [api.create("b", "1"), api.replace("a", "2"), api.delete("a"), api.tree("", &crate::kit::api::tar(&[("a.rhai", "2")]))] {
        assert_eq!(refused.status, 409);
        let problem = refused.json();
        assert!(problem["detail"].as_str().unwrap().contains("the functions come from a repository elsewhere (git file://"), "{problem}");
        assert_eq!(problem["hint"], "push to it, and this node follows", "{problem}");
    }
    // Reading and checking works.
    assert_eq!(api.names(""), ["a"]);
    assert_eq!(api.json("POST", "/api/admin/check", &json!({ "name": "b", "source": "1" })).json()["ok"], true);
    assert_eq!(api.tree("?dry_run=true", &crate::kit::api::tar(&[("a.rhai", "2")])).status, 200);
    assert_eq!(node.get("/a").text(), "1");
}

#[test]
fn where_only_signed_commits_go_live_the_node_makes_none() {
    let setup = follower("require_signed = true\nallowed_signers = \"signers\"\n");
    std::fs::write(setup.folder().join("signers"), "").unwrap();
    let node = setup.start();
    let refused = Api::of(&node).create("a", "1");
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("`require_signed`"), "{}", refused.text());
}

#[test]
fn without_its_database_a_node_writes_nothing() {
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let node = node(&[("a.rhai", "1")]).variable("PICLOUD_DATABASE_URL", nowhere).start();
    node.wait_for("/a", "1");
    let api = Api::of(&node);
    assert_eq!((api.replace("a", "2").status, api.create("b", "1").status), (503, 503));
    assert_eq!(std::fs::read_to_string(node.file("a.rhai")).unwrap(), "1");
    // What is live is known all the same.
    assert_eq!(api.names(""), ["a"]);
    let script = api.get(&path("a")).json();
    assert_eq!((&script["source"], &script["deployment"]), (&json!("1"), &Value::Null));
    assert_eq!(api.get(&format!("{}/versions", path("a"))).status, 503);
}

#[test]
fn a_command_says_what_is_suspended() {
    let node = crate::kit::api::on_a_directory();
    Api::of(&node).created("a", "1");
    picloud(&node, &["source", "suspend"]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.rhai"), "2").unwrap();
    let refused = run(&node, &["deploy", folder.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).starts_with("error: nothing was written: the source is suspended by admin since "), "{}", said(&refused));
}
