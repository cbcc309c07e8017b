//! Pages of other origins: what a browser is told before it sends their requests, and which answers it may show them.

use picloud::function::{FunctionName, ScriptId};

use crate::kit::{
    client::Response,
    node::{Node, node},
};

const PAGE: &str = "https://app.example";
const CORS: &str = "+++\n[cors]\norigins = [\"https://app.example\", \"http://localhost:5173\"]\n+++\n";

fn with_cors(script: &str) -> String {
    format!("{CORS}{script}")
}

fn preflight(node: &Node, path: &str, origin: &str, method: &str) -> Response {
    let asks = [("origin", origin), ("access-control-request-method", method), ("access-control-request-headers", "content-type, x-a")];
    node.send("OPTIONS", path, &asks, b"")
}

/// What a browser looks at.
fn allowed(answer: &Response) -> Option<&str> {
    let all = answer.all("access-control-allow-origin");
    assert!(all.len() < 2, "{all:?}");
    all.first().copied()
}

#[test]
fn a_browser_is_answered_without_running_anything() {
    let auth = "+++\nauth = \"token\"\n[cors]\norigins = [\"https://app.example\"]\nmethods = [\"POST\", \"PUT\"]\nheaders = [\"Content-Type\", \"X-B\"]\ncredentials = true\nmax_age = \"1m\"\n+++\n1";
    let node = Node::start_with(&[
        ("a.get.rhai", &with_cors("1")),
        ("a.options.rhai", "\"own\""),
        ("any.rhai", &with_cors("throw 1")),
        ("locked.post.rhai", auth),
        ("plain.rhai", "1"),
        ("_middleware.rhai", "if ctx.request.query.stop != () { return 1; }"),
    ]);
    for (path, method) in [("/a", "GET"), ("/a", "HEAD"), ("/any", "DELETE"), ("/any", "BREW"), ("/a?stop", "GET")] {
        let answer = preflight(&node, path, PAGE, method);
        assert_eq!((answer.status, allowed(&answer), answer.body.len()), (204, Some(PAGE), 0), "{path} {method}");
        assert_eq!(answer.header("access-control-allow-methods"), Some(method));
        assert_eq!(answer.header("access-control-allow-headers"), Some("content-type, x-a"));
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert!(answer.header("vary").unwrap().starts_with("origin, "));
        assert_eq!(answer.header("x-picloud-execution"), None);
    }
    let answer = preflight(&node, "/locked", PAGE, "POST");
    let header = |name: &str| answer.header(name);
    assert_eq!((answer.status, allowed(&answer), header("access-control-allow-credentials")), (204, Some(PAGE), Some("true")));
    assert_eq!(header("access-control-allow-methods").unwrap().replace(' ', ""), "POST,PUT");
    assert_eq!((header("access-control-allow-headers"), header("access-control-max-age")), (Some("content-type, x-b"), Some("60")));
    // A page from elsewhere is told nothing, and what asks nothing of this kind is the function's.
    for origin in ["https://evil.example", "null", "https://app.example.evil", "http://app.example"] {
        let answer = preflight(&node, "/a", origin, "GET");
        assert_eq!((answer.status, allowed(&answer), answer.header("access-control-allow-methods")), (204, None, None), "{origin}");
    }
    assert_eq!(node.send("OPTIONS", "/a", &[("origin", PAGE)], b"").text(), "own");
    let answer = preflight(&node, "/plain", PAGE, "GET");
    assert_eq!((answer.status, allowed(&answer), answer.header("vary")), (204, None, None));
    assert!(answer.header("allow").unwrap().contains("GET"));
    // A method that is not there: the page may read that.
    let answer = preflight(&node, "/locked", PAGE, "DELETE");
    assert_eq!((answer.status, allowed(&answer)), (204, Some(PAGE)));
    // By the id of the script as by its path.
    let id = ScriptId::of(&FunctionName::new("any"));
    assert_eq!(allowed(&preflight(&node, &format!("/api/execute/{id}"), PAGE, "POST")), Some(PAGE));
    let mut node = node;
    node.stop();
    assert!(node.executions().iter().all(|execution| &*execution.method != "OPTIONS" || execution.function.to_string() != "any"));
}

#[test]
fn every_answer_of_the_function_may_be_read_by_the_page() {
    let limited = "+++\nauth = \"token\"\n[limits]\nbody = \"1KiB\"\n[cors]\norigins = [\"https://app.example\"]\n+++\n1";
    let node = Node::start_with(&[
        ("ok.rhai", &with_cors("1")),
        ("fails.rhai", &with_cors("throw 1")),
        ("slow.rhai", "+++\ntimeout = \"50ms\"\ncors.origins = \"*\"\n[limits]\noperations = 5_000_000_000\n+++\nloop {}"),
        ("large.rhai", "+++\n[limits]\nresponse = \"1KiB\"\n[cors]\norigins = \"*\"\n+++\nlet s = \"\"; s.pad(2000, \"x\"); s"),
        ("locked.post.rhai", limited),
        ("in.post.rhai", "+++\n[limits]\nbody = \"1KiB\"\n[cors]\norigins = [\"https://app.example\"]\n+++\n1"),
        ("guarded/_middleware.rhai", "#{ statusCode: 403 }"),
        ("guarded/a.rhai", &with_cors("1")),
    ]);
    let json = ("content-type", "application/json");
    let page = ("origin", PAGE);
    for (status, answer) in [
        (200, node.send("GET", "/ok", &[page], b"")),
        (502, node.send("GET", "/fails", &[page], b"")),
        (504, node.send("GET", "/slow", &[page], b"")),
        (507, node.send("GET", "/large", &[page], b"")),
        (401, node.send("POST", "/locked", &[page], b"")),
        (401, node.send("POST", "/locked", &[page, ("authorization", "Bearer x")], b"")),
        (405, node.send("DELETE", "/locked", &[page], b"")),
        (400, node.send("POST", "/in", &[page, json], b"{")),
        (413, node.send("POST", "/in", &[page], &[0; 1025])),
        (415, node.send("POST", "/in", &[page, ("content-encoding", "gzip")], b"x")),
        (403, node.send("GET", "/guarded/a", &[page], b"")),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text());
        let expected = if matches!(status, 504 | 507) { "*" } else { PAGE };
        assert_eq!(allowed(&answer), Some(expected), "{status}");
        assert_eq!(answer.header("vary").is_some(), expected == PAGE, "{status}");
        assert_eq!(answer.header("access-control-expose-headers"), Some("x-picloud-execution"), "{status}");
    }
    for headers in [&[][..], &[("origin", "https://evil.example")]] {
        let answer = node.send("GET", "/ok", headers, b"");
        assert_eq!((answer.status, allowed(&answer), answer.header("vary")), (200, None, Some("origin")));
    }
    // What no function answers is nobody's to share.
    assert_eq!(allowed(&node.send("GET", "/none", &[page], b"")), None);
}

#[test]
fn what_is_declared_wins_over_what_a_script_says() {
    let script = "#{ statusCode: 200, body: 1, headers: #{ \"access-control-allow-origin\": \"*\", \"access-control-allow-credentials\": \"true\", \"access-control-expose-headers\": \"x-a\", vary: \"accept\" } }";
    let node = Node::start_with(&[("declared.rhai", &with_cors(script)), ("own.rhai", script)]);
    let answer = node.send("GET", "/declared", &[("origin", PAGE)], b"");
    assert_eq!((allowed(&answer), answer.header("access-control-allow-credentials")), (Some(PAGE), None));
    assert_eq!(answer.all("access-control-expose-headers"), ["x-a", "x-picloud-execution"]);
    assert_eq!(answer.all("vary"), ["accept", "origin"]);
    assert_eq!(allowed(&node.send("GET", "/declared", &[("origin", "https://evil.example")], b"")), None);
    let answer = node.send("GET", "/own", &[("origin", PAGE)], b"");
    assert_eq!((allowed(&answer), answer.header("access-control-allow-credentials")), (Some("*"), Some("true")));
}

#[test]
fn a_function_for_no_page_says_so_whatever_its_script_says() {
    let headers = "#{ \"access-control-allow-origin\": \"*\", \"access-control-allow-credentials\": \"true\" }";
    let script = format!("+++\n[cors]\norigins = []\n+++\n#{{ statusCode: 200, body: 1, headers: {headers} }}");
    let options = script.replace("+++\n#{", "+++\n/* of its own */ #{");
    let node = Node::start_with(&[("none.rhai", &script), ("asked.get.rhai", &script), ("asked.options.rhai", &options)]);
    for (method, path) in [("GET", "/none"), ("POST", "/none"), ("GET", "/asked"), ("OPTIONS", "/asked")] {
        let answer = node.send(method, path, &[("origin", PAGE)], b"");
        assert_eq!((answer.status, answer.text().as_str()), (200, "1"), "{method} {path}");
        assert_eq!((allowed(&answer), answer.header("access-control-allow-credentials")), (None, None), "{method} {path}");
    }
}

#[test]
fn a_node_may_say_it_for_functions_that_do_not() {
    let node = node(&[("plain.get.rhai", "1"), ("own.rhai", &with_cors("1")), ("none.rhai", "+++\n[cors]\norigins = []\n+++\n1")])
        .config("[cors]\norigins = [\"https://site.example\"]\n")
        .start();
    let ask = |path: &str, origin: &str| allowed(&node.send("GET", path, &[("origin", origin)], b"")).map(str::to_owned);
    let site = "https://site.example";
    for path in ["/plain", "/missing", "/plain/a/../b"] {
        assert_eq!(ask(path, site).as_deref(), Some(site), "{path}");
        assert_eq!(allowed(&preflight(&node, path, site, "GET")), Some(site), "{path}");
    }
    assert_eq!((ask("/own", site), ask("/own", PAGE).as_deref()), (None, Some(PAGE)));
    assert_eq!(ask("/none", site), None);
    assert_eq!(allowed(&preflight(&node, "/none", site, "GET")), None);
    // The node's own URLs are for no page.
    for path in ["/_picloud/health", "/api/admin/status"] {
        assert_eq!(ask(path, site), None, "{path}");
        assert_eq!(allowed(&preflight(&node, path, site, "GET")), None, "{path}");
    }
}
