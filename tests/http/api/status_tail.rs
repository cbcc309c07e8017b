//! The status as it changes.

use crate::kit::{
    api::{Api, bearer},
    client::Client,
    node::{Node, node},
};

use super::tail::{Event, Tail};

const PATH: &str = "/api/admin/status/tail";

fn follow(node: &Node) -> Tail {
    Tail::at(node, PATH, &format!("authorization: {}", bearer(node)))
}

/// Reads on to the first event of this name that is as wanted.
fn until(tail: &mut Tail, name: &str, is_wanted: impl Fn(&Event) -> bool) -> Event {
    std::iter::from_fn(|| tail.next()).find(|event| event.name == name && is_wanted(event)).unwrap_or_else(|| panic!("no `{name}`"))
}

#[test]
fn whoever_follows_is_told_what_is_now_and_then_what_changes() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let api = Api::of(&node);
    let mut tail = follow(&node);
    let first = [tail.next().unwrap(), tail.next().unwrap()];
    assert_eq!(first.each_ref().map(|event| event.name.as_str()), ["status", "health"]);
    let before = api.status()["live"]["id"].clone();
    assert_eq!((&first[0].data["live"]["id"], &first[1].data["parts"]), (&before, &serde_json::json!([])));

    node.write("b.rhai", "2");
    let decided = until(&mut tail, "deployment", |_| true).data;
    assert_eq!(decided["status"], "live");
    assert_ne!(decided["id"], before);
    until(&mut tail, "status", |event| event.data["live"]["id"] == decided["id"]);

    node.write("b.rhai", "let x = ;");
    let broken = until(&mut tail, "status", |event| event.data["diagnostics"][0]["file"] == "b.rhai");
    assert_eq!(broken.data["live"]["id"], decided["id"], "what was live still is");
    let health = until(&mut tail, "health", |event| event.data["parts"] != serde_json::json!([])).data;
    assert_eq!((&health["parts"][0]["part"], &health["parts"][0]["level"]), (&"files".into(), &"warn".into()));
    assert_eq!(health, api.get("/api/admin/health").json());
    node.write("b.rhai", "3");
    until(&mut tail, "health", |event| event.data["parts"] == serde_json::json!([]));
}

#[test]
fn it_has_an_end_and_a_limit_and_is_about_the_whole_node() {
    let node = node(&[("a.rhai", "1")]).config("[server]\nmax_tails = 1\n").start();
    let some = Api::of(&node).token(&serde_json::json!({ "name": "some", "scope": "read", "functions": "shop" }));
    assert_eq!(Api::with(&node, &some).get(PATH).status, 403);
    let mut tail = follow(&node);
    let refused = Api::of(&node).get(PATH);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    node.terminate();
    let end = until(&mut tail, "ended", |_| true);
    assert_eq!((&end.data["reason"], tail.next()), (&"the node stops".into(), None));
}

#[test]
fn a_client_that_has_gone_leaves_its_place() {
    let node = node(&[("a.rhai", "1")]).config("[server]\nmax_tails = 1\n").start();
    drop(follow(&node));
    crate::kit::node::wait_until("the place is free", crate::kit::node::PATIENCE, || {
        let mut client = Client::to(node.address());
        client.write(format!("GET {PATH} HTTP/1.1\r\nhost: test\r\nauthorization: {}\r\n\r\n", bearer(&node)).as_bytes()).unwrap();
        let mut status = [0; 12];
        std::io::Read::read_exact(&mut client.socket(), &mut status).unwrap();
        status == *b"HTTP/1.1 200"
    });
}
