//! A node that is away: what callers hear, and that a restart is a wait.

use crate::{
    caddy::proxy::{BEHIND, Caddy, OUTSIDE, at_one_port},
    kit::{
        machine::{Need, needs},
        node::{PATIENCE, node, wait_until},
    },
};

#[test]
fn callers_hear_that_it_is_away_and_reach_it_when_it_is_back() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let mut node = at_one_port(node(&[("a.rhai", "\"one\"")]).config(BEHIND)).start();
    let caddy = Caddy::with(node.address(), &[("PICLOUD_WAIT", "200ms")]);
    assert_eq!(caddy.ask(OUTSIDE, "/a", &[]).text(), "one");
    node.kill();
    let answer = caddy.ask(OUTSIDE, "/a", &[]);
    assert!(matches!(answer.status, 502 | 503), "{}", answer.status);
    assert_eq!((answer.header("content-type"), answer.header("retry-after")), (Some("application/problem+json"), Some("5")));
    assert_eq!((&answer.json()["status"], &answer.json()["detail"]), (&answer.status.into(), &"the node does not answer".into()));
    // Found by asking after its health: nobody is kept waiting for a connection then.
    wait_until("Caddy knows that it is away", PATIENCE, || caddy.ask(OUTSIDE, "/a", &[]).status == 503);
    node.start();
    wait_until("Caddy knows that it is back", PATIENCE, || caddy.ask(OUTSIDE, "/a", &[]).status == 200);
}

#[test]
fn a_restart_is_a_wait_and_no_error() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let mut node = at_one_port(node(&[("a.rhai", "\"one\""), ("b.post.rhai", "ctx.request.body")]).config(BEHIND)).start();
    let caddy = Caddy::with(node.address(), &[("PICLOUD_WAIT", "30s")]);
    // Caddy keeps the connections that these were sent on, and the node closes them when it stops.
    assert_eq!(caddy.ask(OUTSIDE, "/a", &[]).text(), "one");
    assert_eq!(caddy.ask(OUTSIDE, "/b", &["--json", "[0]"]).text(), "[0]");
    node.stop();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| caddy.ask(OUTSIDE, "/a", &[]));
        let sent = scope.spawn(|| caddy.ask(OUTSIDE, "/b", &["--json", "[1]"]));
        wait_until("Caddy has tried to send the one with a body", PATIENCE, || {
            caddy.log().lines().any(|line| line.contains("\"/b\"") && line.contains("connection refused"))
        });
        node.start();
        for (answer, text) in [(asked, "one"), (sent, "[1]")] {
            let answer = answer.join().unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, text));
        }
    });
}
