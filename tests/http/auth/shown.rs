//! What a token for some functions is shown of the files of others: their names, and never their text.

use serde_json::{Value, json};

use crate::kit::{
    api::{admin, ask, token},
    client::Response,
    node::{Node, PATIENCE, node, wait_until},
};

/// In every file that is not below `shop/`.
const SECRET: &str = "rule 42";

fn start() -> (Node, String) {
    let node = node(&[
        ("_middleware.rhai", "let own = \"rule 42\"; ()"),
        ("bank/_lib/rules.rhai", "fn limit(x) { if x == \"rule 42\" { throw \"too much\" } x }"),
        ("bank/uses.rhai", "import \"shop/_lib/m\" as m; m::f(\"rule 42\")"),
        ("shop/_middleware.rhai", "()"),
        ("shop/_lib/m.rhai", "fn f(x) { x }"),
        ("shop/a.rhai", "import \"bank/_lib/rules\" as rules; rules::limit(7)"),
    ])
    .start();
    let secret = token(&node, "shop", "deploy", Some("shop"));
    (node, secret)
}

#[track_caller]
fn keeps_the_secret(answer: &Response) {
    assert!(!answer.text().contains(SECRET), "{}", answer.text());
}

#[test]
fn a_version_shows_the_files_that_its_reader_may_read() {
    let (node, secret) = start();
    assert_eq!(node.get("/shop/a").text(), "7", "importing from outside is allowed");
    let path = "/api/admin/scripts/shop%2Fa/versions";
    let version = ask(&node, &secret, "GET", path, &Value::Null).json()["versions"][0]["version"].as_str().unwrap().to_owned();
    let read = |secret: &str| ask(&node, secret, "GET", &format!("{path}/{version}"), &Value::Null);
    let files = |answer: &Response| answer.json()["files"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let own = read(&secret);
    assert_eq!(files(&own), ["shop/_middleware.rhai", "shop/a.rhai"]);
    assert!(own.json()["source"].as_str().unwrap().contains("rules::limit"), "{}", own.text());
    keeps_the_secret(&own);
    let all = read(&admin(&node));
    assert_eq!(files(&all), ["_middleware.rhai", "bank/_lib/rules.rhai", "shop/_middleware.rhai", "shop/a.rhai"]);
    assert!(all.text().contains(SECRET));
}

#[test]
fn a_change_that_breaks_another_s_file_says_which_and_shows_no_line_of_it() {
    let (node, secret) = start();
    let path = "/api/admin/scripts/shop%2F_lib%2Fm";
    let refused = ask(&node, &secret, "DELETE", path, &Value::Null);
    assert_eq!(refused.status, 422, "{}", refused.text());
    let told = &refused.json()["diagnostics"][0];
    assert_eq!((&told["file"], &told["line"]), (&json!("bank/uses.rhai"), &json!(1)), "{told}");
    keeps_the_secret(&refused);
    let checked = ask(&node, &secret, "POST", "/api/admin/check", &json!({ "files": { "shop/_lib/m.rhai": "fn g(x) { x }" } }));
    assert_eq!((checked.status, &checked.json()["ok"]), (200, &json!(false)), "{}", checked.text());
    assert!(checked.text().contains("bank/uses.rhai"), "{}", checked.text());
    keeps_the_secret(&checked);
    // Who may read the file sees the line.
    assert!(ask(&node, &admin(&node), "DELETE", path, &Value::Null).text().contains(SECRET));
    // The mistakes of the own files are shown whole.
    let own = ask(&node, &secret, "POST", "/api/admin/check", &json!({ "name": "shop/b", "source": "let own_line = ;" }));
    assert!(own.text().contains("let own_line = ;"), "{}", own.text());
}

#[test]
fn the_mistakes_of_another_s_function_are_not_told_to_whoever_may_not_run_it() {
    let (node, secret) = start();
    node.write("bank/never.rhai", "let rule = \"rule 42\" oh no;");
    node.wait_for_status("/bank/never", 503);
    let order = json!({ "path": "/bank/never" });
    let refused = ask(&node, &secret, "POST", "/api/admin/invoke", &order);
    assert_eq!(refused.status, 403, "{}", refused.text());
    keeps_the_secret(&refused);
    wait_until("the owner is told", PATIENCE, || {
        ask(&node, &admin(&node), "POST", "/api/admin/invoke", &order).text().contains("bank/never.rhai")
    });
}
