//! What becomes live, and when it goes.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    time::Duration,
};

use crate::node::Node;

#[test]
fn a_saved_file_is_live() {
    let node = Node::start_with(&[("hello.rhai", "1")]);
    node.write("hello.rhai", "2");
    node.wait_for("/hello", "2");
    node.replace("hello.rhai", "3");
    node.wait_for("/hello", "3");
}

#[test]
fn a_file_in_a_new_nested_folder_is_live() {
    let node = Node::start_with(&[]);
    node.write("a/b/c/deep.rhai", "\"deep\"");
    node.wait_for("/a/b/c/deep", "deep");
    node.write("a/b/[id].get.rhai", "ctx.request.params.id");
    node.wait_for("/a/b/7", "7");
}

#[test]
fn an_empty_file_is_told_and_not_served() {
    let node = Node::start_with(&[("hello.rhai", "1"), ("fresh.rhai", "")]);
    node.wait_for_line(&["fresh.rhai: warning: the file is empty, and is not served"]);
    assert_eq!((node.get("/fresh").status, node.get("/hello").status), (404, 200));
    node.write("fresh.rhai", "\"written\"");
    node.wait_for("/fresh", "written");
}

#[test]
fn a_deleted_file_is_not_found() {
    let node = Node::start_with(&[("hello.rhai", "1"), ("other.rhai", "2")]);
    node.remove("hello.rhai");
    node.wait_for_status("/hello", 404);
    assert_eq!(node.get("/other").text(), "2");
    node.write("hello.rhai", "3");
    node.wait_for("/hello", "3");
}

#[test]
fn the_last_function_can_be_deleted() {
    let node = Node::start_with(&[("hello.rhai", "1")]);
    node.remove("hello.rhai");
    node.wait_for_status("/hello", 404);
}

#[test]
fn a_renamed_file_answers_under_its_new_name_only() {
    let node = Node::start_with(&[("old.rhai", "1"), ("other.rhai", "2")]);
    fs::rename(node.file("old.rhai"), node.file("new.rhai")).unwrap();
    node.wait_for("/new", "1");
    node.wait_for_status("/old", 404);
}

#[test]
fn a_folder_that_moves_takes_its_functions_along() {
    let node = Node::start_with(&[("old/a.rhai", "1"), ("old/b/c.rhai", "2"), ("other.rhai", "3")]);
    fs::rename(node.file("old"), node.file("new")).unwrap();
    node.wait_for("/new/b/c", "2");
    node.wait_for("/new/a", "1");
    node.wait_for_status("/old/a", 404);
    node.wait_for_status("/old/b/c", 404);
}

#[test]
fn a_half_written_file_is_never_seen() {
    let node = Node::start_with(&[("hello.rhai", "let a = 1;\n\"old\"")]);
    let mut client = node.client();
    for round in 0..20 {
        // In place: emptied, a pause, a half that does not compile, a pause, the rest.
        let mut file = OpenOptions::new().write(true).truncate(true).open(node.file("hello.rhai")).unwrap();
        let mut look = |until: Duration| {
            let began = picloud::clock::monotonic();
            while began.elapsed() < until {
                let seen = client.get("/hello").unwrap();
                let text = seen.text();
                assert!(seen.status == 200 && (text == "old" || text.starts_with("new")), "round {round}: {seen:?}");
            }
        };
        look(Duration::from_millis(15));
        file.write_all(b"let a = (1").unwrap();
        look(Duration::from_millis(15));
        file.write_all(format!("); \"new{round}\"").as_bytes()).unwrap();
        drop(file);
        node.wait_for("/hello", &format!("new{round}"));
    }
    assert!(!node.log().contains("\"ERROR\""), "{}", node.log());
}

#[test]
fn a_guard_is_added_and_removed() {
    let node = Node::start_with(&[("in/f.rhai", "\"in\""), ("out.rhai", "\"out\"")]);
    node.write("in/_middleware.rhai", "#{ statusCode: 401, body: \"closed\" }");
    node.wait_for_status("/in/f", 401);
    assert_eq!(node.get("/out").text(), "out");
    node.remove("in/_middleware.rhai");
    node.wait_for("/in/f", "in");
}

#[test]
fn of_two_files_for_one_route_the_live_one_stays() {
    let node = Node::start_with(&[("users.rhai", "\"first\"")]);
    node.write("users/index.rhai", "\"second\"");
    node.wait_for_state("degraded");
    assert_eq!(node.get("/users").text(), "first");
    node.wait_for_line(&["users/index.rhai", "users.rhai"]);
    node.remove("users.rhai");
    node.wait_for("/users", "second");
    node.wait_for_state("ready");
}

#[test]
fn a_root_that_vanishes_unloads_nothing() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "2")]);
    let (root, away) = (node.folder().join("functions"), node.folder().join("away"));
    fs::rename(&root, &away).unwrap();
    node.wait_for_state("degraded");
    assert_eq!((node.get("/a").text(), node.get("/b").text()), ("1".into(), "2".into()));
    fs::write(away.join("a.rhai"), "3").unwrap();
    fs::rename(&away, &root).unwrap();
    node.wait_for("/a", "3");
    node.wait_for_state("ready");
    node.write("b.rhai", "4");
    node.wait_for("/b", "4");
}

#[test]
fn every_deployment_has_a_name_of_its_own_and_a_version_for_each_function() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    let names = |path: &str| {
        let response = node.get(path);
        (response.header("x-picloud-version").unwrap().to_owned(), response.header("x-picloud-deployment").unwrap().to_owned())
    };
    let (a, first) = names("/a");
    let (b, _) = names("/b");
    node.write("a.rhai", "2");
    node.wait_for("/a", "2");
    let (changed, second) = names("/a");
    assert!(a != changed && first < second, "{a} {changed} {first} {second}");
    assert_eq!(names("/b"), (b, second));
    node.write("a.rhai", "1");
    node.wait_for("/a", "1");
    assert_eq!(names("/a").0, a);
}
