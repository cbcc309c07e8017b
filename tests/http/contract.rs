//! Headers, methods and bodies of good answers.

use serde_json::json;

use crate::kit::node::Node;

#[test]
fn every_answer_of_a_function_names_its_execution_version_and_deployment() {
    let files = [
        ("ok.rhai", "1"),
        ("throw.rhai", "throw 1"),
        ("json.post.rhai", "1"),
        ("busy.rhai", "+++\n[limits]\noperations = 1_000\n+++\nloop {}"),
    ];
    let node = Node::start_with(&files);
    let json = [("content-type", "application/json")];
    let answers = [
        (200, node.get("/ok")),
        (502, node.get("/throw")),
        (507, node.get("/busy")),
        (400, node.send("POST", "/json", &json, b"{")),
        (413, node.send("POST", "/json", &json, &[b'1'; (1 << 20) + 1])),
    ];
    let mut executions = Vec::new();
    for (status, answer) in answers {
        let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{status} has no {name}")).to_owned();
        assert_eq!(answer.status, status);
        assert_eq!(header("x-picloud-version").len(), 32);
        assert_eq!(node.ready()["deployment"], header("x-picloud-deployment"));
        assert_eq!(header("x-request-id"), header("x-picloud-execution"));
        executions.push(header("x-picloud-execution"));
        if status != 200 {
            assert_eq!(
                (answer.json()["execution_id"].as_str(), answer.json()["status"].as_u64()),
                (executions.last().map(|id| &**id), Some(status.into()))
            );
        }
    }
    assert!(executions.is_sorted() && executions.windows(2).all(|two| two[0] != two[1]), "{executions:?}");
}

#[test]
fn a_sane_request_id_is_taken_over_and_another_is_not() {
    let node = Node::start_with(&[("id.rhai", "ctx.request_id")]);
    let long = "x".repeat(129);
    for (sent, is_sane) in [("req-1", true), ("a/b:c=~!", true), (&long[..128], true), (&long, false), ("two words", false), ("ü", false)]
    {
        let answer = node.send("GET", "/id", &[("x-request-id", sent)], b"");
        let (header, seen) = (answer.header("x-request-id").unwrap(), answer.text());
        assert_eq!(header, seen, "{sent}");
        assert_eq!(header == sent, is_sane, "{sent}");
        assert!(is_sane || answer.header("x-picloud-execution") == Some(header), "{sent}");
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let node = Node::start_with(&[("hello.get.rhai", "\"hello\""), ("any.rhai", "ctx.request.method")]);
    let mut client = node.client();
    let head = client.send("HEAD", "/hello", &[], b"").unwrap();
    let get = client.get("/hello").unwrap();
    assert_eq!((head.status, head.header("content-length"), head.header("content-type")), (200, Some("5"), get.header("content-type")));
    assert_eq!(get.text(), "hello");
    // No body came that would be taken for the next answer.
    assert_eq!(client.send("HEAD", "/nothing", &[], b"").unwrap().status, 404);
    assert_eq!(client.send("HEAD", "/any", &[], b"").unwrap().header("content-length"), Some("4"));
    assert_eq!(client.get("/any").unwrap().text(), "GET");
}

#[test]
fn options_says_what_a_path_answers() {
    let node = Node::start_with(&[("a.get.rhai", "1"), ("a.post.rhai", "1"), ("any.rhai", "1"), ("own.options.rhai", "\"own\"")]);
    let options = |path: &str| node.send("OPTIONS", path, &[], b"");
    let allow = |path: &str| {
        let answer = options(path);
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
        let mut allowed: Vec<String> = answer.header("allow").unwrap().split(", ").map(str::to_owned).collect();
        allowed.sort();
        allowed.join(" ")
    };
    assert_eq!(allow("/a"), "GET HEAD OPTIONS POST");
    assert_eq!(allow("/any"), "DELETE GET HEAD OPTIONS PATCH POST PUT");
    assert_eq!(options("/own").text(), "own");
    assert_eq!(options("/nothing").status, 404);
}

#[test]
fn bodies_arrive_as_their_content_type_says() {
    let node = Node::start_with(&[("see.post.rhai", "#{ kind: type_of(ctx.request.body), body: ctx.request.body }")]);
    for (content_type, sent, seen) in [
        ("application/json", r#"{"a":[1]}"#, json!({ "kind": "map", "body": { "a": [1] } })),
        ("application/x-www-form-urlencoded", "a=1&b=%C3%BC", json!({ "kind": "map", "body": { "a": "1", "b": "ü" } })),
        ("text/plain", "hi", json!({ "kind": "string", "body": "hi" })),
        ("image/png", "hi", json!({ "kind": "blob", "body": [104, 105] })),
    ] {
        assert_eq!(node.send("POST", "/see", &[("content-type", content_type)], sent.as_bytes()).json(), seen);
    }
    assert_eq!(node.send("POST", "/see", &[("content-length", "0")], b"").json(), json!({ "kind": "()", "body": null }));
}

#[test]
fn a_chunked_body_arrives_whole() {
    let node = Node::start_with(&[("see.post.rhai", "ctx.request.body")]);
    let mut client = node.client();
    client.write(b"POST /see HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").unwrap();
    client.write(b"2\r\nde\r\n0\r\n\r\n").unwrap();
    assert_eq!(client.read("POST").unwrap().text(), "abcde");
    assert_eq!(client.send("POST", "/see", &[("content-type", "text/plain")], b"next").unwrap().text(), "next");
}

#[test]
fn a_client_that_expects_to_be_told_to_continue_is_told() {
    let node = Node::start_with(&[("see.post.rhai", "ctx.request.body")]);
    let mut client = node.client();
    client
        .write(b"POST /see HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        .unwrap();
    // An interim answer has no body and no length.
    assert_eq!(client.read("HEAD").unwrap().status, 100);
    client.write(b"hi").unwrap();
    assert_eq!(client.read("POST").unwrap().text(), "hi");
}

#[test]
fn requests_sent_at_once_are_answered_in_order() {
    let node = Node::start_with(&[("n.rhai", "ctx.request.query.n")]);
    let mut client = node.client();
    let requests: String = (0..50).map(|n| format!("GET /n?n={n} HTTP/1.1\r\nhost: t\r\n\r\n")).collect();
    client.write(requests.as_bytes()).unwrap();
    for n in 0..50 {
        assert_eq!(client.read("GET").unwrap().text(), n.to_string());
    }
}
