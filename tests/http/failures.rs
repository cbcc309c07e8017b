//! What callers are told when there is no answer of a function's.

use serde_json::Value;

use crate::kit::{
    client::Response,
    node::{Node, PATIENCE, node, wait_until},
};

#[track_caller]
fn problem(answer: &Response, status: u16, detail: &str) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/problem+json")), "{}", answer.text());
    let body = answer.json();
    assert_eq!(
        (body["status"].as_u64(), body["type"].as_str(), body["detail"].as_str()),
        (Some(status.into()), Some("about:blank"), Some(detail))
    );
    assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{body}");
    body
}

#[test]
fn what_is_not_there_is_not_found() {
    let node = Node::start_with(&[("a.get.rhai", "1"), ("a.post.rhai", "1"), ("_lib/m.rhai", "fn f() { 1 }"), ("a.test.rhai", "1")]);
    for path in ["/b", "/_lib/m", "/a.test", "/a/b", "/A", "/a.get"] {
        problem(&node.get(path), 404, "no function answers at this path");
    }
    let answer = node.send("DELETE", "/a", &[], b"");
    let mut allow: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
    allow.sort_unstable();
    assert_eq!((answer.status, allow), (405, vec!["GET", "HEAD", "OPTIONS", "POST"]));
    assert_eq!(node.send("BREW", "/a", &[], b"").status, 405);
}

#[test]
fn a_malformed_request_is_refused() {
    let node = Node::start_with(&[("[...path].rhai", "ctx.request.params.path")]);
    for path in ["/a//b", "/a/../b", "/a/%2e%2e/b", "/%zz", "/%ff", "//"] {
        assert_eq!(node.get(path).status, 400, "{path}");
        assert!(node.get(path).json()["detail"].as_str().unwrap().starts_with("the path is malformed: "));
    }
    assert_eq!(node.get("/a%2Fb/c/").text(), r#"["a/b","c"]"#);
    let answer = node.send("POST", "/x", &[("content-type", "application/json")], b"{\"a\":");
    assert_eq!(answer.status, 400);
    assert!(answer.json()["detail"].as_str().unwrap().starts_with("the body is not JSON: "), "{}", answer.text());
}

#[test]
fn a_body_over_the_limit_is_refused_announced_or_not() {
    let small = "+++\n[limits]\nbody = \"1KiB\"\n+++\nctx.request.raw_body.len()";
    let node = Node::start_with(&[("small.post.rhai", small)]);
    let detail = "the body is larger than the 1024 bytes that are taken here";
    assert_eq!(node.send("POST", "/small", &[], &[0; 1024]).text(), "1024");
    problem(&node.send("POST", "/small", &[], &[0; 1025]), 413, detail);
    let mut client = node.client();
    client.write(b"POST /small HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n401\r\n").unwrap();
    client.write(&[b'x'; 0x401]).unwrap();
    problem(&client.read("POST").unwrap(), 413, detail);
    // Announced and never sent: it is not waited for.
    let mut client = node.client();
    client.write(b"POST /small HTTP/1.1\r\nhost: t\r\ncontent-length: 1000000000\r\n\r\n").unwrap();
    problem(&client.read("POST").unwrap(), 413, detail);
}

#[test]
fn every_limit_of_a_run_has_its_status() {
    let node = Node::start_with(&[
        ("throw.rhai", "throw \"secret\""),
        ("divide.rhai", "1 / 0"),
        ("reply.rhai", "#{ statusCode: 99 }"),
        ("time.rhai", "+++\ntimeout = \"50ms\"\n[limits]\noperations = 5_000_000_000\n+++\nloop {}"),
        ("operations.rhai", "+++\n[limits]\noperations = 1_000\n+++\nloop {}"),
        ("memory.rhai", "+++\n[limits]\nmemory = \"1MiB\"\nstring = \"16MiB\"\n+++\nlet s = \"\"; s.pad(2_000_000, \"x\"); s"),
        ("size.rhai", "let s = \"x\"; loop { s += s; }"),
        ("depth.rhai", "fn f(n) { 1 + f(n + 1) } f(0)"),
        ("response.rhai", "+++\n[limits]\nresponse = \"1KiB\"\n+++\nlet s = \"\"; s.pad(2000, \"x\"); s"),
    ]);
    for (path, status, detail) in [
        ("/throw", 502, "the function failed"),
        ("/divide", 502, "the function failed"),
        ("/reply", 502, "the function failed"),
        ("/time", 504, "the function ran past its time limit"),
        ("/operations", 507, "the function passed its limit of operations"),
        ("/memory", 507, "the function passed its memory limit"),
        ("/size", 507, "the function passed a size limit"),
        ("/depth", 507, "the function passed a size limit"),
        ("/response", 507, "the function passed a size limit"),
    ] {
        let answer = node.get(path);
        let body = problem(&answer, status, detail);
        assert_eq!(body["execution_id"].as_str(), answer.header("x-picloud-execution"), "{path}");
        node.wait_for_line(&[body["execution_id"].as_str().unwrap(), &format!("GET {path}: ")]);
    }
}

#[test]
fn only_dev_shows_what_went_wrong_inside() {
    let files = [("throw.rhai", "let key = \"k-123\";\nthrow \"secret \" + key"), ("bad.rhai", "let hidden = ;")];
    let node = Node::start_with(&files);
    node.wait_for_status("/bad", 503);
    for path in ["/throw", "/bad"] {
        let told = node.get(path).text();
        for inside in ["secret", "k-123", "key", "hidden", "rhai", "line", "unexpected"] {
            assert!(!told.contains(inside), "{path}: {told}");
        }
    }
    let node = crate::kit::node::node(&files).argument("--dev").start();
    node.wait_for_status("/bad", 503);
    let failure = &node.get("/throw").json()["failure"];
    assert_eq!((&failure["message"], &failure["file"], &failure["line"]), (&"secret k-123".into(), &"throw.rhai".into(), &2.into()));
    let diagnostics = &node.get("/bad").json()["diagnostics"];
    assert_eq!((&diagnostics[0]["file"], &diagnostics[0]["line"], &diagnostics[0]["column"]), (&"bad.rhai".into(), &1.into(), &14.into()));
}

/// Whatever it is asked, it is never fast: only runs on the pool take the node's places, and only those can be stopped.
const ENDLESS: &str = "+++\ntimeout = \"60s\"\n[limits]\noperations = 5_000_000_000\nconcurrency = 2\n+++\nif ctx.request.query.end != () { for i in 0..50_000 {} return 1; }\nloop {}";

#[track_caller]
fn busy(answer: &Response) {
    problem(answer, 503, "too many requests at once");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[test]
fn more_runs_of_a_function_than_it_allows_are_refused() {
    let node = Node::start_with(&[("endless.rhai", ENDLESS), ("other.rhai", "1")]);
    let mut running: Vec<_> = (0..2).map(|_| node.client()).collect();
    for client in &mut running {
        client.begin("/endless");
    }
    wait_until("both places are taken", PATIENCE, || {
        running.iter_mut().for_each(|client| client.begin_again("/endless"));
        node.get("/endless?end").status == 503
    });
    busy(&node.get("/endless?end"));
    assert_eq!(node.get("/other").text(), "1");
    // A client that goes away gives its place back.
    running.pop();
    wait_until("a place is free", PATIENCE, || node.get("/endless?end").status == 200);
}

#[test]
fn more_runs_than_the_node_allows_are_refused() {
    let node = node(&[("endless.rhai", ENDLESS), ("a.rhai", "for i in 0..50_000 {} 1")]).config("[executor]\nmax_running = 1\n").start();
    let mut client = node.client();
    client.begin("/endless");
    wait_until("the place is taken", PATIENCE, || {
        client.begin_again("/endless");
        node.get("/a").status == 503
    });
    busy(&node.get("/a"));
    drop(client);
    wait_until("the place is free", PATIENCE, || node.get("/a").status == 200);
}

#[test]
fn a_log_that_nobody_reads_stops_no_answer() {
    // A pipe that the node itself holds open: it takes 64 KiB, and then no more.
    let setup = node(&[("throws.rhai", "throw \"on purpose\""), ("a.rhai", "1")]).after("mkfifo log && exec 2<>log");
    let mut node = setup.start();
    let mut client = node.client();
    for _ in 0..1_000 {
        assert_eq!(client.get("/throws").unwrap().status, 502);
    }
    assert_eq!(node.get("/a").text(), "1");
    node.stop();
}
