//! Earlier deployments below `/_picloud/v/`.

use std::fs;

use picloud::function::{FunctionName, ScriptId};
use serde_json::json;

use crate::kit::{
    api::{admin, ask, token},
    client::Response,
    node::{Node, node},
};

/// Asks an earlier deployment, with the admin's token.
fn seen(node: &Node, key: &str, path: &str) -> Response {
    node.send("GET", &format!("/_picloud/v/{key}{path}"), &[("x-picloud-token", &admin(node))], b"")
}

/// Which deployment answers now.
fn deployment(node: &Node) -> String {
    node.ready()["deployment"].as_str().unwrap().to_owned()
}

/// Saves this as `hello.rhai`, and returns the deployment that it made.
fn save(node: &Node, script: &str, answer: &str) -> String {
    node.write("hello.rhai", script);
    node.wait_for("/hello", answer);
    deployment(node)
}

#[test]
fn every_deployment_answers_as_it_did() {
    let mut node = Node::start_with(&[("hello.rhai", "\"one\""), ("gone.rhai", "1"), ("same.rhai", "1")]);
    let one = deployment(&node);
    let two = save(&node, "\"two\"", "two");
    node.remove("gone.rhai");
    node.wait_for_status("/gone", 404);
    for _ in 0..2 {
        for (key, text) in [(&one, "one"), (&two, "two")] {
            let answer = seen(&node, key, "/hello");
            assert_eq!((answer.status, answer.text().as_str(), answer.header("x-picloud-deployment")), (200, text, Some(key.as_str())));
        }
        let (old, live) = (seen(&node, &one, "/hello"), node.get("/hello"));
        assert_ne!(old.header("x-picloud-version"), live.header("x-picloud-version"));
        assert_eq!(seen(&node, &one, "/same").header("x-picloud-version"), node.get("/same").header("x-picloud-version"));
        assert_eq!((seen(&node, &two, "/gone").status, node.get("/gone").status), (200, 404));
        // What was saved stays, without the files and after a restart.
        node.stop();
        let _ = fs::rename(node.folder().join("functions"), node.folder().join("away"));
        node.start();
    }
    let id = seen(&node, &one, "/hello").header("x-picloud-execution").unwrap().to_owned();
    let execution = node.wait_for_execution("the one of the earlier deployment", |execution| execution.id.to_string() == id);
    assert_eq!((execution.path.as_str(), execution.deployment.to_string()), ("/hello", one));
}

#[test]
fn a_revision_names_the_newest_deployment_of_it() {
    let node = Node::start_with(&[("hello.rhai", "\"one\"")]);
    save(&node, "\"two\"", "two");
    let again = save(&node, "\"one\"", "one");
    let revision =
        picloud::function::tree::directory_revision(&[("hello.rhai".into(), picloud::function::Content::new("\"one\"".as_bytes()))].into());
    for key in [&revision.0[..], &revision.0[..12]] {
        let answer = seen(&node, key, "/hello");
        assert_eq!((answer.text().as_str(), answer.header("x-picloud-deployment")), ("one", Some(again.as_str())));
    }
    for (key, detail) in [
        (&revision.0[..6], "a revision is named by its first 7 characters or more"),
        ("0000000000000", "no deployment that was live has this id or revision"),
        ("no-such-revision", "no deployment that was live has this id or revision"),
    ] {
        let answer = seen(&node, key, "/hello");
        assert_eq!((answer.status, answer.json()["detail"].as_str()), (404, Some(detail)), "{key}");
    }
}

#[test]
fn a_run_on_a_deployment_that_does_not_check_any_more_says_what_is_wrong() {
    let slow = "+++\ntimeout = \"100s\"\ncapture = true\n+++\n1";
    let mut node = Node::start_with(&[("shop/a.rhai", slow), ("other.rhai", slow), ("fine.rhai", "1")]);
    let then = node.get("/shop/a");
    let header = |name: &str| then.header(name).unwrap().to_owned();
    let [deployment, version, execution] = ["x-picloud-deployment", "x-picloud-version", "x-picloud-execution"].map(header);
    let (all, some) = (admin(&node), token(&node, "shop", "deploy", Some("shop")));
    node.change(|setup| setup.config("[ceilings]\ntimeout = \"50s\"\n"));
    node.restart();
    node.wait_for("/fine", "1");
    let replay = format!("/api/admin/executions/{execution}/replay");
    let invoke = json!({ "path": "/shop/a", "deployment": deployment });
    for (path, order) in [("/api/admin/invoke", invoke), (&replay, json!({ "version": version }))] {
        let messages = |secret: &str| {
            let answer = ask(&node, secret, "POST", path, &order);
            assert_eq!(answer.status, 409, "{path}: {}", answer.text());
            let problem = answer.json();
            let message = |file: &str| {
                let found = problem["diagnostics"].as_array()?.iter().find(|found| found["file"] == file)?;
                Some(found["message"].as_str().unwrap_or_default().to_owned())
            };
            (message("shop/a.rhai"), message("other.rhai"))
        };
        let (whole, part) = (messages(&all), messages(&some));
        assert!(whole.0.as_ref().is_some_and(|message| message.contains("50")), "{path}: {whole:?}");
        // Of files that it is not good for a token sees that they have mistakes.
        assert_eq!((&part.0, part.1.is_some(), part.1 != whole.1), (&whole.0, true, true), "{path}: {part:?}");
    }
}

#[test]
fn a_deployment_that_was_refused_answers_nothing() {
    let node = Node::start_with(&[("hello.rhai", "\"one\"")]);
    node.write("hello.rhai", "(");
    node.wait_for_state("degraded");
    let refused = node.wait_for_line(&["is refused"]);
    let (_, id) = refused.split_once("\"deployment.id\":\"").expect(&refused);
    let answer = seen(&node, &id[..13], "/hello");
    assert_eq!((answer.status, answer.json()["detail"].as_str()), (404, Some("this deployment was rejected and never live")));
}

#[test]
fn a_guard_that_asks_for_the_route_holds_however_the_function_is_reached() {
    let guard = "if ctx.request.route.starts_with(\"/admin/\") { return #{ statusCode: 401, body: ctx.request.route }; } ()";
    let node = Node::start_with(&[("_middleware.rhai", guard), ("admin/[id=int].rhai", "\"secret\""), ("open.rhai", "ctx.request.route")]);
    let one = deployment(&node);
    let id = ScriptId::of(&FunctionName::new("admin/[id=int]"));
    let mut answers: Vec<_> = ["/admin/7", "/%61dmin/7", "/admin/%37?x=1", &format!("/api/execute/{id}")].map(|path| node.get(path)).into();
    answers.push(seen(&node, &one, "/admin/7"));
    for answer in answers {
        assert_eq!((answer.status, answer.text().as_str()), (401, "/admin/[id=int]"));
    }
    assert_eq!(node.get("/%6fpen").text(), "/open");
}

#[test]
fn functions_see_the_path_below_and_everything_else_as_it_was_sent() {
    let script = "#{ path: ctx.request.path, query: ctx.request.query, id: ctx.request.params.id, method: ctx.request.method,
        body: ctx.request.body, deployment: ctx.deployment, token: ctx.request.headers[\"x-picloud-token\"] ?? (),
        authorization: ctx.request.headers.authorization ?? () }";
    let guard = "if ctx.request.query.stop == \"1\" { #{ statusCode: 403, body: ctx.request.path } }";
    let node = Node::start_with(&[("users/[id].rhai", script), ("users/_middleware.rhai", guard), ("[[...all]].get.rhai", "\"all\"")]);
    let one = deployment(&node);
    let url = format!("/_picloud/v/{one}/users/7%20?a=b%2F");
    let headers = [("x-picloud-token", &*admin(&node)), ("authorization", "Bearer mine"), ("content-type", "text/plain")];
    let answer = node.send("PUT", &url, &headers, b"hi").json();
    let expected = serde_json::json!({
        "path": "/users/7%20", "query": { "a": "b/" }, "id": "7 ", "method": "PUT", "body": "hi", "deployment": one,
        "token": null, "authorization": "Bearer mine",
    });
    assert_eq!(answer, expected);
    let stopped = seen(&node, &one, "/users/7?stop=1");
    assert_eq!((stopped.status, stopped.text().as_str()), (403, "/users/7"));
    assert_eq!([seen(&node, &one, "").text(), seen(&node, &one, "/").text()], ["all", "all"]);
    let options = node.send("OPTIONS", &format!("/_picloud/v/{one}/x"), &[("x-picloud-token", &admin(&node))], b"");
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    let wrong = node.send("POST", &format!("/_picloud/v/{one}/x"), &[("x-picloud-token", &admin(&node))], b"");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    // The node's own paths are not below it, whatever would match them.
    for path in ["/_picloud/health", "/api/admin/x", "/_pic%6Coud/v/x/y"] {
        assert_eq!(seen(&node, &one, path).status, 404, "{path}");
    }
    for path in ["/_picloud/v", "/_picloud/v/", "/_picloud/v//users/7"] {
        assert_eq!(node.send("GET", path, &[("x-picloud-token", &admin(&node))], b"").status, 404, "{path}");
    }
}

#[test]
fn only_those_with_a_token_see_what_is_not_live() {
    let script = "ctx.request.headers.authorization ?? \"nothing\"";
    let node = Node::start_with(&[("hello.rhai", script)]);
    let (url, admin) = (format!("/_picloud/v/{}/hello", deployment(&node)), admin(&node));
    let ask = |headers: &[(&str, &str)]| node.send("GET", &url, headers, b"");
    let bearer = format!("Bearer {admin}");
    for headers in [&[][..], &[("authorization", "Bearer sesame")], &[("x-picloud-token", "sesame")], &[("x-picloud-token", &bearer)]] {
        let refused = ask(headers);
        assert_eq!((refused.status, refused.header("content-type")), (401, Some("application/problem+json")), "{headers:?}");
    }
    // Scripts never see it, however it was sent.
    for headers in
        [&[("authorization", &*bearer)][..], &[("x-picloud-token", &admin)], &[("authorization", &bearer), ("x-picloud-token", &admin)]]
    {
        let answer = ask(headers);
        assert_eq!((answer.status, answer.text().as_str()), (200, "nothing"), "{headers:?}");
    }
}

#[test]
fn open_previews_answer_anybody_and_hide_tokens_all_the_same() {
    let script = "ctx.request.headers.authorization ?? \"nothing\"";
    let node = node(&[("hello.rhai", script)]).config("[previews]\nopen = true\n").start();
    let (url, admin) = (format!("/_picloud/v/{}/hello", deployment(&node)), admin(&node));
    let ask = |headers: &[(&str, &str)]| node.send("GET", &url, headers, b"").text();
    let (bearer, wrong) = (format!("Bearer {admin}"), format!("Bearer picloud_{}", "0".repeat(64)));
    assert_eq!(ask(&[]), "nothing");
    for _ in 0..20 {
        assert_eq!(ask(&[("authorization", "Bearer mine")]), "Bearer mine");
    }
    for token in [&bearer, &wrong] {
        assert_eq!(ask(&[("authorization", token)]), "nothing");
    }
    assert_eq!(ask(&[("authorization", "Bearer mine"), ("x-picloud-token", "sesame")]), "Bearer mine");
}

#[test]
fn without_a_database_there_is_no_past() {
    let node = node(&[("a.rhai", "1")]).argument("--database").argument("postgres://nobody@127.0.0.1:1/none").start();
    let answer = seen(&node, "0000000000000", "/a");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
}

#[test]
fn files_that_stricter_limits_forbid_are_told_to_those_with_a_token() {
    let module = "let n = 0; while n < 10_000 { n += 1; } export n;\nfn answer() { 1 }";
    let mut node = node(&[("a.rhai", "import \"m\" as m; m::answer()"), ("_lib/m.rhai", module)]).config("").start();
    let one = deployment(&node);
    node.stop();
    fs::write(node.folder().join("picloud.toml"), "[limits]\noperations = 1_000\n[previews]\nopen = true\n").unwrap();
    node.start();
    let told = seen(&node, &one, "/a");
    assert_eq!((told.status, told.json()["diagnostics"][0]["file"].as_str()), (409, Some("_lib/m.rhai")));
    let anybody = node.get(&format!("/_picloud/v/{one}/a"));
    assert_eq!((anybody.status, anybody.json().get("diagnostics")), (409, None));
}
