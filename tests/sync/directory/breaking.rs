//! A broken edit harms nobody but itself.

use crate::kit::node::{Node, PATIENCE, wait_until};

#[test]
fn a_broken_edit_leaves_the_last_good_version_live() {
    let node = Node::start_with(&[("hello.rhai", "\"good\""), ("other.rhai", "1")]);
    node.write("hello.rhai", "let x = ;");
    node.wait_for_state("degraded");
    assert_eq!(node.get("/hello").text(), "good");
    node.wait_for_line(&["hello.rhai:1:9: "]);
    // Its neighbours go on.
    node.write("other.rhai", "2");
    node.wait_for("/other", "2");
    assert_eq!(node.get("/hello").text(), "good");
    node.write("hello.rhai", "\"mended\"");
    node.wait_for("/hello", "mended");
    node.wait_for_state("ready");
}

#[test]
fn readiness_counts_the_mistakes() {
    let node = Node::start_with(&[("hello.rhai", "1")]);
    let before = node.ready();
    assert_eq!((&before["status"], &before["functions"]), (&"ready".into(), &1.into()));
    node.write("hello.rhai", "let x = ;");
    node.wait_for_state("degraded");
    let after = node.ready();
    assert!(after["degraded"][0].as_str().unwrap().contains("1 mistake(s)"), "{after}");
    assert_eq!(node.send("GET", "/_picloud/ready", &[], b"").status, 200);
}

#[test]
fn a_file_that_never_was_good_answers_503() {
    let node = Node::start_with(&[("hello.rhai", "1")]);
    node.write("new.post.rhai", "let x = ;");
    wait_until("the new file is known", PATIENCE, || node.send("POST", "/new", &[], b"").status == 503);
    let told = node.send("POST", "/new", &[], b"");
    assert_eq!(told.header("content-type"), Some("application/problem+json"));
    assert_eq!(told.json()["detail"], "the function's file is broken and has no good version");
    assert_eq!(node.get("/new").status, 405);
    node.write("new.post.rhai", "1");
    wait_until("it is mended", PATIENCE, || node.send("POST", "/new", &[], b"").status == 200);
}

#[test]
fn a_broken_file_that_is_deleted_is_gone() {
    let node = Node::start_with(&[("hello.rhai", "\"good\""), ("other.rhai", "1")]);
    node.write("hello.rhai", "let x = ;");
    node.wait_for_state("degraded");
    node.remove("hello.rhai");
    node.wait_for_status("/hello", 404);
    node.wait_for_state("ready");
}

#[test]
fn a_broken_neighbour_at_the_first_start_harms_nobody() {
    let node = Node::start_with(&[("bad.rhai", "let x = ;"), ("good.rhai", "1")]);
    assert_eq!(node.get("/good").text(), "1");
    // Written a moment ago, it may still be half of a save.
    node.wait_for_status("/bad", 503);
    assert_eq!(node.ready()["status"], "degraded");
    node.wait_for_line(&["bad.rhai:1:9: "]);
}

#[test]
fn a_broken_guard_leaves_the_last_good_one_on_watch() {
    let closed = "#{ statusCode: 401, body: \"closed\" }";
    let node = Node::start_with(&[("in/f.rhai", "\"in\""), ("in/_middleware.rhai", closed)]);
    assert_eq!(node.get("/in/f").status, 401);
    node.write("in/_middleware.rhai", "let x = ;");
    node.wait_for_state("degraded");
    assert_eq!(node.get("/in/f").status, 401);
    node.write("in/f.rhai", "\"changed\"");
    node.write("in/new.rhai", "\"new\"");
    node.wait_for_status("/in/new", 401);
    assert_eq!(node.get("/in/f").status, 401);
}

#[test]
fn a_guard_that_never_was_good_keeps_its_folder_shut() {
    let files = [("in/_middleware.rhai", "let x = ;"), ("in/f.rhai", "\"in\""), ("in/a/b.rhai", "\"b\""), ("out.rhai", "\"out\"")];
    let mut node = Node::start_with(&files);
    let look = |node: &Node| {
        assert_eq!(node.get("/out").text(), "out");
        let inside = [node.get("/in/f"), node.get("/in/a/b")];
        assert!(inside.iter().all(|seen| seen.status != 200), "{inside:?}");
    };
    look(&node);
    node.wait_for_status("/in/f", 503);
    node.wait_for_status("/in/a/b", 503);
    look(&node);
    node.restart();
    look(&node);
    node.write("in/_middleware.rhai", "if ctx.request.query.key != \"k\" { return #{ statusCode: 401 }; }");
    // A file that was written shortly before the start may still be being written, and each waits for itself.
    for path in ["/in/f", "/in/a/b"] {
        wait_until("it is behind its guard", PATIENCE, || {
            let seen = node.get(path);
            assert_ne!(seen.status, 200, "{path}: {}", seen.text());
            seen.status == 401
        });
    }
    assert_eq!(node.get("/in/a/b?key=k").text(), "b");
}

#[test]
fn a_guard_that_is_broken_from_its_first_save_leaves_the_folder_as_it_was() {
    let node = Node::start_with(&[("in/f.rhai", "\"public\""), ("out.rhai", "1")]);
    node.write("in/_middleware.rhai", "let x = ;");
    node.write("in/f.rhai", "\"secret\"");
    node.write("in/new.rhai", "\"secret\"");
    node.wait_for_status("/in/new", 503);
    assert_eq!(node.get("/in/f").text(), "public");
    node.write("out.rhai", "2");
    node.wait_for("/out", "2");
    assert_eq!(node.get("/in/f").text(), "public");
    node.write("in/_middleware.rhai", "#{ statusCode: 401 }");
    node.wait_for_status("/in/f", 401);
    assert_eq!(node.get("/in/new").status, 401);
}

#[test]
fn a_guard_that_is_still_empty_keeps_new_functions_waiting() {
    let node = Node::start_with(&[("out.rhai", "1")]);
    node.write("in/_middleware.rhai", "");
    node.write("in/f.rhai", "\"secret\"");
    node.write("out.rhai", "2");
    node.wait_for("/out", "2");
    assert_ne!(node.get("/in/f").status, 200);
    node.write("in/_middleware.rhai", "#{ statusCode: 401 }");
    wait_until("the guard is on watch", PATIENCE, || {
        let seen = node.get("/in/f");
        assert_ne!(seen.status, 200, "{}", seen.text());
        seen.status == 401
    });
}

#[test]
fn a_new_function_with_a_broken_module_answers_503() {
    let node = Node::start_with(&[("other.rhai", "1")]);
    node.write("_lib/m.rhai", "fn answer() {");
    node.write("a.rhai", "import \"m\" as m; m::answer()");
    node.wait_for_status("/a", 503);
    node.write("_lib/m.rhai", "fn answer() { 1 }");
    node.wait_for("/a", "1");
}

#[test]
fn a_new_folder_is_never_open_before_its_guard() {
    let node = Node::start_with(&[("out.rhai", "1")]);
    let mut client = node.client();
    for round in 0..40 {
        node.write(&format!("in{round}/_middleware.rhai"), "#{ statusCode: 401 }");
        node.write(&format!("in{round}/f.rhai"), "\"secret\"");
        wait_until("the guard is on watch", PATIENCE, || {
            let seen = client.get(&format!("/in{round}/f")).unwrap();
            assert_ne!(seen.status, 200, "round {round}: {}", seen.text());
            seen.status == 401
        });
    }
}
