//! `picloud routes` and `picloud invoke`: what answers at a path, and how.

use std::{io::Write as _, process::Stdio};

use serde_json::Value;

use super::Folder;

#[test]
fn routes_lists_and_explains() {
    let folder = Folder::project();
    folder.write("functions/users/me.rhai", "+++\ntimeout = \"1s\"\n+++\n1");
    folder.write("functions/users/_middleware.rhai", "() // lets everyone in");
    folder.write("functions/users/[...rest].rhai", "2");
    insta::assert_snapshot!("routes_lists", folder.done(&["routes"]));
    insta::assert_snapshot!("routes_explains", folder.done(&["routes", "/users/me"]));
    assert_eq!(folder.json(&["routes", "/users/7", "--method", "POST", "--json"])["outcome"]["method_not_allowed"]["allow"][0], "GET");
    assert_eq!(folder.done(&["routes", "http://x:1/users/me?y"]), folder.done(&["routes", "/users/me"]));
    let me = &folder.json(&["routes", "--json"])[3];
    assert_eq!((&me["route"], &me["limits"]["timeout"]["text"]), (&"/users/me".into(), &"1s".into()));
    assert_eq!(me["guards"][0], "users/_middleware.rhai");
    folder.write("functions/broken.rhai", "(");
    let explained = folder.run(&["routes", "/broken"]);
    assert_eq!(explained.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&explained.stdout), "GET /broken: `broken.rhai (broken)` on /broken\n");
    assert_eq!(String::from_utf8_lossy(&explained.stderr), "1 error; `picloud check` shows where\n");
    let listed = folder.run(&["routes", "--json"]);
    assert_eq!(listed.status.code(), Some(1));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(listed.as_array().unwrap().iter().any(|route| route["file"] == "broken.rhai" && route["broken"] == true));
}

#[test]
fn invoke_sends_what_it_is_told_and_shows_what_happened() {
    let folder = Folder::project();
    folder.write(
        "functions/echo.rhai",
        "log::info(\"seen\"); #{ statusCode: 201, headers: #{ \"x-a\": ctx.request.headers[\"x-b\"] }, body: ctx.request.body }",
    );
    folder.write("functions/fail.rhai", "fn f(x) {\n  1 / x\n}\nf(0)");
    folder.write("body.json", "{\"a\":[1]}");
    let output = folder.run(&["invoke", "/echo", "-i", "-d", "@body.json", "-H", "X-B: 7"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "201 Created\nx-a: 7\ncontent-type: application/json\n\n{\"a\":[1]}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "info   seen\n");
    assert_eq!(folder.done(&["invoke", "/echo", "-d", "plain"]), "plain");
    assert_eq!(folder.done(&["invoke", "/echo", "-d", "-5"]), "-5");
    assert_eq!(folder.done(&["invoke", "/echo", "-d", "[1"]), "[1");
    assert_eq!(
        folder.done(&["invoke", "/echo", "-d", "a=1&b=2", "-H", "content-type: application/x-www-form-urlencoded"]),
        r#"{"a":"1","b":"2"}"#
    );
    assert!(folder.refused(2, &["invoke", "/echo", "-d", "{", "-H", "content-type: application/json"]).contains("the body is not JSON"));
    let mut piped = folder.command(&["invoke", "/echo", "-d", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(b"from a pipe").unwrap();
    assert_eq!(piped.wait_with_output().unwrap().stdout, b"from a pipe");
    assert_eq!(folder.done(&["invoke", "/hello", "-X", "head", "-i"]), "200 OK\ncontent-type: application/json\n\n");
    assert_eq!(folder.done(&["invoke", "/hello", "-X", "OPTIONS", "-i"]), "204 No Content\nallow: GET, HEAD, OPTIONS\n\n");
    insta::assert_snapshot!("invoke_failure", folder.refused(1, &["invoke", "/fail"]));
    insta::assert_snapshot!("invoke_not_found", folder.refused(2, &["invoke", "/nowhere"]));
    insta::assert_snapshot!("invoke_nearly_found", folder.refused(2, &["invoke", "/helo"]));
    insta::assert_snapshot!("invoke_wrong_method", folder.refused(2, &["invoke", "/hello", "-X", "DELETE"]));
    insta::assert_snapshot!("invoke_no_path", folder.refused(2, &["invoke", "hello"]));
    insta::assert_snapshot!("invoke_no_header", folder.refused(2, &["invoke", "/hello", "-H", "a b: c"]));
}

#[test]
fn invoke_runs_guards_and_leaves_broken_neighbours_alone() {
    let folder = Folder::project();
    folder.write("functions/admin/_middleware.rhai", "if ctx.request.headers[\"x-key\"] != \"7\" { #{ statusCode: 403, body: \"no\" } }");
    folder.write("functions/admin/list.rhai", "\"all\"");
    assert_eq!(folder.done(&["invoke", "/admin/list", "-i"]), "403 Forbidden\ncontent-type: text/plain; charset=utf-8\n\nno");
    assert_eq!(folder.done(&["invoke", "/admin/list", "-H", "X-Key: 7"]), "all");
    folder.write("functions/broken.rhai", "let x = ;");
    let output = folder.run(&["invoke", "/admin/list", "-H", "X-Key: 7"]);
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout)), (Some(0), "all".into()));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "1 error; `picloud check` shows where\n");
    insta::assert_snapshot!("invoke_broken", folder.refused(1, &["invoke", "/broken"]));
}

#[test]
fn the_node_s_own_urls_are_no_function_s() {
    let folder = Folder::empty();
    folder.write("functions/[...all].rhai", "1");
    for url in ["/_picloud/health", "/api/admin/x", "/%61pi/execute/y", "/functions.git/info/refs"] {
        assert_eq!(folder.done(&["routes", url]), format!("GET {url}: PiCloud answers this itself; no function does\n"));
        assert!(folder.refused(2, &["invoke", url]).contains("PiCloud answers `"));
    }
    assert_eq!(folder.done(&["invoke", "/api/admins"]), "1");
}
