//! The control plane through Caddy: there for operators, and as if it were not there for everybody else.

use crate::{
    caddy::proxy::{BEHIND, Caddy, INSIDE, OUTSIDE},
    kit::{
        api::admin,
        machine::{Need, needs},
        node::node,
        story::hosted,
    },
};

/// Paths of the control plane, however they are written.
const CLOSED: [&str; 14] = [
    "/api/admin",
    "/api/admin/",
    "/api/admin/status",
    "/api/admin/whoami?x=/_picloud/health",
    "/api//admin/status",
    "//api/admin/status",
    "/api/./admin/status",
    "/%61pi/admin/status",
    "/api%2Fadmin/status",
    "/_picloud/health/../../api/admin/status",
    "/_picloud/v/../../api/admin/status",
    "/_picloud/metrics",
    "/_picloud/ready",
    "/_picloud/anything/new",
];

#[test]
fn it_is_closed_from_outside_whoever_has_a_token() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let node = node(&[("a.rhai", "\"one\""), ("api/b.rhai", "\"two\"")]).config(BEHIND).start();
    let caddy = Caddy::before(&node);
    let token = format!("authorization: Bearer {}", admin(&node));
    for path in CLOSED {
        let answer = caddy.ask(OUTSIDE, path, &["--header", &token]);
        assert_eq!((answer.status, answer.header("content-type"), answer.text().as_str()), (404, None, ""), "{path}");
        let spoofed = caddy.ask(OUTSIDE, path, &["--header", &token, "--header", "x-forwarded-for: 127.0.0.1"]);
        assert_eq!(spoofed.status, 404, "{path}");
    }
    assert_eq!(caddy.ask(OUTSIDE, "/api/admin/sync", &["--header", &token, "--request", "POST"]).status, 404);
    // What anybody may ask for.
    assert_eq!(caddy.ask(OUTSIDE, "/_picloud/health", &[]).json()["status"], "alive");
    assert_eq!(caddy.ask(OUTSIDE, "/_picloud/hooks/source", &["--request", "POST"]).json()["status"], 403, "the node says so");
    let deployment = caddy.ask(OUTSIDE, "/a", &[]).header("x-picloud-deployment").unwrap().to_owned();
    assert_eq!(caddy.ask(OUTSIDE, &format!("/_picloud/v/{deployment}/a"), &[]).status, 401);
    assert_eq!(caddy.ask(OUTSIDE, &format!("/_picloud/v/{deployment}/a"), &["--header", &token]).text(), "one");
    assert_eq!(caddy.ask(OUTSIDE, "/api/b", &[]).text(), "two");
}

#[test]
fn operators_reach_it_with_their_token() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let node = node(&[("a.rhai", "1")]).config(BEHIND).start();
    let caddy = Caddy::before(&node);
    let token = format!("authorization: Bearer {}", admin(&node));
    assert_eq!(caddy.ask(INSIDE, "/api/admin/status", &[]).status, 401);
    let status = caddy.ask(INSIDE, "/api/admin/status", &["--header", &token]);
    assert_eq!((status.status, &status.json()["live"]["functions"]), (200, &1.into()));
    assert_eq!(caddy.ask(INSIDE, "/_picloud/ready", &[]).json()["status"], "ready");
    assert_eq!(caddy.ask(INSIDE, "/api/admin/sync", &["--header", &token, "--request", "POST"]).status, 200);
    // Their network may be another.
    let caddy = Caddy::with(node.address(), &[("PICLOUD_OPERATORS", "127.0.0.2 10.8.0.0/24")]);
    assert_eq!(caddy.ask(OUTSIDE, "/api/admin/status", &["--header", &token]).status, 200);
    assert_eq!(caddy.ask(INSIDE, "/api/admin/status", &["--header", &token]).status, 404);
}

#[test]
fn wrong_tokens_count_for_who_sent_them() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let node = node(&[("a.rhai", "1")]).config(BEHIND).start();
    let caddy = Caddy::with(node.address(), &[("PICLOUD_OPERATORS", "127.0.0.0/8")]);
    let wrong = format!("authorization: Bearer picloud_{}", "0".repeat(64));
    let status = |from| caddy.ask(from, "/api/admin/whoami", &["--header", &wrong]).status;
    assert_eq!((0..11).map(|_| status(OUTSIDE)).collect::<Vec<_>>()[9..], [401, 429]);
    assert_eq!(status(INSIDE), 401);
}

#[test]
fn git_can_be_closed_too() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let node = hosted().start();
    let discover = "/functions.git/info/refs?service=git-upload-pack";
    let caddy = Caddy::before(&node);
    assert_eq!(caddy.ask(OUTSIDE, discover, &[]).status, 401);
    let caddy = Caddy::with(node.address(), &[("PICLOUD_GIT_FROM", "127.0.0.1")]);
    assert_eq!((caddy.ask(OUTSIDE, discover, &[]).status, caddy.ask(INSIDE, discover, &[]).status), (404, 401));
}

#[test]
fn two_addresses_of_a_node_are_one_behind_it() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let node = node(&[("a.rhai", "\"one\"")]).config(&format!("{BEHIND}admin_listen = \"127.0.0.1:0\"\n")).start();
    let said = |before: &str| {
        let line = node.wait_for_line(&[before]);
        line.split_once(before).unwrap().1.split('"').next().unwrap().to_owned()
    };
    let (public, control) = (said("listening on http://"), said("the control plane is at http://"));
    let caddy = Caddy::with(public.parse().unwrap(), &[("PICLOUD_CONTROL", &control)]);
    let token = format!("authorization: Bearer {}", admin(&node));
    let answer = caddy.ask(OUTSIDE, "/a", &[]);
    assert_eq!(answer.text(), "one");
    let earlier = format!("/_picloud/v/{}/a", answer.header("x-picloud-deployment").unwrap());
    assert_eq!(caddy.ask(OUTSIDE, &earlier, &["--header", &token]).text(), "one");
    let status = |from| caddy.ask(from, "/api/admin/status", &["--header", &token]).status;
    assert_eq!((status(INSIDE), status(OUTSIDE)), (200, 404));
    assert_eq!(caddy.ask(INSIDE, "/_picloud/metrics", &["--header", &token]).status, 200);
    assert_eq!(caddy.ask(OUTSIDE, "/_picloud/hooks/source", &["--request", "POST"]).status, 403);
}
