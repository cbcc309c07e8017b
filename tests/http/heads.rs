//! Heads of requests that a server must refuse, and answers that it must not send.

use crate::kit::{
    client::Response,
    node::{Node, node},
};

/// Sends these bytes on a connection of their own, and reads the answer.
#[track_caller]
fn raw(node: &Node, request: impl AsRef<[u8]>) -> Response {
    let request = request.as_ref();
    let method = String::from_utf8_lossy(request).split(' ').next().unwrap_or_default().to_owned();
    let mut client = node.client();
    client.write(request).unwrap();
    client.read(&method).unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(request)))
}

#[test]
fn a_request_names_one_host() {
    let node = Node::start_with(&[("a.rhai", "ctx.request.headers.host")]);
    for (request, status, says) in [
        ("GET /a HTTP/1.1\r\n\r\n", 400, "the header `host` is missing"),
        ("GET /a HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400, "two headers `host`"),
        ("GET /a HTTP/1.1\r\nhost: a\r\nHOST: b\r\n\r\n", 400, "two headers `host`"),
        ("GET /a HTTP/1.1\r\nhost: a b\r\n\r\n", 400, "no name or address"),
        ("GET /a HTTP/1.1\r\nhost: a/b\r\n\r\n", 400, "no name or address"),
        ("GET /a HTTP/1.1\r\nhost: me@a\r\n\r\n", 400, "no name or address"),
        ("GET /a HTTP/1.1\r\nhost: a:x\r\n\r\n", 400, "no name or address"),
        ("GET /a HTTP/1.1\r\nhost: ünï.example\r\n\r\n", 400, "no name or address"),
        ("GET /_picloud/health HTTP/1.1\r\n\r\n", 400, "the header `host` is missing"),
        ("GET http://a/a HTTP/1.1\r\n\r\n", 400, "the header `host` is missing"),
        ("GET /a HTTP/1.0\r\nhost: a b\r\n\r\n", 400, "no name or address"),
        ("GET /a HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", 400, "two headers `host`"),
        ("GET /a HTTP/1.0\r\n\r\n", 200, ""),
        ("GET /a HTTP/1.1\r\nhost:\r\n\r\n", 200, ""),
        ("GET /a HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n", 200, "[::1]:8080"),
        ("GET /a HTTP/1.1\r\nhost: a_b.example.:80\r\n\r\n", 200, "a_b.example.:80"),
    ] {
        let answer = raw(&node, request);
        assert_eq!(answer.status, status, "{request:?}: {}", answer.text());
        assert!(answer.text().contains(says), "{request:?}: {}", answer.text());
        assert!(status == 200 || answer.header("content-type") == Some("application/problem+json"), "{request:?}");
    }
}

#[test]
fn what_is_no_request_to_a_function_runs_none() {
    let node = Node::start_with(&[("any.rhai", "log::info(\"ran\"); 1"), ("in.post.rhai", "ctx.request.body")]);
    let connect = raw(&node, "CONNECT /any HTTP/1.1\r\nhost: t\r\n\r\n");
    assert_eq!((connect.status, connect.header("x-picloud-execution")), (501, None), "{}", connect.text());
    assert_eq!(raw(&node, "CONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n").status, 501);
    let all = raw(&node, "OPTIONS * HTTP/1.1\r\nhost: t\r\n\r\n");
    assert_eq!((all.status, all.body.len()), (204, 0));
    assert_eq!(raw(&node, "GET * HTTP/1.1\r\nhost: t\r\n\r\n").status, 400);
    for (coding, status) in [
        ("transfer-encoding: gzip, chunked", 501),
        ("transfer-encoding: gzip\r\ntransfer-encoding: chunked", 501),
        ("transfer-encoding: chunked, chunked", 400),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", 400),
        ("transfer-encoding: gzip", 400),
        ("transfer-encoding: Chunked", 200),
    ] {
        let request = format!("POST /in HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\n{coding}\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
        let answer = raw(&node, &request);
        assert_eq!(answer.status, status, "{coding}: {}", answer.text());
        assert!(status == 200 || answer.header("connection") == Some("close"), "{coding}");
    }
    let mut node = node;
    node.stop();
    assert_eq!(node.executions().iter().map(|execution| execution.function.to_string()).collect::<Vec<_>>(), ["in.post"]);
}

#[test]
fn a_body_that_is_compressed_is_not_taken() {
    let node = Node::start_with(&[("in.post.rhai", "ctx.request.body")]);
    for coding in ["gzip", "br, gzip", "identity, deflate", "ZSTD"] {
        let headers = [("content-type", "application/json"), ("content-encoding", coding)];
        let answer = node.send("POST", "/in", &headers, b"\x1f\x8b\x08");
        assert_eq!((answer.status, answer.header("accept-encoding")), (415, Some("identity")), "{coding}: {}", answer.text());
    }
    let plain = [("content-type", "application/json"), ("content-encoding", "identity")];
    assert_eq!(node.send("POST", "/in", &plain, b"[1]").text(), "[1]");
    // Nothing is compressed where nothing is.
    assert_eq!(node.send("POST", "/in", &[("content-encoding", "gzip")], b"").status, 200);
    let token = std::fs::read_to_string(node.data().join("admin-token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let order = r#"{"path":"/in","body":"x","headers":[["content-encoding","gzip"]]}"#;
    let answer = node.send("POST", "/api/admin/invoke", &[("authorization", &bearer)], order.as_bytes());
    assert_eq!(answer.status, 415, "{}", answer.text());
    let answer = node.send("POST", "/api/admin/invoke", &[("authorization", &bearer), ("content-encoding", "gzip")], b"\x1f\x8b");
    assert_eq!(answer.status, 415, "{}", answer.text());
}

#[test]
fn a_request_line_that_is_none_is_told_in_the_log() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let answer = raw(&node, "GET /a?q=\"<>\" HTTP/1.1\r\nhost: t\r\n\r\n");
    assert_eq!(answer.status, 400);
    node.wait_for_line(&["127.0.0.1", "is no HTTP", "invalid URI"]);
    // However many come, the log has few lines.
    for _ in 0..200 {
        assert_eq!(raw(&node, b"GET /\xff\xfe HTTP/1.1\r\nhost: t\r\n\r\n").status, 400);
    }
    assert!(node.log().matches("is no HTTP").count() <= 10, "{}", node.log());
}

#[test]
fn an_answer_has_no_more_headers_than_clients_take() {
    let many = "let a = []; a.pad(ctx.request.body.n, \"v\"); #{ statusCode: 200, headers: #{ \"x-a\": a }, body: \"ok\" }";
    let long = "let s = \"\"; s.pad(ctx.request.body.n, \"v\"); #{ statusCode: 200, headers: #{ \"x-a\": [s, s] } }";
    let node = Node::start_with(&[("many.post.rhai", many), ("long.post.rhai", long)]);
    let ask = |path: &str, n: usize| node.send("POST", path, &[("content-type", "application/json")], format!("{{\"n\":{n}}}").as_bytes());
    for (path, n, status) in [
        ("/many", 256, 200),
        ("/many", 257, 502),
        ("/many", 24_571, 502),
        ("/many", 30_000, 502),
        ("/long", 32_000, 200),
        ("/long", 33_000, 502),
        ("/long", 500_000, 502),
    ] {
        let answer = ask(path, n);
        assert_eq!(answer.status, status, "{path} {n}");
        let id = answer.header("x-picloud-execution").unwrap().to_owned();
        let execution = node.wait_for_execution("each of them", |execution| execution.id.to_string() == id);
        let failure = execution.failure.map(|failure| failure.message);
        assert_eq!(failure.as_deref().is_some_and(|why| why.contains("256 header lines, or 64 KiB")), status == 502, "{failure:?}");
    }
    assert_eq!(ask("/many", 256).all("x-a").len(), 256);
    assert!(!node.log().contains("panicked"), "{}", node.log());
}

#[test]
fn an_order_to_run_a_function_has_as_few() {
    let node = Node::start_with(&[("a.rhai", "ctx.request.headers.len()")]);
    let token = std::fs::read_to_string(node.data().join("admin-token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let order = |lines: usize, value: usize| {
        let headers: Vec<[String; 2]> = (0..lines).map(|n| [format!("x-{n}"), "v".repeat(value)]).collect();
        let order = serde_json::json!({ "path": "/a", "headers": headers });
        node.send("POST", "/api/admin/invoke", &[("authorization", &bearer)], order.to_string().as_bytes())
    };
    for (lines, value, status) in [(256, 1, 200), (257, 1, 400), (40_000, 1, 400), (2, 40_000, 400)] {
        let answer = order(lines, value);
        assert_eq!(answer.status, status, "{lines} {value}: {}", answer.text());
    }
    assert!(!node.log().contains("panicked"), "{}", node.log());
}

#[test]
fn an_answer_is_what_its_status_says() {
    let node = Node::start_with(&[
        ("status/[code].rhai", "#{ statusCode: ctx.request.params.code.parse_int(), body: \"text\" }"),
        ("id.rhai", "#{ statusCode: 200, headers: #{ \"X-Request-Id\": \"mine\" } }"),
    ]);
    for (code, body) in [("204", ""), ("205", ""), ("304", ""), ("206", "text"), ("599", "text"), ("299", "text")] {
        let answer = node.get(&format!("/status/{code}"));
        assert_eq!((answer.status.to_string().as_str(), answer.text().as_str()), (code, body));
        assert_eq!(answer.header("content-type").is_some(), !body.is_empty(), "{code}");
    }
    let mut client = node.client();
    client.write(b"GET /status/599 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
    let whole = String::from_utf8(client.rest().unwrap()).unwrap();
    assert!(whole.starts_with("HTTP/1.1 599 \r\n"), "{whole}");
    let answer = node.get("/id");
    assert_eq!(answer.status, 502);
    let id = answer.header("x-picloud-execution").unwrap().to_owned();
    let execution = node.wait_for_execution("the one that failed", |execution| execution.id.to_string() == id);
    assert_eq!(execution.failure.unwrap().message, "the header `x-request-id` is set by PiCloud; leave it out");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_body() {
    let node = Node::start_with(&[("in.post.rhai", "ctx.request.body"), ("parse.post.rhai", "parse_json(ctx.request.body).a")]);
    for (path, content_type, sent, seen) in [
        ("/in", "application/json", "\u{feff}{\"a\":1}", "{\"a\":1}"),
        ("/in", "application/problem+json", "\u{feff} 7", "7"),
        ("/in", "application/x-www-form-urlencoded", "\u{feff}a=1", "{\"a\":\"1\"}"),
        ("/in", "application/x-www-form-urlencoded", "%EF%BB%BFa=1", "{\"\u{feff}a\":\"1\"}"),
        ("/in", "text/plain", "\u{feff}a", "\u{feff}a"),
        ("/parse", "text/plain", "\u{feff}{\"a\":7}", "7"),
    ] {
        assert_eq!(node.send("POST", path, &[("content-type", content_type)], sent.as_bytes()).text(), seen, "{content_type} {sent:?}");
    }
    let twice = node.send("POST", "/in", &[("content-type", "application/json")], "\u{feff}\u{feff}1".as_bytes());
    assert_eq!(twice.status, 400);
}

#[test]
fn an_ipv4_client_of_an_ipv6_address_has_its_ipv4_address() {
    if std::net::TcpListener::bind("[::]:0").is_err() {
        return;
    }
    let node = node(&[("who.rhai", "ctx.request.remote_addr")]).argument("--listen").argument("[::]:0").start();
    let address = ([127, 0, 0, 1], node.address().port()).into();
    let mut client = crate::kit::client::Client::to(address);
    assert_eq!(client.get("/who").unwrap().text(), "127.0.0.1");
}
