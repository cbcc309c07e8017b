//! Bytes on a connection to a node: the reserved URLs with their tokens, webhooks, git, earlier deployments and branches. Whatever comes,
//! the node answers with a status of the contract or closes the connection, and goes on.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use crate::{
    harness::fuzz,
    kit::{
        api::admin,
        git::Checkout,
        node::{PATIENCE, node, wait_until},
        story::url,
    },
};

/// Statuses that say that the node is broken.
const NEVER: [&str; 2] = ["500", "507"];
const CONFIG: &str = "[server]\nbody_timeout = \"1s\"\nheader_timeout = \"1s\"\n[source]\nkind = \"git\"\n\
                      [previews]\nbranches = 3\nhost = \"{branch}.test\"\n";
/// Answers what it is asked.
const MIRROR: &[u8] = b"[ctx.request.params, ctx.request.query, ctx.request.headers, ctx.request.body]";

#[test]
fn http() {
    let node = node(&[]).config(CONFIG).variable("PICLOUD_WEBHOOK_SECRET", "sesame").start();
    let (checkout, token) = (Checkout::empty(), admin(&node));
    let commit = checkout.commit(&[("functions/mirror/[...path].rhai", MIRROR)]);
    checkout.done(&["push", "--quiet", &url(&node, &token), "main", "main:fix/typo"]);
    let bearer = format!("Bearer {token}");
    wait_until("the branch is shown", PATIENCE, || {
        node.send("GET", "/_picloud/preview/fix/typo/mirror/a", &[("authorization", &bearer)], b"").status == 200
    });
    // Inputs in the corpus name what differs from node to node.
    let words = [("$TOKEN", token), ("$COMMIT", commit)];
    fuzz("http", move |input| {
        let sent = words.iter().fold(input.to_vec(), |sent, (word, value)| replaced(&sent, word.as_bytes(), value.as_bytes()));
        let answered = exchange(node.address(), &sent);
        assert!(!node.log().contains("panicked"), "{}", node.log());
        let text = String::from_utf8_lossy(&answered);
        let statuses: Vec<&str> =
            text.lines().filter(|line| line.starts_with("HTTP/1.")).filter_map(|line| line.split(' ').nth(1)).collect();
        assert!(answered.is_empty() || !statuses.is_empty(), "it answers `{text}`");
        assert!(!statuses.iter().any(|status| NEVER.contains(status)), "it answers {statuses:?}\n{}", node.log());
        format!("{statuses:?} {}", answered.len().checked_ilog2().unwrap_or(0))
    });
}

fn replaced(text: &[u8], word: &[u8], value: &[u8]) -> Vec<u8> {
    let mut rest = text;
    let mut done = Vec::new();
    while let Some(at) = rest.windows(word.len()).position(|part| part == word) {
        done.extend([&rest[..at], value].concat());
        rest = &rest[at + word.len()..];
    }
    [&done, rest].concat()
}

/// Sends these bytes and no more, and returns all that comes back.
fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may have heard enough before the end.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answered = Vec::new();
    match stream.read_to_end(&mut answered) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("the node does not answer: {error}"),
        _ => answered,
    }
}
