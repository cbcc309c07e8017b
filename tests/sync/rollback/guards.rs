//! Guards are never lost between a rollback and a push.

use super::{git_node, push, repository};
use crate::kit::{command::picloud, node::Node};

#[test]
fn a_guard_that_a_push_brings_is_never_left_out_of_what_it_guards() {
    let (node, checkout) = git_node(&[("functions/adm/s.rhai", b"\"secret\"")]);
    checkout.commit(&[("functions/adm/s.rhai", b"\"changed\""), ("functions/adm/_middleware.rhai", b"#{ statusCode: 401 }")]);
    push(&node, &checkout);
    assert_eq!(node.get("/adm/s").status, 401);
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/adm/s").text(), "secret");
    // A new function below the guard wants it, so all of the folder follows the push.
    checkout.commit(&[("functions/adm/t.rhai", b"\"new\"")]);
    push(&node, &checkout);
    assert_eq!(["/adm/s", "/adm/t"].map(|path| node.get(path).status), [401, 401]);
}

#[test]
fn a_guard_that_was_put_back_stays_where_a_push_changes_what_is_behind_it() {
    const STRICT: &[u8] = b"#{ statusCode: 401 }";
    let guard = "functions/z/_middleware.rhai";
    let (mut node, checkout) = git_node(&[(guard, STRICT), ("functions/z/x.rhai", b"1"), ("functions/z/new.rhai", b"\"secret\"")]);
    let statuses = |node: &Node| ["/z/x", "/z/new"].map(|path| node.get(path).status);
    std::fs::remove_file(checkout.folder().join(guard)).unwrap();
    checkout.commit(&[]);
    push(&node, &checkout);
    assert_eq!(statuses(&node), [200, 200]);
    picloud(&node, &["rollback"]);
    assert_eq!(statuses(&node), [401, 401]);
    checkout.commit(&[("functions/z/x.rhai", b"2"), ("functions/z/y.rhai", b"2")]);
    let told = push(&node, &checkout);
    assert!(told.contains("stays: z/_middleware.rhai") && told.contains("picloud unpin"), "{told}");
    assert_eq!((statuses(&node), node.get("/z/y").status), ([401, 401], 401));
    node.restart();
    picloud(&node, &["sync"]);
    assert_eq!(statuses(&node), [401, 401]);

    // Of two guards nobody knows which holds back more: nothing of the push goes live.
    checkout.commit(&[(guard, b"#{ statusCode: 403 }")]);
    push(&node, &checkout);
    assert_eq!(statuses(&node), [403, 403]);
    checkout.commit(&[(guard, b"()")]);
    push(&node, &checkout);
    picloud(&node, &["rollback"]);
    checkout.commit(&[("functions/z/x.rhai", b"3")]);
    let told = checkout.refused(&["push", &repository(&node), "main"]);
    assert!(told.contains("functions/z/_middleware.rhai: error: admin's rollback of 20"), "{told}");
    assert!(told.contains("cannot stay so") && told.contains("nothing was pushed") && told.contains("picloud unpin"), "{told}");
    assert_eq!(statuses(&node), [403, 403]);
    // With a guard of its own it does.
    checkout.commit(&[(guard, STRICT)]);
    push(&node, &checkout);
    assert_eq!(statuses(&node), [401, 401]);
}
