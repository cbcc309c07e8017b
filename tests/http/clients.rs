//! Clients that are slow, odd, or gone.

use std::{net::Shutdown, time::Duration};

use crate::kit::{
    client::Client,
    node::{Node, PATIENCE, node, wait_until},
};

const SHORT: &str = "[server]\nheader_timeout = \"300ms\"\nbody_timeout = \"300ms\"\nwrite_timeout = \"300ms\"\nmax_head = \"8KiB\"\n";

#[test]
fn a_head_that_is_too_large_is_refused() {
    let node = node(&[("a.rhai", "1")]).config(SHORT).start();
    assert_eq!(node.send("GET", "/a", &[("x-big", &"x".repeat(7_000))], b"").status, 200);
    let mut client = node.client();
    // The node may end the connection before it has read all of it.
    let answer = client.send("GET", "/a", &[("x-big", &"x".repeat(40_000))], b"");
    assert!(answer.as_ref().is_ok_and(|answer| answer.status == 431), "{answer:?}");
    assert_eq!(node.get("/a").text(), "1");
}

#[test]
fn a_client_that_is_slow_with_its_head_is_cut() {
    let node = node(&[("a.rhai", "1")]).config(SHORT).start();
    let mut client = node.client();
    client.write(b"GET /a HTTP/1.1\r\nhost: t\r\n").unwrap();
    client.rest().expect("the node ends the connection");
    // One that says nothing at all, too, and one that has nothing more to ask.
    node.client().rest().expect("the node ends the connection");
    let mut client = node.client();
    assert_eq!(client.get("/a").unwrap().text(), "1");
    client.rest().expect("the node ends the connection");
}

#[test]
fn who_is_refused_while_sending_hears_why_and_cannot_go_on_for_ever() {
    let node = node(&[("a.post.rhai", "1")]).start();
    let head = format!("POST /a HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n", 1_u64 << 40);
    let part = vec![b'1'; 1 << 20];
    // As many proxies do: they send what they have before they look at the answer.
    let mut client = node.client();
    client.write(head.as_bytes()).unwrap();
    for _ in 0..16 {
        client.write(&part).expect("the node still takes what is sent");
    }
    let answer = client.read("POST").expect("the answer was not lost");
    assert_eq!((answer.status, answer.json()["status"].as_u64()), (413, Some(413)));
    let mut endless = node.client();
    endless.write(head.as_bytes()).unwrap();
    wait_until("the node does not listen any more", PATIENCE, || endless.write(&part).is_err());
}

#[test]
fn a_body_that_does_not_come_in_time_is_not_waited_for() {
    let node = node(&[("a.post.rhai", "1")]).config(SHORT).start();
    let mut client = node.client();
    client.write(b"POST /a HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nhalf").unwrap();
    let answer = client.read("POST").unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (408, Some("application/problem+json")));
    client.rest().expect("the node ends the connection");
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let big =
        "+++\n[limits]\nstring = \"16MiB\"\nresponse = \"16MiB\"\nmemory = \"64MiB\"\n+++\nlet s = \"x\"; for i in 0..23 { s += s; } s";
    let node = node(&[("big.rhai", big), ("a.rhai", "1")]).config("[server]\nwrite_timeout = \"300ms\"\nmax_connections = 1\n").start();
    let mut client = node.client();
    client.write(b"GET /big HTTP/1.1\r\nhost: t\r\n\r\nGET /big HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    // The only place for a connection is free again.
    let answer = node.get("/a");
    assert_eq!(answer.text(), "1");
    let got = client.rest().map_or(0, |rest| rest.len());
    assert!(got < 16_000_000, "{got} bytes came");
}

#[test]
fn nonsense_is_refused_and_harms_nobody() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    for nonsense in [
        // A TLS hello.
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"hello\r\n\r\n",
        b"GET /a HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: t\r\ncontent-length: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut client = node.client();
        client.write(nonsense).unwrap();
        let answer = client.read("GET");
        assert!(answer.as_ref().is_ok_and(|answer| answer.status == 400), "{nonsense:?}: {answer:?}");
    }
    // HTTP/2 without TLS is not spoken here.
    let mut client = node.client();
    client.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    client.rest().expect("the node ends the connection");
    assert_eq!(node.get("/a").text(), "1");
}

#[test]
fn an_old_client_is_answered_and_hung_up_on() {
    let node = Node::start_with(&[("a.rhai", "\"one\"")]);
    let mut client = node.client();
    client.write(b"GET /a HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(client.read("GET").unwrap().text(), "one");
    client.rest().expect("the node ends the connection");
}

/// Whatever it is asked, it is never fast: runs that may be stopped are those on the pool.
const ENDLESS: &str = "+++\ntimeout = \"120s\"\n[limits]\noperations = 5_000_000_000\nconcurrency = 1\n+++\nif ctx.request.query.end != () { for i in 0..50_000 {} return 1; }\nlog::info(\"begun\"); loop {}";

#[test]
fn a_run_stops_when_its_client_goes_away() {
    let node = Node::start_with(&[("endless.rhai", ENDLESS)]);
    let mut client: Client = node.client();
    client.begin("/endless");
    wait_until("it runs", PATIENCE, || {
        client.begin_again("/endless");
        node.get("/endless?end").status == 503
    });
    drop(client);
    wait_until("its place is free", Duration::from_secs(20), || node.get("/endless?end").status == 200);
}

#[test]
fn a_client_that_closes_its_side_counts_as_gone() {
    let node = Node::start_with(&[("endless.rhai", ENDLESS)]);
    let mut client: Client = node.client();
    client.begin("/endless");
    wait_until("it runs", PATIENCE, || {
        client.begin_again("/endless");
        node.get("/endless?end").status == 503
    });
    client.socket().shutdown(Shutdown::Write).unwrap();
    wait_until("its place is free", Duration::from_secs(20), || node.get("/endless?end").status == 200);
    client.rest().expect("the node ends the connection");
}

#[test]
fn a_run_whose_client_went_away_is_recorded_as_cancelled() {
    let node = Node::start_with(&[("endless.rhai", ENDLESS)]);
    let mut client: Client = node.client();
    client.begin("/endless");
    wait_until("it runs", PATIENCE, || {
        client.begin_again("/endless");
        node.get("/endless?end").status == 503
    });
    // Its place is taken before a thread begins with the script. One that works has begun.
    let before = node.ticks_of_runs();
    wait_until("its script has begun", PATIENCE, || node.ticks_of_runs() > before + 2);
    drop(client);
    let execution = node.wait_for_execution("the cancelled run", |execution| execution.outcome == picloud::execution::Outcome::Cancelled);
    assert_eq!((execution.logs[0].message.as_str(), execution.status), ("begun", 499));
}
