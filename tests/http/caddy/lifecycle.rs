//! The life of a script through Caddy, from being made to being deleted, with all that can go wrong on the way; and its runs as they happen.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::{Value, json};

use crate::{
    caddy::proxy::{Caddy, INSIDE, OUTSIDE},
    kit::{
        api::{Api, admin, on_a_bare_repository, on_a_directory, on_a_hosted_repository, on_postgres},
        client::Response,
        machine::{Need, needs},
        node::{Node, PATIENCE, wait_until},
    },
};

#[test]
fn on_a_directory_and_sqlite() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    a_script_is_made_listed_run_changed_and_deleted(&on_a_directory());
}

#[test]
fn on_a_directory_and_postgres() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    a_script_is_made_listed_run_changed_and_deleted(&on_postgres());
}

#[test]
fn on_a_hosted_repository_and_sqlite() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    a_script_is_made_listed_run_changed_and_deleted(&on_a_hosted_repository());
}

#[test]
fn on_a_bare_repository_and_sqlite() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    a_script_is_made_listed_run_changed_and_deleted(&on_a_bare_repository());
}

/// Somebody who asks the control plane through Caddy.
struct Operator<'a> {
    caddy: &'a Caddy,
    authorization: String,
}

impl<'a> Operator<'a> {
    fn with(caddy: &'a Caddy, token: &str) -> Self {
        Self { caddy, authorization: format!("authorization: Bearer {token}") }
    }

    fn ask(&self, method: &str, path: &str, more: &[&str]) -> Response {
        let arguments = [&["-X", method, "-H", self.authorization.as_str(), "-H", "content-type: application/json"], more].concat();
        self.caddy.ask(INSIDE, path, &arguments)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        self.ask(method, path, &["--data-binary", &body.to_string()])
    }
}

fn a_script_is_made_listed_run_changed_and_deleted(node: &Node) {
    let caddy = Caddy::before(node);
    let operator = Operator::with(&caddy, &admin(node));
    let script = |source: &str| json!({ "name": "orders", "source": source });
    let path = "/api/admin/scripts/orders";

    let wrong = operator.send("POST", "/api/admin/scripts", &script("let x = ;"));
    assert_eq!((wrong.status, &wrong.json()["diagnostics"][0]["line"]), (422, &json!(1)), "{}", wrong.text());
    let made = operator.send("POST", "/api/admin/scripts", &script("\"one\""));
    assert_eq!(made.status, 201, "{}", made.text());
    let place = made.header("location").unwrap().to_owned();
    let first = made.header("etag").unwrap().to_owned();
    assert_eq!(operator.send("POST", "/api/admin/scripts", &script("2")).status, 409);

    assert_eq!(operator.ask("GET", "/api/admin/scripts?prefix=ord", &[]).json()["scripts"][0]["name"], "orders");
    assert_eq!(operator.ask("GET", &place, &[]).json()["source"], "\"one\"");
    let ran = caddy.ask(OUTSIDE, "/orders", &[]);
    assert_eq!((ran.status, ran.text().as_str()), (200, "one"));
    let by_id = place.replace("/api/admin/scripts/", "/api/execute/");
    assert_eq!(caddy.ask(OUTSIDE, &by_id, &[]).text(), "one");
    let execution = format!("/api/admin/executions/{}", ran.header("x-picloud-execution").unwrap());
    wait_until("the run is recorded", PATIENCE, || operator.ask("GET", &execution, &[]).status == 200);

    let changed = operator.send("PUT", path, &json!({ "source": "\"two\"" }));
    assert_eq!((changed.status, caddy.ask(OUTSIDE, "/orders", &[]).text().as_str()), (200, "two"));
    let stale = ["-H", &format!("if-match: {first}"), "--data-binary", "{\"source\":\"3\"}"];
    assert_eq!(operator.ask("PUT", path, &stale).status, 412);

    for scope in ["read", "deploy"] {
        let other = Operator::with(&caddy, &Api::of(node).token(&json!({ "name": scope, "scope": scope })));
        let expected = if scope == "read" { 403 } else { 200 };
        assert_eq!(other.send("PUT", path, &json!({ "source": "\"two\"" })).status, expected, "{scope}");
        assert_eq!(other.ask("GET", path, &[]).status, 200, "{scope}");
    }
    let guest = Operator::with(&caddy, &Api::of(node).token(&json!({ "name": "guest", "scope": "read", "expires": "1s" })));
    wait_until("the token expires", PATIENCE, || guest.ask("GET", path, &[]).status == 401);
    // From outside there is no control plane, whoever asks.
    let outside = caddy.ask(OUTSIDE, path, &["-H", operator.authorization.as_str()]);
    assert_eq!(outside.status, 404);

    assert_eq!(operator.ask("GET", &format!("{path}/versions"), &[]).json()["versions"].as_array().unwrap().len(), 2);
    assert_eq!(operator.ask("DELETE", path, &[]).status, 204);
    assert_eq!((operator.ask("GET", path, &[]).status, operator.ask("DELETE", path, &[]).status), (404, 404));
    assert_eq!(caddy.ask(OUTSIDE, "/orders", &[]).status, 404);
}

#[test]
fn runs_are_told_as_they_happen() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let node = on_a_directory();
    node.write("a.rhai", "log::info(\"here\"); 1");
    node.wait_for("/a", "1");
    let caddy = Caddy::before(&node);
    let authorization = format!("authorization: Bearer {}", admin(&node));
    let mut command = caddy.curl(INSIDE);
    command.args(["--no-buffer", "-H", &authorization]).arg(caddy.url("/api/admin/executions/tail?function=a"));
    let mut tail = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // The first line says that it has begun.
    let mut line = lines.next().unwrap().unwrap();
    let ran = caddy.ask(OUTSIDE, "/a", &[]).header("x-picloud-execution").unwrap().to_owned();
    while !(line.starts_with("data:") && line.contains(&ran)) {
        line = lines.next().expect("the tail goes on").unwrap();
    }
    assert!(line.contains("here"), "{line}");
    tail.kill().unwrap();
    tail.wait().unwrap();
}
