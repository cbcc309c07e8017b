//! A node runs a function for a request that it is told.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    api::{Story, elsewhere, get, on_both_databases, text},
    kit::{
        api::bearer,
        client::Response,
        node::{Node, PATIENCE, wait_until},
    },
};

on_both_databases! {
    a_request_that_is_told_runs_and_is_recorded
    what_cannot_be_run_says_why
    the_command_has_a_node_run_it
}

/// Answers with what it was asked.
const ECHO: &str = r#"
let request = ctx.request;
if request.query.fail == "yes" { log::warn("it will fail"); throw "it failed" }
#{ statusCode: 201, headers: #{ "x-a": "1" }, body: #{
    by: VERSION, method: request.method, path: request.path, params: request.params, query: request.query, headers: request.headers,
    body: request.raw_body, from: request.remote_addr, how: ctx.invocation_type,
} }"#;

fn echo(version: &str) -> String {
    format!("+++\ncapture = true\n[limits]\nbody = \"1KiB\"\n+++\n{}", ECHO.replace("VERSION", &format!("{version:?}")))
}

fn ask(node: &Node, order: &str) -> Response {
    node.send("POST", "/api/admin/invoke", &[("authorization", &bearer(node))], order.as_bytes())
}

fn ran(node: &Node, order: &Value) -> (Value, Value) {
    let answer = ask(node, &order.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    (answer["execution"].clone(), answer["response"].clone())
}

fn body(response: &Value) -> Value {
    serde_json::from_str(response["body"].as_str().unwrap()).unwrap()
}

fn a_request_that_is_told_runs_and_is_recorded(story: Story) {
    let mut node = story.setup(&[("echo/[id].rhai", &echo("first"))]).start();
    let headers = [("x-plain", "7"), ("authorization", "Bearer mine"), ("content-type", "text/plain")];
    let sent = node.send("PUT", "/echo/7?a=%20b", &headers, b"hello");
    let deployment = sent.header("x-picloud-deployment").unwrap().to_owned();
    let order = json!({ "method": "PUT", "path": "/echo/7?a=%20b", "headers": headers, "body": "hello" });
    let (execution, response) = ran(&node, &order);
    let mut expected = sent.json();
    (expected["how"], expected["from"]) = ("invoke".into(), Value::Null);
    // What the client of this test adds.
    for own in ["host", "content-length"] {
        expected["headers"].as_object_mut().unwrap().remove(own).unwrap();
    }
    assert_eq!((body(&response), &response["status"]), (expected, &201.into()));
    assert_eq!(response["headers"], json!([["x-a", "1"], ["content-type", "application/json"]]));
    assert_eq!(
        (&execution["trigger"], &execution["path"], &execution["deployment"]),
        (&"invoke".into(), &"/echo/7".into(), &deployment.as_str().into())
    );

    // It is an execution like any other, whose request was kept.
    let id = execution["id"].as_str().unwrap();
    let mut listed = Value::Null;
    wait_until("it is recorded", PATIENCE, || {
        listed = get(&node, "/api/admin/executions?trigger=invoke").json()["executions"].clone();
        listed != json!([])
    });
    assert_eq!(listed, json!([execution]));
    let again = node.send("POST", &format!("/api/admin/executions/{id}/replay"), &[("authorization", &bearer(&node))], b"");
    assert_eq!((again.status, &again.json()["execution"]["replay_of"]), (200, &id.into()), "{}", again.text());

    // Without a method it is a GET, or a POST with a body; any bytes can be sent.
    assert_eq!(body(&ran(&node, &json!({ "path": "/echo/1" })).1)["method"], "GET");
    assert_eq!(body(&ran(&node, &json!({ "path": "/echo/1", "body": "" })).1)["method"], "POST");
    let bytes = json!({ "path": "/echo/1", "body_base64": BASE64_STANDARD.encode(b"\x00\xff"), "headers": [["content-type", "application/octet-stream"]] });
    let sent = node.send("POST", "/echo/1", &[("content-type", "application/octet-stream")], b"\x00\xff");
    assert_eq!(body(&ran(&node, &bytes).1)["body"], sent.json()["body"]);

    // As to any caller, `HEAD` gives no body.
    let (execution, response) = ran(&node, &json!({ "path": "/echo/1", "method": "HEAD" }));
    assert_eq!((&execution["method"], &response["status"], &response["body"]), (&"HEAD".into(), &201.into(), &"".into()));
    let path = format!("/api/admin/executions/{}/replay", execution["id"].as_str().unwrap());
    let mut again = Value::Null;
    wait_until("it can run again", PATIENCE, || {
        let answer = node.send("POST", &path, &[("authorization", &bearer(&node))], b"");
        again = answer.json();
        answer.status == 200
    });
    assert_eq!((&again["execution"]["method"], &again["response"]["body"]), (&"HEAD".into(), &"".into()));

    // A run that fails is told as its caller would be.
    let (execution, response) = ran(&node, &json!({ "path": "/echo/1?fail=yes" }));
    assert_eq!((&execution["outcome"], &execution["logs"][0]["message"]), (&"failed".into(), &"it will fail".into()));
    assert_eq!((&execution["status"], &response["status"]), (&502.into(), &502.into()));

    // On what was live before.
    node.replace("echo/[id].rhai", &echo("second"));
    wait_until("the second is live", PATIENCE, || node.get("/echo/7").text().contains("second"));
    assert_eq!(body(&ran(&node, &order).1)["by"], "second");
    let mut then = order.clone();
    then["deployment"] = deployment.as_str().into();
    let (execution, response) = ran(&node, &then);
    assert_eq!((&body(&response)["by"], &execution["deployment"]), (&"first".into(), &deployment.as_str().into()));
    node.stop();
}

fn what_cannot_be_run_says_why(story: Story) {
    let files = [("echo.rhai", echo("one")), ("plain.get.rhai", "1".into()), ("broken.rhai", "let x = ;".into())];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let mut node = story.setup(&files).start();
    node.wait_for_status("/broken", 503);
    for (order, status, says) in [
        (json!({ "path": "/echo", "methd": "GET" }), 400, "`methd`"),
        (json!({}), 400, "`path`"),
        (json!({ "path": "echo" }), 400, "`path`"),
        (json!({ "path": "/a b" }), 400, "`path`"),
        (json!({ "path": "http://elsewhere/echo" }), 400, "`path`"),
        (json!({ "path": "/../echo" }), 400, "the path is malformed"),
        (json!({ "path": "/echo", "method": "G T" }), 400, "`method`"),
        (json!({ "path": "/echo", "headers": [["a b", "c"]] }), 400, "`headers`: `a b`"),
        (json!({ "path": "/echo", "headers": [["a", "c\n"]] }), 400, "`headers`: `a`"),
        (json!({ "path": "/echo", "body": "", "body_base64": "" }), 400, "`body_base64`"),
        (json!({ "path": "/echo", "body_base64": "*" }), 400, "`body_base64`"),
        (json!({ "path": "/echo", "body": "{", "headers": [["content-type", "application/json"]] }), 400, "JSON"),
        (json!({ "path": "/nowhere" }), 404, "no function answers"),
        (json!({ "path": "/api/admin/status" }), 404, "no function answers"),
        (json!({ "path": "/echo", "deployment": "0000000000000" }), 404, "no deployment"),
        (json!({ "path": "/plain", "method": "POST" }), 409, "`/plain` answers GET, HEAD, OPTIONS"),
        (json!({ "path": "/broken" }), 409, "`broken.rhai` has mistakes"),
        (json!({ "path": "/echo", "body": "x".repeat(1_025) }), 413, "1024 bytes"),
        (json!({ "path": "/echo", "body": "x".repeat(2 << 20) }), 413, "2097152 bytes"),
    ] {
        let answer = ask(&node, &order.to_string());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        let shown: String = order.to_string().chars().take(100).collect();
        assert!(answer.status == status && detail.contains(says), "{shown}: {} {detail}", answer.status);
    }
    assert_eq!(ask(&node, "").status, 400);
    assert_eq!(ask(&node, &json!({ "path": "/broken" }).to_string()).json()["diagnostics"][0]["file"], "broken.rhai");
    let (execution, response) = ran(&node, &json!({ "path": "/plain", "method": "OPTIONS" }));
    assert_eq!((execution, response), (Value::Null, json!({ "status": 204, "headers": [["allow", "GET, HEAD, OPTIONS"]], "body": "" })));
    let order = json!({ "path": "/plain" }).to_string();
    assert_eq!(node.send("POST", "/api/admin/invoke", &[], order.as_bytes()).status, 401);
    assert_eq!(node.send("POST", "/api/admin/invoke", &[("authorization", &story.token(&node, "read"))], order.as_bytes()).status, 403);
    assert_eq!(node.send("POST", "/api/admin/invoke", &[("authorization", &story.token(&node, "deploy"))], order.as_bytes()).status, 200);
    node.stop();
}

fn the_command_has_a_node_run_it(story: Story) {
    let greet = "log::info(\"seen\"); #{ statusCode: 201, headers: #{ \"x-a\": ctx.request.headers[\"x-b\"] }, body: ctx.request.body }";
    let files = [("greet.rhai", greet), ("fail.rhai", "throw \"no\""), ("bytes.rhai", "blob(2, 0xff)"), ("broken.rhai", "(")];
    let mut node = story.setup(&files).start();
    node.wait_for_status("/broken", 503);
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["invoke", "/greet", "-i", "-d", "{\"a\":[1]}", "-H", "X-B: 7"][..],
        &["invoke", "/greet", "-d", "plain"],
        &["invoke", "/greet", "-X", "head", "-i", "-H", "X-B: 8"],
        &["invoke", "/bytes"],
    ] {
        let (remote, local) = (elsewhere(&folder, &node, arguments).output().unwrap(), story.beside(&node, arguments).output().unwrap());
        assert_eq!((&remote.stdout, remote.status.code()), (&local.stdout, Some(0)), "{arguments:?}: {remote:?}");
        // The files here have a mistake, which is not what a node was asked about.
        let said = String::from_utf8(local.stderr).unwrap().replace("1 error; `picloud check` shows where\n", "");
        assert_eq!(String::from_utf8(remote.stderr).unwrap(), said, "{arguments:?}");
    }
    let failed = elsewhere(&folder, &node, &["invoke", "/fail"]).output().unwrap();
    assert_eq!((failed.status.code(), String::from_utf8(failed.stderr).unwrap()), (Some(1), "fail.rhai:1:1: no\n".to_owned()));
    let gone = elsewhere(&folder, &node, &["invoke", "/nowhere"]).output().unwrap();
    assert_eq!((gone.status.code(), gone.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8(gone.stderr).unwrap().contains("no function answers at this path"));
    let broken = elsewhere(&folder, &node, &["invoke", "/broken"]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8(broken.stderr).unwrap().starts_with("broken.rhai:1:2: error"));

    let run: Value = serde_json::from_str(&text(elsewhere(&folder, &node, &["invoke", "/greet", "--json"]).output().unwrap())).unwrap();
    let deployment = run["execution"]["deployment"].as_str().unwrap().to_owned();
    node.replace("greet.rhai", "\"another\"");
    wait_until("another is live", PATIENCE, || node.get("/greet").text() == "another");
    assert_eq!(text(elsewhere(&folder, &node, &["invoke", "/greet"]).output().unwrap()), "another");
    assert_eq!(text(elsewhere(&folder, &node, &["invoke", "/greet", "-d", "then", "--deployment", &deployment]).output().unwrap()), "then");
    // Without a URL it is the files here that run, whatever node there is.
    let here = story.beside(&node, &["invoke", "/greet", "--json"]).output().unwrap();
    assert_eq!(here.status.code(), Some(2));
    assert!(String::from_utf8(here.stderr).unwrap().contains("name one with `--url`"));
    assert_eq!(get(&node, "/api/admin/executions?trigger=cli").json()["executions"], json!([]));
    node.stop();
}
