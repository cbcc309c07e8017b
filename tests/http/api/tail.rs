//! Executions as they come.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use picloud::clock::monotonic;
use serde_json::Value;

use crate::{
    api::{Story, get, on_both_databases},
    kit::{
        api::bearer,
        node::{Node, PATIENCE, node, wait_until},
    },
};

on_both_databases! {
    everybody_is_told_each_execution_once
    whoever_was_cut_off_goes_on_where_it_was
    whoever_follows_comes_again_when_a_token_is_revoked
    a_node_that_was_started_anew_tells_what_was_missed
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    id: String,
    pub data: Value,
}

/// Somebody who follows.
pub struct Tail {
    stream: BufReader<TcpStream>,
    text: String,
    events: VecDeque<Event>,
}

impl Tail {
    /// Follows, and waits until the node listens for it.
    fn of(node: &Node, query: &str, after: Option<&str>) -> Self {
        Self::by(node, &bearer(node), query, after)
    }

    fn by(node: &Node, who: &str, query: &str, after: Option<&str>) -> Self {
        let last = after.map_or(String::new(), |id| format!("\r\nlast-event-id: {id}"));
        Self::at(node, &format!("/api/admin/executions/tail{query}"), &format!("authorization: {who}{last}"))
    }

    /// Follows what is at this path, with these headers.
    pub fn at(node: &Node, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(node.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: test\r\n{headers}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut tail = Self { stream: BufReader::new(stream), text: String::new(), events: VecDeque::new() };
        assert_eq!(tail.line(), "HTTP/1.1 200 OK");
        while !tail.line().is_empty() {}
        tail.part();
        assert!(tail.text.starts_with(": following\n"), "{}", tail.text);
        tail.events();
        tail
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads one part of the body; returns whether it was the last.
    fn part(&mut self) -> bool {
        let length = usize::from_str_radix(&self.line(), 16).unwrap();
        let mut part = vec![0; length + 2];
        self.stream.read_exact(&mut part).unwrap();
        self.text.push_str(std::str::from_utf8(&part[..length]).unwrap());
        length == 0
    }

    fn events(&mut self) {
        while let Some(end) = self.text.find("\n\n") {
            let block: String = self.text.drain(..end + 2).collect();
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
            let (name, id) = (field("event: "), field("id: "));
            if !name.is_empty() {
                self.events.push_back(Event { name, id, data: serde_json::from_str(&field("data: ")).unwrap() });
            }
        }
    }

    /// Waits for the next event; none at the end.
    pub fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.part() {
                return None;
            }
            self.events();
        }
    }

    /// Returns the paths of the next executions.
    fn paths(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.execution().data["path"].as_str().unwrap().to_owned()).collect()
    }

    fn execution(&mut self) -> Event {
        let event = self.next().expect("it goes on");
        assert_eq!((event.name.as_str(), event.data["id"].as_str()), ("execution", Some(event.id.as_str())));
        event
    }

    /// Returns the id of the last of the next executions.
    fn last_of(&mut self, count: usize) -> String {
        let ids: Vec<String> = (0..count).map(|_| self.execution().id).collect();
        ids.last().unwrap().clone()
    }

    /// Reads to the end, and returns all events.
    fn rest(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

const FILES: [(&str, &str); 2] = [("a/[n].rhai", "log::info(ctx.request.params.n); 1"), ("b/[n].rhai", "throw \"no\"")];

fn ask(node: &Node, paths: &[String]) {
    let mut client = node.client();
    for path in paths {
        client.get(path).unwrap();
    }
}

fn paths(of: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("/{of}/{number}")).collect()
}

fn everybody_is_told_each_execution_once(story: Story) {
    let mut node = story.setup(&FILES).start();
    ask(&node, &paths("a", 0..3));
    let queries = ["", "?prefix=a/", "?status=5xx", "?function=b/%5Bn%5D.rhai&text=no", "?text=14"];
    wait_until("what was before is recorded", PATIENCE, || {
        get(&node, "/api/admin/executions").json()["executions"].as_array().unwrap().len() == 3
    });
    let mut tails = queries.map(|query| Tail::of(&node, query, None));
    let (a, b) = (paths("a", 10..30), paths("b", 0..20));
    let asked: Vec<String> = a.iter().zip(&b).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
    ask(&node, &asked);
    let expected = [asked, a, b.clone(), b, vec!["/a/14".into()]];
    for ((tail, expected), query) in tails.iter_mut().zip(&expected).zip(queries) {
        assert_eq!(tail.paths(expected.len()), *expected, "{query}");
    }
    // The end of the node is theirs, and they do not hold it up.
    let began = monotonic();
    node.stop();
    assert!(began.elapsed() < PATIENCE / 2, "it took {:?}", began.elapsed());
    for tail in &mut tails {
        let rest = tail.rest();
        assert_eq!(rest.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["ended"]);
        assert_eq!(rest[0].data["reason"], "the node stops");
    }
}

fn whoever_was_cut_off_goes_on_where_it_was(story: Story) {
    let mut node = story.setup(&FILES).start();
    let mut tail = Tail::of(&node, "?prefix=a/", None);
    ask(&node, &paths("a", 0..10));
    let last = tail.last_of(5);
    drop(tail);
    ask(&node, &[paths("a", 10..15), paths("b", 0..5)].concat());
    wait_until("all are written", PATIENCE, || get(&node, "/api/admin/executions").json()["executions"].as_array().unwrap().len() == 20);
    let mut tail = Tail::of(&node, "?prefix=a/", Some(&last));
    ask(&node, &paths("a", 15..20));
    assert_eq!(tail.paths(15), paths("a", 5..20));
    // Whoever has seen everything misses nothing.
    let mut again = Tail::of(&node, "?prefix=a/", Some(&tail_id(&node)));
    ask(&node, &paths("a", 20..21));
    assert_eq!((tail.paths(1), again.paths(1)), (paths("a", 20..21), paths("a", 20..21)));
    node.stop();
}

/// The newest execution.
fn whoever_follows_comes_again_when_a_token_is_revoked(story: Story) {
    let node = story.setup(&FILES).start();
    let headers = [("authorization", &*bearer(&node))];
    let made = node.send("POST", "/api/admin/tokens", &headers, br#"{ "name": "ann", "scope": "read" }"#);
    let anns = format!("Bearer {}", made.json()["secret"].as_str().unwrap());
    let mut tails = [Tail::by(&node, &anns, "", None), Tail::of(&node, "", None)];
    assert_eq!(node.send("DELETE", "/api/admin/tokens/ann", &headers, b"").status, 204);
    ask(&node, &paths("a", 0..3));
    for tail in &mut tails {
        let rest = tail.rest();
        assert_eq!(rest.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["ended"]);
        assert_eq!(rest[0].data["reason"], "come again: a token was revoked, or somebody signed out");
    }
    assert_eq!(node.send("GET", "/api/admin/executions/tail", &[("authorization", &anns)], b"").status, 401);
}

fn tail_id(node: &Node) -> String {
    get(node, "/api/admin/executions?limit=1").json()["executions"][0]["id"].as_str().unwrap().to_owned()
}

fn a_node_that_was_started_anew_tells_what_was_missed(story: Story) {
    let mut node = story.setup(&FILES).start();
    let mut tail = Tail::of(&node, "", None);
    ask(&node, &paths("a", 0..4));
    let last = tail.last_of(2);
    node.restart();
    let mut tail = Tail::of(&node, "", Some(&last));
    ask(&node, &paths("a", 4..6));
    assert_eq!(tail.paths(4), paths("a", 2..6));
    node.stop();
}

#[test]
fn a_slow_reader_is_dropped_and_hears_it_while_others_go_on() {
    let talk =
        "+++\n[limits]\nlog_size = \"1MiB\"\n+++\nlet s = \"x\"; s.pad(125_000, 'x'); for i in 0..4 { log::info(s); } ctx.request.params.n";
    let node = node(&[("a/[n].rhai", talk)]).config("[server]\ntail_rate = 1000000\n").start();
    let mut slow = Tail::of(&node, "", None);
    let mut fast = Tail::of(&node, "", None);
    // More than sockets and the feed hold together: 500 KB each.
    let asked = paths("a", 0..80);
    for part in asked.chunks(4) {
        ask(&node, part);
        assert_eq!(fast.paths(part.len()), part);
    }
    let rest = slow.rest();
    let (end, told) = rest.split_last().unwrap();
    assert_eq!(end.name, "dropped");
    assert!(end.data["reason"].as_str().unwrap().contains("too slowly"), "{end:?}");
    assert!(told.len() < asked.len(), "{}", told.len());
    node.wait_for_line(&["reads too slowly"]);
    // It can go on: of so much the newest is told, and that it is not all.
    let mut again = Tail::of(&node, "", told.last().map(|event| event.id.as_str()));
    assert_eq!(again.next().unwrap().name, "skipped");
    let mut newest = Vec::new();
    while newest.last() != asked.last() {
        newest.extend(again.paths(1));
    }
    assert_eq!(newest, asked[asked.len() - newest.len()..]);
}

#[test]
fn more_than_is_told_in_a_second_is_counted() {
    let node = node(&[("a/[n].rhai", "1")]).config("[server]\ntail_rate = 5\n").start();
    let mut tail = Tail::of(&node, "", None);
    ask(&node, &paths("a", 0..60));
    let (mut told, mut skipped) = (0, 0);
    while told + skipped < 60 {
        let event = tail.next().unwrap();
        match event.name.as_str() {
            "execution" => told += 1,
            "skipped" => skipped += event.data["count"].as_u64().unwrap(),
            other => panic!("{other}"),
        }
    }
    assert!((5..60).contains(&told) && told + skipped == 60, "{told} {skipped}");
}

#[test]
fn only_so_many_follow_at_once() {
    let node = node(&[("a.rhai", "1")]).config("[server]\nmax_tails = 1\n").start();
    let first = Tail::of(&node, "", None);
    let answer = get(&node, "/api/admin/executions/tail");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.json()["detail"].as_str().unwrap().contains("`max_tails`"));
    drop(first);
    wait_until("the place is free", PATIENCE, || {
        let mut client = node.client();
        client
            .write(format!("HEAD /api/admin/executions/tail HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\r\n", bearer(&node)).as_bytes())
            .unwrap();
        client.read("HEAD").unwrap().status == 200
    });
}

#[test]
fn where_to_go_on_is_an_id() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let answer = node.send("GET", "/api/admin/executions/tail", &[("authorization", &bearer(&node)), ("last-event-id", "x")], b"");
    assert_eq!((answer.status, answer.json()["detail"].as_str().unwrap().contains("`last-event-id`")), (400, true));
}
