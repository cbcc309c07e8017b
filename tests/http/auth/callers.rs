//! Functions that ask for a token: who gets in, and what they see of it.

use picloud::{
    execution::Outcome,
    function::{FunctionName, ScriptId},
};

use crate::kit::{
    api::{admin, token},
    client::Response,
    node::{Node, PATIENCE, node, wait_until},
};

const OPEN: &str = "ctx.request.headers";
const ANY: &str = "+++\nauth = \"token\"\n+++\n#{ who: ctx.principal, headers: ctx.request.headers }";
const DEPLOY: &str = "+++\nauth = { scope = \"deploy\" }\n+++\nlog::info(ctx.request.headers);\nctx.principal";
const GUARD: &str = "log::info(\"guard\"); if ctx.request.query.stop == \"1\" { return \"stopped for \" + (ctx.principal ?? \"nobody\"); }";

fn start() -> Node {
    let files =
        [("open.rhai", OPEN), ("any.rhai", ANY), ("shop/any.rhai", ANY), ("shop/deploy.rhai", DEPLOY), ("shop/_middleware.rhai", GUARD)];
    node(&files).start()
}

fn call(node: &Node, path: &str, secret: Option<&str>) -> Response {
    let authorization = secret.map(|secret| format!("Bearer {secret}"));
    let headers: Vec<_> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
    node.send("GET", path, &headers, b"")
}

#[test]
fn a_function_asks_for_a_token_of_its_scope_on_every_way_to_it() {
    let node = start();
    let (read, deploy, shop) =
        (token(&node, "read", "read", None), token(&node, "deploy", "deploy", None), token(&node, "shop", "deploy", Some("shop")));
    let of_id = |name: &str| format!("/api/execute/{}", ScriptId::of(&FunctionName::new(name)));
    let wrong = format!("picloud_{}", "0".repeat(64));
    for (path, secret, status) in [
        ("/open", None, 200),
        ("/any", None, 401),
        ("/any", Some(&wrong), 401),
        ("/any", Some(&"sesame".to_owned()), 401),
        ("/any", Some(&read), 200),
        ("/any", Some(&shop), 403),
        ("/any", Some(&admin(&node)), 200),
        ("/shop/any", Some(&read), 200),
        ("/shop/any", Some(&shop), 200),
        ("/shop/deploy", None, 401),
        ("/shop/deploy", Some(&read), 403),
        ("/shop/deploy", Some(&deploy), 200),
        ("/shop/deploy", Some(&shop), 200),
    ] {
        for way in [path.to_owned(), of_id(&path[1..])] {
            let answer = call(&node, &way, secret.map(String::as_str));
            assert_eq!(answer.status, status, "{way} {secret:?}: {}", answer.text());
            if status >= 400 {
                assert_eq!(answer.header("content-type"), Some("application/problem+json"));
                assert_eq!(answer.header("www-authenticate"), (status == 401).then_some("Bearer"));
            }
        }
    }
    assert_eq!(call(&node, "/shop/deploy", Some(&deploy)).text(), "deploy");
    // Guards come after it, and know who it is.
    assert_eq!(call(&node, "/shop/any?stop=1", None).status, 401);
    assert_eq!(call(&node, "/shop/any?stop=1", Some(&shop)).text(), "stopped for shop");
    // Nothing ran for those who were turned away, and that is on record.
    let ended = |is_rejected: bool| {
        let all = node.executions();
        let of_it = all.iter().filter(|execution| execution.function.as_str() == "shop/deploy");
        of_it.filter(|execution| (execution.outcome == Outcome::Rejected) == is_rejected).count()
    };
    wait_until("all are recorded", PATIENCE, || ended(false) + ended(true) == 9);
    assert_eq!((ended(false), ended(true)), (5, 4));
}

#[test]
fn no_script_and_no_log_gets_the_token() {
    let node = start();
    let secret = token(&node, "ci", "admin", None);
    let bearer = format!("Bearer {secret}");
    for headers in [
        &[("authorization", bearer.as_str())][..],
        &[("x-picloud-token", &secret)],
        &[("x-picloud-token", &secret), ("authorization", "Basic b3duOm93bg==")],
        &[("authorization", &bearer), ("authorization", "Basic b3duOm93bg==")],
    ] {
        let answer = node.send("GET", "/any", headers, b"");
        assert_eq!((answer.status, &answer.json()["who"]), (200, &"ci".into()), "{headers:?}");
        assert!(!answer.text().contains(&secret), "{headers:?}");
        // What is the function's own stays.
        let own = headers.iter().any(|(_, value)| value.starts_with("Basic")).then_some("Basic b3duOm93bg==");
        assert_eq!(answer.json()["headers"]["authorization"].as_str(), own, "{headers:?}");
    }
    assert_eq!(node.send("GET", "/shop/deploy", &[("authorization", &bearer)], b"").status, 200);
    let execution = node.wait_for_execution("it logs what it sees", |execution| execution.function.as_str() == "shop/deploy");
    assert!(!format!("{execution:?}").contains(&secret));
    assert!(!node.log().contains(&secret));
}

#[test]
fn what_browsers_send_by_themselves_opens_no_function() {
    let node = start();
    let secret = token(&node, "ci", "admin", None);
    let basic = format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x:{secret}")));
    let refused = node.send("GET", "/any", &[("authorization", &basic)], b"");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
}

#[test]
fn a_function_that_asks_for_nothing_sees_what_was_sent() {
    let node = start();
    let seen = node.send("GET", "/open", &[("authorization", "Bearer own")], b"").json();
    assert_eq!(seen["authorization"], "Bearer own");
    let edit = node.get("/open").header("x-picloud-version").unwrap().to_owned();
    node.write("open.rhai", &format!("+++\nauth = \"token\"\n+++\n{OPEN}"));
    node.wait_for_status("/open", 401);
    assert_ne!(call(&node, "/open", Some(&admin(&node))).header("x-picloud-version"), Some(edit.as_str()));
}

#[test]
fn an_earlier_deployment_lets_in_whom_it_let_in_then() {
    let node = start();
    let (read, deploy) = (token(&node, "read", "read", None), token(&node, "deploy", "deploy", None));
    let deployment = node.get("/open").header("x-picloud-deployment").unwrap().to_owned();
    node.write("shop/deploy.rhai", "\"open now\"");
    node.wait_for("/shop/deploy", "open now");
    let before = format!("/_picloud/v/{deployment}/shop/deploy");
    assert_eq!(call(&node, &before, None).status, 401);
    assert_eq!(call(&node, &before, Some(&read)).status, 403);
    assert_eq!(call(&node, &before, Some(&deploy)).text(), "deploy");
}

#[test]
fn a_guard_cannot_ask_and_the_wrong_words_do_not_check() {
    let node = start();
    node.write("shop/_middleware.rhai", "+++\nauth = \"token\"\n+++\n()");
    node.wait_for_state("degraded");
    let said = crate::kit::command::run(&node, &["check"]);
    let said = String::from_utf8(said.stdout).unwrap() + String::from_utf8(said.stderr).unwrap().as_str();
    assert!(said.contains("shop/_middleware.rhai:2:1: error: `auth` is for functions, and this file is none"), "{said}");
    // The good guard still stands before what asked for a token.
    assert_eq!(node.get("/shop/any?stop=1").status, 401);
}

#[test]
fn routes_say_which_functions_ask() {
    let node = start();
    let listed = crate::kit::command::picloud(&node, &["routes"]);
    assert!(listed.lines().any(|line| line.contains("/shop/deploy") && line.contains("token to deploy")), "{listed}");
    assert!(listed.lines().any(|line| line.contains("/open") && !line.contains("token")), "{listed}");
}
