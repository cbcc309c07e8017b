//! `/_picloud/metrics`.

use std::fs;

use picloud::live::METERS;

use crate::{
    kit::{
        api::bearer,
        node::{Node, PATIENCE, node, wait_until},
        proxy::Proxy,
        store::Fresh,
    },
    telemetry::scrape::{Scrape, promtool},
};

#[test]
fn only_a_token_that_may_read_opens_the_metrics() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let scrape = |headers: &[(&str, &str)]| node.send("GET", "/_picloud/metrics", headers, b"");
    assert_eq!(scrape(&[]).status, 401);
    assert_eq!(scrape(&[("authorization", &format!("Bearer picloud_{}", "0".repeat(64)))]).status, 401);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_picloud"));
    let made = command.args(["token", "create", "prometheus", "--scope", "read"]).current_dir(node.folder()).output().unwrap();
    let token = format!("Bearer {}", String::from_utf8(made.stdout).unwrap().trim());
    Scrape::from(scrape(&[("authorization", &token)]));
    // What browsers send by themselves is not enough.
    let password = format!("x:{}", token.strip_prefix("Bearer ").unwrap());
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, password);
    assert_eq!(scrape(&[("authorization", &format!("Basic {encoded}"))]).status, 401);
}

#[test]
fn open_metrics_ask_for_nothing() {
    let node = node(&[("a.rhai", "1")]).config("[metrics]\nopen = true").start();
    Scrape::from(node.get("/_picloud/metrics"));
    assert_eq!(node.get("/api/admin/status").status, 401);
}

#[test]
fn every_request_is_counted_once_by_function_class_and_outcome() {
    let node = Node::start_with(&[
        ("good.rhai", "1"),
        ("teapot.rhai", "#{ statusCode: 418, body: \"\" }"),
        ("bad.rhai", "throw \"no\""),
        ("endless.rhai", "+++\ntimeout = \"50ms\"\n+++\nloop {}"),
        ("small.rhai", "+++\n[limits]\nbody = 1\n+++\n1"),
    ]);
    let mut client = node.client();
    for _ in 0..5 {
        client.get("/good").unwrap();
    }
    for path in ["/teapot", "/bad", "/endless", "/nowhere", "/_picloud/health"] {
        client.get(path).unwrap();
    }
    assert_eq!(node.send("POST", "/small", &[], b"too large").status, 413);
    let id = node.get("/good").header("x-picloud-deployment").unwrap().to_owned();
    assert_eq!(node.send("GET", &format!("/_picloud/v/{id}/good"), &[("authorization", &bearer(&node))], b"").status, 200);

    let scrape = Scrape::of(&node);
    for (function, class, count) in [
        ("good", "2xx", 6.0),
        ("good", "5xx", 0.0),
        ("teapot", "4xx", 1.0),
        ("bad", "5xx", 1.0),
        ("endless", "5xx", 1.0),
        ("small", "4xx", 1.0),
        ("_none", "4xx", 1.0),
        ("_preview", "2xx", 1.0),
        ("_other", "2xx", 0.0),
    ] {
        assert_eq!(scrape.requests(function, class), count, "{function} {class}");
    }
    for (function, outcome, count) in
        [("good", "ok", 6.0), ("teapot", "ok", 1.0), ("bad", "failed", 1.0), ("endless", "timed_out", 1.0), ("small", "ok", 0.0)]
    {
        let sample = format!("picloud_executions_total{{function=\"{function}\",outcome=\"{outcome}\"}}");
        assert_eq!(scrape.value(&sample), count, "{function} {outcome}");
    }
    let duration = |end: &str| scrape.value(&format!("picloud_request_duration_seconds{end}"));
    assert_eq!(duration("_bucket{function=\"endless\",status_class=\"5xx\",le=\"0.01\"}"), 0.0);
    assert_eq!(duration("_bucket{function=\"endless\",status_class=\"5xx\",le=\"+Inf\"}"), 1.0);
    assert!(duration("_sum{function=\"endless\",status_class=\"5xx\"}") >= 0.05);
    promtool(&["check", "metrics"], &scrape.0);
}

#[test]
fn a_run_that_its_client_left_is_counted_and_its_place_is_seen_while_it_lasts() {
    let node =
        Node::start_with(&[("long.rhai", "+++\ntimeout = \"60s\"\n[limits]\noperations = 5_000_000_000\nconcurrency = 1\n+++\nloop {}")]);
    let running = |scrape: &Scrape| scrape.value("picloud_running_executions{function=\"long\"}");
    let mut client = node.client();
    client.begin("/long");
    wait_until("the run is seen", PATIENCE, || running(&Scrape::of(&node)) == 1.0);
    assert_eq!(Scrape::of(&node).value("picloud_pool_running_executions"), 1.0);
    assert_eq!(node.get("/long").status, 503);
    let scrape = Scrape::of(&node);
    assert_eq!(scrape.value("picloud_refused_executions_total{reason=\"function_busy\"}"), 1.0);
    assert_eq!(scrape.requests("long", "5xx"), 1.0);
    drop(client);
    wait_until("the run is over", PATIENCE, || running(&Scrape::of(&node)) == 0.0);
    let scrape = Scrape::of(&node);
    assert_eq!(scrape.requests("long", "4xx"), 1.0);
    assert_eq!(scrape.value("picloud_executions_total{function=\"long\",outcome=\"cancelled\"}"), 1.0);
}

#[test]
fn what_runs_hold_together_is_told_beside_what_they_may() {
    let holds = "+++\ntimeout = \"60s\"\n[limits]\noperations = 5_000_000_000\n+++\n\
        let a = \"\"; a.pad(900_000, 'x'); let b = a + 1; let c = a + 2; let d = a + 3; loop {}";
    let node = node(&[("holds.rhai", holds)]).config("[executor]\nmemory = \"256MiB\"").start();
    let held = || Scrape::of(&node).value("picloud_executor_memory_bytes");
    let scrape = Scrape::of(&node);
    assert_eq!((held(), scrape.value("picloud_executor_memory_limit_bytes")), (0.0, 256.0 * 1024.0 * 1024.0));
    assert_eq!((scrape.value("picloud_pool_waiting_executions"), scrape.value("picloud_pool_limit_executions")), (0.0, 128.0));
    let mut client = node.client();
    client.begin("/holds");
    wait_until("the run holds it", PATIENCE, || held() >= 2.5e6);
    drop(client);
    wait_until("it has given it back", PATIENCE, || held() == 0.0);
}

#[test]
fn a_function_is_counted_over_its_versions_and_gone_with_it() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    node.wait_for("/a", "1");
    let before = Scrape::of(&node).requests("a", "2xx");
    node.write("a.rhai", "2");
    node.wait_for("/a", "2");
    assert!(Scrape::of(&node).requests("a", "2xx") > before);
    node.remove("a.rhai");
    node.wait_for_status("/a", 404);
    let scrape = Scrape::of(&node);
    assert!(!scrape.0.contains("function=\"a\""), "{}", scrape.0);
    assert_eq!(scrape.requests("b", "2xx"), 0.0);
}

#[test]
fn functions_beyond_the_limit_are_counted_together() {
    let names: Vec<String> = (0..METERS + 20).map(|number| format!("f{number:03}.rhai")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let node = Node::start_with(&files);
    let mut client = node.client();
    for name in &names {
        assert_eq!(client.get(&format!("/{}", name.strip_suffix(".rhai").unwrap())).unwrap().status, 200);
    }
    let scrape = Scrape::of(&node);
    assert_eq!((scrape.requests("f000", "2xx"), scrape.requests("_other", "2xx")), (1.0, 20.0));
    let labelled = scrape.0.lines().filter(|line| line.starts_with("picloud_requests_total{") && line.contains("2xx")).count();
    assert_eq!(labelled, METERS + 3);
    // Requests that meet nothing make no series, whatever they ask for.
    let before = scrape.len();
    for number in 0..50 {
        client.get(&format!("/nowhere/{number}")).unwrap();
    }
    assert_eq!(Scrape::of(&node).len(), before);
    // A place that becomes free is given on, and nothing that was counted falls.
    node.remove("f000.rhai");
    node.wait_for_status("/f000", 404);
    let scrape = Scrape::of(&node);
    assert_eq!(
        (scrape.find("picloud_requests_total{function=\"f000\",status_class=\"2xx\"}"), scrape.requests("_other", "2xx")),
        (None, 20.0)
    );
    assert_eq!((scrape.requests("f001", "2xx"), scrape.requests(&format!("f{METERS}"), "2xx")), (1.0, 0.0));
}

#[test]
fn deployments_and_mistakes_are_told() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let scrape = Scrape::of(&node);
    assert_eq!((scrape.value("picloud_functions"), scrape.value("picloud_source_mistakes")), (1.0, 0.0));
    assert_eq!(scrape.value("picloud_deployments_total{status=\"live\"}"), 1.0);
    assert_eq!(scrape.find("picloud_last_deployment_timestamp_seconds{status=\"rejected\"}"), None);
    node.write("a.rhai", "let x = ;");
    node.wait_for_state("degraded");
    let scrape = Scrape::of(&node);
    assert_eq!(scrape.value("picloud_source_mistakes"), 1.0);
    assert_eq!(scrape.value("picloud_deployments_total{status=\"rejected\"}"), 1.0);
    let times =
        ["live", "rejected"].map(|status| scrape.value(&format!("picloud_last_deployment_timestamp_seconds{{status=\"{status}\"}}")));
    assert!(times[0] < times[1], "{times:?}");
    node.write("a.rhai", "2");
    node.wait_for("/a", "2");
    let scrape = Scrape::of(&node);
    assert_eq!((scrape.value("picloud_deployments_total{status=\"live\"}"), scrape.value("picloud_sync_lag_seconds")), (2.0, 0.0));
    promtool(&["check", "metrics"], &scrape.0);
}

#[test]
fn the_process_is_told_of() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let kept = node.client();
    let scrape = Scrape::of(&node);
    assert_eq!(scrape.value(&format!("picloud_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1.0);
    let resident = scrape.value("process_resident_memory_bytes");
    assert!((1e6..4e9).contains(&resident), "{resident}");
    assert!(scrape.value("process_threads") >= 2.0 && scrape.value("process_cpu_seconds_total") > 0.0);
    let handles = fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().count() as f64;
    let open = scrape.value("process_open_fds");
    assert!((open - handles).abs() < 5.0 && open < scrape.value("process_max_fds"), "{open} {handles}");
    assert!(scrape.value("picloud_connections") >= 2.0);
    drop(kept);
    wait_until("a closed connection is not counted", PATIENCE, || Scrape::of(&node).value("picloud_connections") == 1.0);
}

#[test]
fn a_database_that_goes_away_is_told_and_that_it_is_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_fresh, proxy, url) = runtime.block_on(async {
        let fresh = Fresh::postgres().await;
        let (proxy, url) = Proxy::before(&fresh.url).await;
        (fresh, proxy, url)
    });
    let node = node(&[("a.rhai", "1")]).variable("PICLOUD_DATABASE_URL", &url).start();
    let scrape = || {
        node.get("/a");
        let scrape = Scrape::of(&node);
        (scrape.value("picloud_database_up"), scrape.value("picloud_journal_spooled_bytes"))
    };
    wait_until("executions are recorded", PATIENCE, || {
        node.get("/a");
        Scrape::of(&node).value("picloud_journal_written_executions_total") > 0.0
    });
    assert_eq!(scrape().0, 1.0);
    proxy.cut();
    wait_until("the database is away, and executions wait", PATIENCE, || matches!(scrape(), (0.0, bytes) if bytes > 0.0));
    proxy.restore();
    wait_until("the database is back, and nothing waits", PATIENCE, || scrape() == (1.0, 0.0));
    let lost = Scrape::of(&node).value("picloud_journal_dropped_executions_total");
    assert_eq!(lost, 0.0);
}

#[test]
fn a_database_that_never_was_there_is_told() {
    let node = node(&[("a.rhai", "1")]).argument("--database").argument("postgres://nobody@127.0.0.1:1/none").start();
    assert_eq!(Scrape::of(&node).value("picloud_database_up"), 0.0);
}
