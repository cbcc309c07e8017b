//! Requests that are refused before their function runs: each is an execution that says why.

use picloud::execution::{Execution, Outcome};

use crate::kit::{
    client::Response,
    node::{Node, PATIENCE, node, wait_until},
};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Returns the record of the execution that an answer names.
#[track_caller]
fn record(node: &Node, answer: &Response) -> Execution {
    let id = answer.header("x-picloud-execution").expect("every answer of a function has an id").to_owned();
    assert_eq!(answer.json()["execution_id"], *id);
    node.wait_for_execution("the one that the answer names", |execution| execution.id.to_string() == id)
}

#[track_caller]
fn is_rejected(node: &Node, answer: &Response, status: u16, why: &str) {
    let execution = record(node, answer);
    let failure = execution.failure.as_ref().expect("it says why");
    assert_eq!((answer.status, execution.status, execution.outcome), (status, status, Outcome::Rejected), "{why}");
    assert!(failure.message.contains(why), "{} is not about {why}", failure.message);
    assert_eq!((execution.duration_us, execution.operations, execution.logs.len()), (0, 0, 0));
    assert_eq!(&*failure.file, format!("{}.rhai", execution.function).as_str());
}

#[test]
fn a_request_that_is_refused_before_its_function_is_an_execution() {
    let small = "+++\n[limits]\nbody = \"1KiB\"\n+++\nctx.request.body";
    let node = node(&[("hook.post.rhai", small), ("mine.rhai", "+++\nauth = \"token\"\n+++\n1")])
        .config("[server]\nbody_timeout = \"200ms\"\n")
        .start();
    is_rejected(&node, &node.send("POST", "/hook", &[JSON], b"{\"a\":"), 400, "the body is not JSON");
    is_rejected(&node, &node.send("POST", "/hook", &[], &[0; 1025]), 413, "larger than the 1024 bytes");
    is_rejected(&node, &node.send("POST", "/hook", &[("content-encoding", "gzip"), JSON], b"\x1f\x8b"), 415, "encoded with `gzip`");
    is_rejected(&node, &node.get("/mine"), 401, "needs a token");
    is_rejected(&node, &node.send("GET", "/mine", &[("authorization", "Bearer x")], b""), 401, "not known here");
    let mut client = node.client();
    client.write(b"POST /hook HTTP/1.1\r\nhost: t\r\nx-request-id: r-7\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
    let slow = client.read("POST").unwrap();
    is_rejected(&node, &slow, 408, "did not come in time");
    assert_eq!(record(&node, &slow).request_id.as_deref(), Some("r-7"));
}

#[test]
fn a_function_that_is_busy_records_whom_it_sends_away() {
    let endless = "+++\ntimeout = \"60s\"\n[limits]\noperations = 5_000_000_000\nconcurrency = 1\n+++\nif ctx.request.query.end != () { for i in 0..50_000 {} return 1; }\nloop {}";
    let node = Node::start_with(&[("endless.rhai", endless)]);
    let mut running = node.client();
    running.begin("/endless");
    let mut refused = None;
    wait_until("its place is taken", PATIENCE, || {
        running.begin_again("/endless");
        refused = Some(node.get("/endless?end")).filter(|answer| answer.status == 503);
        refused.is_some()
    });
    is_rejected(&node, &refused.unwrap(), 503, "the function already runs 1 times at once");
}

#[test]
fn what_was_refused_is_found_listed_and_counted() {
    let node = node(&[("hook.post.rhai", "1")]).config("[metrics]\nopen = true\n").start();
    let answer = node.send("POST", "/hook", &[JSON], b"nonsense");
    let id = record(&node, &answer).id.to_string();
    node.send("POST", "/hook", &[JSON], b"1");
    let token = std::fs::read_to_string(node.data().join("admin-token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let ask = |path: &str| node.send("GET", path, &[("authorization", &bearer)], b"").json();
    for filter in ["outcome=rejected", "status=rejected", "status=400", "text=not%20JSON", "has_output=true"] {
        let found = ask(&format!("/api/admin/executions?{filter}"));
        assert_eq!((found["executions"].as_array().unwrap().len(), &found["executions"][0]["id"]), (1, &id.as_str().into()), "{filter}");
    }
    let one = ask(&format!("/api/admin/executions/{id}"));
    assert_eq!((&one["outcome"], &one["status"]), (&"rejected".into(), &400.into()));
    let metrics = node.get("/_picloud/metrics").text();
    for line in [
        "picloud_executions_total{function=\"hook.post\",outcome=\"rejected\"} 1",
        "picloud_executions_total{function=\"hook.post\",outcome=\"ok\"} 1",
        "picloud_refused_executions_total{reason=\"malformed_body\"} 1",
        "picloud_requests_total{function=\"hook.post\",status_class=\"4xx\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    // Nobody floods the node's log with what others get wrong.
    assert!(!node.log().contains(&id), "{}", node.log());
}

#[test]
fn requests_that_are_refused_are_recorded_as_others_are() {
    let node = node(&[("hook.post.rhai", "1")]).config("[journal]\nrecord = \"none\"\n").start();
    assert_eq!(node.send("POST", "/hook", &[JSON], b"nonsense").status, 400);
    let mut node = node;
    node.stop();
    assert_eq!(node.executions(), []);
}

#[test]
fn a_record_has_no_more_of_a_request_than_it_needs() {
    let node = Node::start_with(&[("u/[id].rhai", "1"), ("fails/[id].rhai", "throw 1"), ("hook/[id].post.rhai", "1")]);
    let long = "x".repeat(8_000);
    for (method, path, headers, body) in [
        ("GET", format!("/u/{long}"), &[][..], &b""[..]),
        ("GET", format!("/fails/{long}"), &[], b""),
        ("POST", format!("/hook/{long}"), &[JSON], b"{"),
    ] {
        let answer = node.send(method, &path, headers, body);
        let id = answer.header("x-picloud-execution").unwrap().to_owned();
        let execution = node.wait_for_execution("the long one", |execution| execution.id.to_string() == id);
        assert_eq!((execution.path.len(), execution.path.ends_with('…')), (2_048, true), "{path:.10}");
        assert!(path.starts_with(execution.path.trim_end_matches('…')));
    }
    let line = node.wait_for_line(&["GET /fails/"]);
    assert!(line.len() < 3_000, "{} bytes in the log", line.len());
    let answer = node.send(&"M".repeat(5_000), "/u/7", &[], b"");
    let id = answer.header("x-picloud-execution").unwrap().to_owned();
    let execution = node.wait_for_execution("the one with the long method", |execution| execution.id.to_string() == id);
    assert_eq!((&*execution.path, &*execution.method), ("/u/7", &*format!("{}…", "M".repeat(29))));
}

#[test]
fn a_failure_that_a_caller_words_is_cut() {
    let node = Node::start_with(&[("call.post.rhai", "Fn(ctx.request.body).call()")]);
    let answer = node.send("POST", "/call", &[("content-type", "text/plain")], &[b'f'; 100_000]);
    let id = answer.header("x-picloud-execution").unwrap().to_owned();
    let execution = node.wait_for_execution("the one that failed", |execution| execution.id.to_string() == id);
    assert!((1_000..=2_000).contains(&execution.failure.unwrap().message.len()));
}
