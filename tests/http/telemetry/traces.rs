//! Traces: what a collector is told of a request.

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use picloud::clock::monotonic;

use crate::{
    kit::{
        api::bearer,
        node::{Node, PATIENCE, node, wait_until},
    },
    telemetry::{
        collector::{Collector, Mood, stop, tracing_to},
        scrape::Scrape,
    },
};

const ALL: &str = "sample = 1";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
/// Says what it was told of its trace.
const TELLS: &str = "ctx.request.headers.traceparent ?? \"none\"";

fn traces(node: &Node, name: &str) -> f64 {
    Scrape::of(node).value(&format!("picloud_traces_{name}"))
}

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

#[test]
fn a_request_is_a_span_with_its_route_its_run_and_its_record_as_parts() {
    let collector = Collector::start(Mood::Takes);
    let node = collector.of(node(&[("orders/[id].rhai", TELLS)]), "sample = 1\nservice = \"shop\"").start();
    let answer = node.get("/orders/7?secret=1");
    let spans = collector.wait_for_request("/orders/7", 4);
    let names: Vec<&str> = spans.iter().map(|span| span.name()).collect();
    assert_eq!(names, ["GET /orders/[id]", "route", "run", "journal"]);
    let [request, route, run, journal] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((request.0["kind"].as_u64(), request.0.get("parentSpanId"), request.0.get("status")), (Some(2), None, None));
    for part in [route, run, journal] {
        assert_eq!((part.text("traceId"), part.text("parentSpanId")), (request.text("traceId"), request.text("spanId")));
        assert_eq!(part.0["kind"], 1);
        assert!(request.times().0 <= part.times().0 && part.times().0 <= part.times().1, "{part:?}");
    }
    // What is recorded after the answer ends after it; the others do not.
    assert!(route.times().1 <= run.times().0 && run.times().1 <= request.times().1, "{spans:?}");
    let execution = answer.header("x-picloud-execution");
    for (span, key, value) in [
        (request, "http.request.method", Some("GET")),
        (request, "http.route", Some("/orders/[id]")),
        (request, "http.response.status_code", Some("200")),
        (request, "picloud.function", Some("orders/[id]")),
        (request, "picloud.version", answer.header("x-picloud-version")),
        (request, "picloud.deployment", answer.header("x-picloud-deployment")),
        (request, "picloud.execution.id", execution),
        (run, "picloud.outcome", Some("ok")),
        (journal, "picloud.execution.id", execution),
    ] {
        assert_eq!(span.attribute(key), value, "{key}");
    }
    // The function hands on that it is the run that asks.
    assert_eq!(answer.text(), format!("00-{}-{}-01", request.text("traceId"), run.text("spanId")));
    assert!(!format!("{spans:?}").contains("secret"));
    wait_until("what was sent is counted", PATIENCE, || traces(&node, "sent_spans_total") == 4.0);
    assert_eq!((traces(&node, "queued_spans"), traces(&node, "dropped_spans_total")), (0.0, 0.0));
}

#[test]
fn a_caller_s_trace_goes_on_and_its_word_on_sampling_counts() {
    let collector = Collector::start(Mood::Takes);
    // By chance nothing would be traced.
    let node = collector.of(node(&[("[what].rhai", TELLS)]), "sample = 0").start();
    let ask = |path: &str, header: &str| node.send("GET", path, &[("traceparent", header)], b"").text();
    let unwanted = ask("/unwanted", &traceparent("00"));
    assert_eq!(unwanted, traceparent("00"), "a trace that is not wanted passes through");
    assert_eq!(node.get("/by-chance").text(), "none");
    let seen = ask("/wanted", &traceparent("01"));
    let spans = collector.wait_for_request("/wanted", 4);
    assert_eq!((spans[0].text("traceId"), spans[0].text("parentSpanId")), (TRACE, CALLER));
    assert_eq!(seen, format!("00-{TRACE}-{}-01", spans[2].text("spanId")));
    stop(node);
    assert_eq!(collector.spans().len(), 4, "{:?}", collector.spans());
}

#[test]
fn a_bad_traceparent_is_as_good_as_none() {
    let collector = Collector::start(Mood::Takes);
    let node = collector.of(node(&[("[what].rhai", TELLS)]), ALL).start();
    let bad = [
        format!("00-{}-{CALLER}-01", "0".repeat(32)),
        format!("00-{}-{CALLER}-00", TRACE.to_uppercase()),
        traceparent("00").replacen("00", "ff", 1),
        "x".repeat(5_000),
    ];
    for (number, header) in bad.iter().enumerate() {
        let path = format!("/bad-{number}");
        let answer = node.send("GET", &path, &[("traceparent", header)], b"");
        let request = collector.wait_for_request(&path, 4).remove(0);
        assert_eq!(request.0.get("parentSpanId"), None);
        assert_ne!(request.text("traceId"), TRACE);
        assert!(answer.text().contains(request.text("traceId")), "{}", answer.text());
    }
    let two = [("traceparent", traceparent("01")), ("traceparent", traceparent("00"))];
    let two = two.each_ref().map(|(name, value)| (*name, value.as_str()));
    node.send("GET", "/two", &two, b"");
    assert_ne!(collector.wait_for_request("/two", 4)[0].text("traceId"), TRACE);
}

#[test]
fn what_goes_wrong_is_told_where_it_did() {
    let collector = Collector::start(Mood::Takes);
    let files = [
        ("bad.rhai", "\n  throw \"no luck\""),
        ("long.rhai", "+++\ntimeout = \"60s\"\n[limits]\noperations = 5_000_000_000\nconcurrency = 1\n+++\nloop {}"),
        ("small.rhai", "+++\n[limits]\nbody = 1\n+++\n1"),
    ];
    let node = collector.of(node(&files), ALL).start();
    node.get("/bad");
    let spans = collector.wait_for_request("/bad", 4);
    assert_eq!((spans[0].0["status"]["code"].as_u64(), spans[0].attribute("http.response.status_code")), (Some(2), Some("502")));
    let message = spans[2].0["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("bad.rhai:2:3: ") && message.contains("no luck"), "{message}");
    assert_eq!(spans[2].attribute("picloud.outcome"), Some("failed"));
    // What met nothing has no run. What had no body to run on has none either, but a record.
    node.get("/nowhere");
    node.send("POST", "/small", &[], b"too large");
    for (path, expected, status) in [("/nowhere", &["GET", "route"][..], "404"), ("/small", &["POST /small", "route", "journal"], "413")] {
        let spans = collector.wait_for_request(path, expected.len());
        let names: Vec<&str> = spans.iter().map(|span| span.name()).collect();
        assert_eq!((names.as_slice(), spans[0].attribute("http.response.status_code")), (expected, Some(status)));
        assert_eq!(spans[0].attribute("picloud.execution.id").is_some(), path == "/small");
        assert_eq!(spans[0].0.get("status"), None, "the caller's mistake is no error of ours");
    }
    // One that was refused, and one whose client left.
    let mut client = node.client();
    client.begin("/long");
    wait_until("the run is under way", PATIENCE, || Scrape::of(&node).value("picloud_running_executions{function=\"long\"}") == 1.0);
    assert_eq!(node.get("/long").status, 503);
    drop(client);
    let ended = |status: &str| {
        let spans = collector.spans();
        let of = |span: &&crate::telemetry::collector::Span| span.attribute("http.response.status_code") == Some(status);
        let request = spans.iter().find(of)?.text("spanId").to_owned();
        spans.into_iter().find(|span| span.name() == "run" && span.text("parentSpanId") == request)
    };
    for (status, why) in [("503", "already runs 1 times"), ("499", "the client went away")] {
        wait_until(&format!("the request with {status} is told of"), PATIENCE, || ended(status).is_some());
        let run = ended(status).unwrap();
        assert!(run.0["status"]["message"].as_str().unwrap().contains(why), "{run:?}");
    }
}

#[test]
fn runs_by_id_and_earlier_deployments_are_traced_and_the_node_s_own_urls_are_not() {
    let collector = Collector::start(Mood::Takes);
    let node = collector.of(node(&[("a.rhai", "ctx.script_id")]), ALL).start();
    let answer = node.get("/a");
    let (id, deployment) = (answer.text(), answer.header("x-picloud-deployment").unwrap());
    let by_id = format!("/api/execute/{id}");
    assert_eq!(node.get(&by_id).status, 200);
    assert_eq!(node.send("GET", &format!("/_picloud/v/{deployment}/a"), &[("authorization", &bearer(&node))], b"").status, 200);
    assert_eq!(collector.wait_for_request(&by_id, 4)[0].attribute("picloud.trigger"), Some("execute"));
    stop(node);
    let requests = collector.spans().iter().filter(|span| span.0["kind"] == 2).count();
    assert_eq!((requests, collector.spans().len()), (3, 12));
}

#[test]
fn executions_that_are_not_recorded_have_no_record_to_wait_for() {
    let collector = Collector::start(Mood::Takes);
    let node = collector.of(node(&[("a.rhai", "1")]), "sample = 1\n[journal]\nrecord = \"none\"").start();
    node.get("/a");
    stop(node);
    let spans = collector.wait_for(3);
    assert!(spans.iter().all(|span| span.name() != "journal"), "{spans:?}");
}

#[test]
fn without_a_collector_to_go_to_nothing_is_traced() {
    let node = Node::start_with(&[("a.rhai", TELLS)]);
    assert_eq!(node.send("GET", "/a", &[("traceparent", &traceparent("01"))], b"").text(), traceparent("01"));
    assert_eq!(Scrape::of(&node).find("picloud_traces_queued_spans"), None);
    let threads = std::fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap_or_default());
    assert!(names.into_iter().all(|name| name.trim() != "traces"));
}

/// Asks often; no answer may wait for the collector, whose limit is ten seconds.
fn ask_often(node: &Node, count: usize) {
    let began: Instant = monotonic();
    let mut client = node.client();
    for _ in 0..count {
        assert_eq!(client.get("/a").unwrap().status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// An address where nobody listens, and that no other test will be given.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap()
}

#[test]
fn spans_wait_for_a_collector_that_is_away_and_those_beyond_the_queue_are_counted() {
    let address = nobody();
    let node = tracing_to(address, node(&[("a.rhai", "1")]), "sample = 1\nqueue = 20").start();
    node.get("/a");
    node.wait_for_line(&["the collector of traces at", "is away"]);
    ask_often(&node, 100);
    wait_until("the queue is full, and a batch beside it is being sent", PATIENCE, || traces(&node, "queued_spans") > 20.0);
    // Four of each request; those of the first were on their way when it was found to be away.
    wait_until("the others are counted", PATIENCE, || traces(&node, "dropped_spans_total") >= 101.0 * 4.0 - 20.0 - 4.0);
    assert_eq!(traces(&node, "sent_spans_total"), 0.0);
    let collector = Collector::at(address, Mood::Takes);
    node.wait_for_line(&["the collector of traces at", "takes them again"]);
    assert!(collector.wait_for(20).len() >= 20);
    wait_until("nothing waits", PATIENCE, || traces(&node, "queued_spans") == 0.0);
    let said = node.log().matches("is away").count();
    assert_eq!(said, 1, "{}", node.log());
}

#[test]
fn a_collector_that_hangs_keeps_no_request_waiting_and_no_end() {
    let collector = Collector::start(Mood::Hangs);
    let node = collector.of(node(&[("a.rhai", "1")]), "sample = 1\nqueue = 20").start();
    node.get("/a");
    wait_until("the collector has the first spans", PATIENCE, || collector.requests() > 0);
    ask_often(&node, 100);
    wait_until("spans are dropped", PATIENCE, || traces(&node, "dropped_spans_total") > 0.0);
    let began = monotonic();
    stop(node);
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}

#[test]
fn a_collector_that_refuses_is_not_asked_again_for_the_same_and_one_that_is_busy_is() {
    let collector = Collector::start(Mood::Answers(404));
    let node = collector.of(node(&[("a.rhai", "1")]), ALL).start();
    node.get("/a");
    node.wait_for_line(&["refuses traces", "it answers 404"]);
    wait_until("what was refused is counted", PATIENCE, || traces(&node, "dropped_spans_total") == 4.0);
    collector.becomes(Mood::Answers(503));
    node.get("/a");
    node.wait_for_line(&["is away", "it answers 503"]);
    collector.becomes(Mood::Takes);
    collector.wait_for(4);
    wait_until("they are counted as sent", PATIENCE, || traces(&node, "sent_spans_total") == 4.0);
    assert_eq!(traces(&node, "dropped_spans_total"), 4.0);
}

#[test]
fn the_last_spans_are_sent_before_the_end() {
    let collector = Collector::start(Mood::Takes);
    let node = collector.of(node(&[("a.rhai", "1")]), ALL).start();
    node.get("/a");
    stop(node);
    let names: Vec<_> = collector.spans().iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}
