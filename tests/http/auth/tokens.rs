//! Tokens: made, listed and revoked from afar, and what each is good for.

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::kit::{
    api::{admin, ask, token},
    node::{Node, PATIENCE, Setup, node, wait_until},
    proxy::Proxy,
    store::{Fresh, on_both_nodes},
    visitor::{Visitor, url},
};

on_both_nodes! {
    a_token_is_made_used_and_revoked_from_afar
    an_expired_token_is_worth_nothing
    only_an_admin_of_the_whole_node_gives_tokens
    a_wish_that_makes_no_sense_is_refused
    executions_of_other_functions_are_not_there
    wrong_tokens_shut_nobody_out_who_has_a_right_one
    a_name_that_can_be_none_is_refused_before_it_is_looked_for
}

fn a_token_is_made_used_and_revoked_from_afar(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("a.rhai", "1")])).start();
    let root = admin(&node);
    let made =
        ask(&node, &root, "POST", "/api/admin/tokens", &json!({ "name": "ci", "scope": "read", "functions": "shop/", "expires": "90d" }));
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")));
    let mut said = made.json();
    let secret = said["secret"].take().as_str().unwrap().to_owned();
    assert!(secret.starts_with("picloud_"));
    assert_eq!((&said["name"], &said["scope"], &said["functions"]), (&json!("ci"), &json!("read"), &json!("shop")));
    assert_eq!(
        ask(&node, &secret, "GET", "/api/admin/whoami", &Value::Null).json(),
        json!({ "name": "ci", "scope": "read", "functions": "shop" })
    );
    let listed = ask(&node, &root, "GET", "/api/admin/tokens", &Value::Null);
    assert!(!listed.text().contains(&secret));
    let ci = &listed.json()["tokens"][0];
    assert_eq!((&ci["name"], &ci["is_expired"]), (&json!("ci"), &json!(false)));
    assert!(ci["last_used"].is_string(), "{ci}");
    // Revoked while it is in use: on a connection that it has worked on.
    let mut client = node.client();
    let authorization = format!("Bearer {secret}");
    let mut whoami = || client.send("GET", "/api/admin/whoami", &[("authorization", &authorization)], b"").unwrap().status;
    assert_eq!(whoami(), 200);
    assert_eq!(ask(&node, &root, "DELETE", "/api/admin/tokens/ci", &Value::Null).status, 204);
    assert_eq!(whoami(), 401);
    assert_eq!(ask(&node, &root, "DELETE", "/api/admin/tokens/ci", &Value::Null).status, 404);
}

fn an_expired_token_is_worth_nothing(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("a.rhai", "+++\nauth = \"token\"\n+++\n1")])).start();
    let root = admin(&node);
    let made = ask(&node, &root, "POST", "/api/admin/tokens", &json!({ "name": "brief", "scope": "admin", "expires": "1s" }));
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    wait_until("it has expired", PATIENCE, || ask(&node, &secret, "GET", "/api/admin/whoami", &Value::Null).status == 401);
    assert_eq!(ask(&node, &secret, "GET", "/a", &Value::Null).status, 401);
    let listed = ask(&node, &root, "GET", "/api/admin/tokens", &Value::Null).json();
    assert_eq!(listed["tokens"][0]["is_expired"], true);
}

fn only_an_admin_of_the_whole_node_gives_tokens(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("a.rhai", "1")])).start();
    let (deploy, some) = (token(&node, "deploy", "deploy", None), token(&node, "some", "admin", Some("shop")));
    for (method, path) in
        [("GET", "/api/admin/tokens"), ("POST", "/api/admin/tokens"), ("DELETE", "/api/admin/tokens/deploy"), ("GET", "/api/admin/audit")]
    {
        let wish = if method == "POST" { json!({ "name": "x", "scope": "read" }) } else { Value::Null };
        assert_eq!(node.send(method, path, &[], b"").status, 401, "{method} {path}");
        assert_eq!(ask(&node, &deploy, method, path, &wish).status, 403, "{method} {path}");
        let refused = ask(&node, &some, method, path, &wish);
        assert_eq!(refused.status, 403, "{method} {path}");
        assert!(refused.text().contains("functions of `shop` only"), "{}", refused.text());
    }
    // What is about the whole node is not for a token of some functions.
    for (method, path) in [
        ("GET", "/api/admin/status"),
        ("POST", "/api/admin/sync"),
        ("POST", "/api/admin/rollback"),
        ("POST", "/api/admin/unpin"),
        ("POST", "/api/admin/source/suspend"),
        ("POST", "/api/admin/source/resume"),
        ("GET", "/_picloud/v/000000000000/a"),
    ] {
        assert_eq!(ask(&node, &some, method, path, &json!({})).status, 403, "{method} {path}");
    }
}

fn a_wish_that_makes_no_sense_is_refused(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("a.rhai", "1")])).start();
    let root = admin(&node);
    let wish = |wish: Value| {
        let answer = ask(&node, &root, "POST", "/api/admin/tokens", &wish);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        (answer.status, answer.text())
    };
    token(&node, "ci", "read", None);
    assert_eq!(wish(json!({ "name": "ci", "scope": "read" })).0, 409);
    for (wrong, hint) in [
        (json!({ "name": "a b", "scope": "read" }), "letters"),
        (json!({ "name": "admin", "scope": "read" }), "admin-token"),
        (json!({ "name": "x", "scope": "root" }), "root"),
        (json!({ "name": "x" }), "scope"),
        (json!({ "name": "x", "scope": "read", "expires": "soon" }), "90d"),
        (json!({ "name": "x", "scope": "read", "expires": "0s" }), "90d"),
        (json!({ "name": "x", "scope": "read", "functions": "../x" }), "shop/admin"),
        (json!({ "name": "x", "scope": "read", "functions": "" }), "shop/admin"),
        (json!({ "name": "x", "scope": "read", "secret": "mine" }), "secret"),
        (json!([]), "object"),
    ] {
        let (status, said) = wish(wrong.clone());
        assert!(status == 400 && said.contains(hint), "{wrong}: {status} {said}");
    }
    assert_eq!(node.send("POST", "/api/admin/tokens", &[("authorization", &format!("Bearer {root}"))], &[b' '; 20_000]).status, 413);
}

#[test]
fn commands_make_list_and_revoke_tokens_of_a_node_elsewhere() {
    let (node, visitor) = (node(&[("a.rhai", "1")]).start(), Visitor::new());
    let (place, file) = (url(&node), node.data().join("admin-token"));
    let far = ["--url", &place, "--token-file", file.to_str().unwrap()];
    let token = |arguments: &[&str]| visitor.run(&[&["token"], arguments, &far].concat());
    let made = token(&["create", "ci", "--scope", "deploy", "--functions", "shop"]);
    assert!(made.status.success(), "{made:?}");
    let secret = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(String::from_utf8(made.stderr).unwrap().contains("`ci` (deploy for functions of `shop`) is shown this once"));
    assert_eq!(ask(&node, &secret, "GET", "/api/admin/whoami", &Value::Null).json()["functions"], "shop");
    let listed = String::from_utf8(token(&["list"]).stdout).unwrap();
    let row: Vec<&str> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..3], ["ci", "deploy", "shop"]);
    let here: Value = serde_json::from_str(&crate::kit::command::picloud(&node, &["token", "list", "--json"])).unwrap();
    let there: Value = serde_json::from_slice(&token(&["list", "--json"]).stdout).unwrap();
    assert_eq!(here, there);
    assert!(token(&["revoke", "ci"]).status.success());
    let again = token(&["revoke", "ci"]);
    assert_eq!((again.status.code(), String::from_utf8(again.stderr).unwrap().as_str()), (Some(2), "error: there is no token `ci`\n"));
    let prefix = visitor.refused(&["token", "create", "x", "--scope", "read", "--functions", "/"]);
    assert!(prefix.contains("begins no function's name"), "{prefix}");
}

fn executions_of_other_functions_are_not_there(on: impl Fn(Setup) -> Setup) {
    let file = "+++\ncapture = true\n+++\n1";
    let node = on(node(&[("shop/a.rhai", file), ("shopping.rhai", file)])).start();
    let (some, root) = (token(&node, "some", "deploy", Some("shop")), admin(&node));
    let run = |path: &str| node.get(path).header("x-picloud-execution").unwrap().to_owned();
    let (own, other) = (run("/shop/a"), run("/shopping"));
    let path = |id: &str| format!("/api/admin/executions/{id}");
    for id in [&own, &other] {
        wait_until("it is recorded", PATIENCE, || ask(&node, &root, "GET", &path(id), &Value::Null).status == 200);
    }
    let status = |method: &str, path: &str| ask(&node, &some, method, path, &Value::Null).status;
    assert_eq!([status("GET", &path(&own)), status("GET", &path(&other))], [200, 404]);
    assert_eq!([status("POST", &format!("{}/replay", path(&own))), status("POST", &format!("{}/replay", path(&other)))], [200, 404]);
    let list = |query: &str| ask(&node, &some, "GET", &format!("/api/admin/executions?{query}"), &Value::Null);
    for (query, code) in [
        ("", 403),
        ("function=shop/a", 200),
        ("prefix=shop/", 200),
        ("prefix=shop", 403),
        ("prefix=s", 403),
        ("function=shopping", 403),
        ("function=shopping&prefix=shop/", 403),
    ] {
        assert_eq!(list(query).status, code, "{query}");
        if code == 403 {
            assert_eq!(status("GET", &format!("/api/admin/executions/tail?{query}")), 403, "{query}");
        }
    }
    assert!(!list("prefix=shop/").text().contains("shopping"));
}

fn wrong_tokens_shut_nobody_out_who_has_a_right_one(on: impl Fn(Setup) -> Setup) {
    let mut node = on(node(&[("a.rhai", "+++\nauth = \"token\"\n+++\n1")])).start();
    let (early, revoked) = (token(&node, "early", "deploy", None), token(&node, "revoked", "deploy", None));
    // This process has seen none of them.
    node.restart();
    let whoami = |secret: &str| ask(&node, secret, "GET", "/api/admin/whoami", &Value::Null).status;
    let flood = || (0..15).map(|number| whoami(&format!("picloud_{number:064x}"))).collect::<Vec<_>>();
    assert_eq!(flood(), [[401; 10].as_slice(), &[429; 5]].concat());
    assert_eq!(whoami(&early), 200);
    assert_eq!(ask(&node, &early, "GET", "/a", &Value::Null).status, 200, "a function asks the same");
    // Nor one that is made meanwhile, by the node or beside it.
    let late = token(&node, "late", "read", None);
    assert_eq!(whoami(&late), 200);
    let beside = beside(&node, &["token", "create", "beside", "--scope", "read"]);
    wait_until("a token that a command made is known", PATIENCE, || whoami(&beside) == 200);
    // One that is revoked is wrong at once, whoever revokes it.
    assert_eq!(whoami(&revoked), 200);
    assert_eq!(ask(&node, &admin(&node), "DELETE", "/api/admin/tokens/revoked", &Value::Null).status, 204);
    assert_ne!(whoami(&revoked), 200);
    self::beside(&node, &["token", "revoke", "beside"]);
    assert_ne!(whoami(&beside), 200);
    assert_eq!(flood(), [429; 15], "who has none stays out");
}

/// Runs a command on the database that a node uses, and returns what it printed.
#[track_caller]
fn beside(node: &Node, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_picloud"));
    command.args(arguments).current_dir(node.folder()).env_clear().envs(node.variables());
    crate::kit::visitor::printed(arguments, command.output().unwrap()).trim().to_owned()
}

fn a_name_that_can_be_none_is_refused_before_it_is_looked_for(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("a.rhai", "1")])).start();
    let revoke = |name: &str| ask(&node, &admin(&node), "DELETE", &format!("/api/admin/tokens/{name}"), &Value::Null);
    for (name, part) in [("a%00b", "letters, digits"), ("a%20b", "letters, digits"), ("%00", "letters, digits"), ("admin", "`admin-token`")]
    {
        let refused = revoke(name);
        assert_eq!(refused.status, 400, "{name}: {}", refused.text());
        assert!(refused.text().contains(part), "{name}: {}", refused.text());
    }
    assert_eq!(revoke("nobody").status, 404);
    // Wherever a text comes that Postgres cannot take, it is nothing that is there, and the database is not to blame.
    let (order, get) = (json!({ "to": "no\u{0}where" }), &Value::Null);
    for (method, path, body) in [
        ("GET", "/api/admin/audit?who=%00", get),
        ("GET", "/api/admin/audit?since=%00", get),
        ("GET", "/api/admin/scripts?prefix=%00", get),
        ("GET", "/api/admin/scripts?cursor=%00", get),
        ("GET", "/api/admin/executions?text=%00", get),
        ("GET", "/api/admin/deployments/aaaaaaa%00", get),
        ("GET", "/api/admin/deployments/live/diff?against=aaaaaaa%00", get),
        ("GET", "/api/admin/scripts/%00/versions", get),
        ("GET", "/_picloud/v/aaaaaaa%00/a", get),
        ("POST", "/api/admin/rollback", &order),
        ("POST", "/api/admin/invoke", &json!({ "path": "/a", "deployment": "aaaaaaa\u{0}" })),
    ] {
        let answer = ask(&node, &admin(&node), method, path, body);
        assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.text());
    }
    node.write("a.rhai", "2");
    node.wait_for("/a", "2");
    let why = json!({ "reason": "a\u{0}b" });
    assert_eq!(ask(&node, &admin(&node), "POST", "/api/admin/rollback", &why).status, 200);
    node.wait_for("/a", "1");
    assert!(!node.log().contains("cannot answer"), "{}", node.log());
}

#[test]
fn a_token_that_was_right_a_moment_ago_needs_no_database() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (proxy, url) = runtime.block_on(async {
        let fresh = Fresh::postgres().await;
        Proxy::before(&fresh.url).await
    });
    let node = node(&[("a.rhai", "+++\nauth = \"token\"\n+++\nctx.principal")]).variable("PICLOUD_DATABASE_URL", &url).start();
    let secrets = ["used", "idle", "brief"].map(|name| token(&node, name, "read", None));
    let call = |secret: &str| ask(&node, secret, "GET", "/a", &Value::Null);
    assert_eq!(call(&secrets[0]).text(), "used");
    proxy.cut();
    for _ in 0..20 {
        assert_eq!(call(&secrets[0]).text(), "used", "it goes on");
    }
    assert_eq!(call(&format!("picloud_{}", "0".repeat(64))).status, 503, "of one that was never seen nobody can tell");
    proxy.restore();
    wait_until("all are known again", PATIENCE, || secrets.iter().all(|secret| call(secret).status == 200));
}

#[test]
fn a_table_of_tokens_that_is_locked_keeps_no_known_caller_waiting_and_leaves_connections() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    let node = node(&[("a.rhai", "+++\nauth = \"token\"\n+++\nctx.principal")]).variable("PICLOUD_DATABASE_URL", &fresh.url).start();
    let secret = token(&node, "ci", "read", None);
    let call = || ask(&node, &secret, "GET", "/a", &Value::Null).text();
    assert_eq!(call(), "ci");
    let mut locked = runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&fresh.url).await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE").execute(&mut connection).await.unwrap();
        connection
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(call(), "ci"));
        }
    });
    // With the admin's token, which asks for none of them.
    let list = || ask(&node, &admin(&node), "GET", "/api/admin/executions", &Value::Null).status;
    assert_eq!((list(), call().as_str()), (200, "ci"));
    runtime.block_on(async { sqlx::raw_sql("ROLLBACK").execute(&mut locked).await.unwrap() });
    assert_eq!(call(), "ci");
}
