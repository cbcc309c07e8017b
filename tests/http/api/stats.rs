//! What executions came to, through the API and the commands of a real node on both databases.

use std::time::Duration;

use serde_json::Value;

use crate::{
    api::{Story, bearer, elsewhere, get, on_both_databases, refused, text},
    kit::{
        client::Response,
        node::{Node, wait_until},
    },
};

on_both_databases! {
    the_node_and_its_functions_are_told_of_over_time
    filters_leave_what_they_name
    failures_are_grouped_by_where_they_happened
    a_token_for_some_functions_sees_those
    a_restart_forgets_no_counts
    what_makes_no_sense_is_refused
}

const FILES: [(&str, &str); 3] = [("hello.rhai", "1"), ("orders/new.rhai", "let a = 1;\nthrow `no stock ${a}`"), ("idle.rhai", "1")];

/// Starts a node, of which `hello` was asked seven times and `orders/new` three times.
fn asked(story: &Story) -> Node {
    let node = story.setup(&FILES).start();
    (0..7).for_each(|_| assert_eq!(node.get("/hello").status, 200));
    (0..3).for_each(|_| assert_eq!(node.get("/orders/new").status, 502));
    until(&node, "/api/admin/stats", |stats| stats["total"]["requests"] == 10);
    node
}

/// Asks until the answer is this.
fn until(node: &Node, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    wait_until(path, Duration::from_secs(30), || {
        last = get(node, path).json();
        is_so(&last)
    });
    last
}

fn sum(values: &Value) -> u64 {
    values.as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).sum()
}

fn the_node_and_its_functions_are_told_of_over_time(story: Story) {
    let mut node = asked(&story);
    let stats = get(&node, "/api/admin/stats?since=1h&step=5m").json();
    assert_eq!((sum(&stats["requests"]), sum(&stats["failed"]), &stats["step_seconds"]), (10, 3, &300.into()));
    assert_eq!((sum(&stats["by_class"]["2xx"]), sum(&stats["by_class"]["5xx"])), (7, 3));
    let steps = stats["requests"].as_array().unwrap().len();
    assert!(
        (13..=14).contains(&steps)
            && ["p50_us", "p90_us", "p99_us", "waited_us"].iter().all(|key| stats[key].as_array().unwrap().len() == steps)
    );
    assert_eq!((&stats["total"]["by_outcome"]["ok"], &stats["total"]["by_outcome"]["failed"]), (&7.into(), &3.into()));
    assert!(stats["total"]["highest"]["operations"].as_u64().unwrap() > 0 && stats["total"]["p99_us"].is_u64());
    for (query, requests) in [("function=hello.rhai", 7), ("prefix=orders/", 3), ("function=never", 0), ("prefix=n", 0)] {
        assert_eq!(get(&node, &format!("/api/admin/stats?{query}")).json()["total"]["requests"], requests, "{query}");
    }

    let page = get(&node, "/api/admin/stats/functions").json();
    let functions: Vec<_> =
        page["functions"].as_array().unwrap().iter().map(|function| (&function["function"], &function["state"])).collect();
    let expected =
        [("orders/new", "failing"), ("hello", "ok"), ("idle", "idle")].map(|(name, state)| (Value::from(name), Value::from(state)));
    assert_eq!(functions, expected.iter().map(|(name, state)| (name, state)).collect::<Vec<_>>());
    assert_eq!(page["counts"], serde_json::json!({ "failing": 1, "slow": 0, "ok": 1, "idle": 1 }));
    let worst = &page["functions"][0];
    assert_eq!(worst["because"], "3 of 3 runs of the last hour failed (100.0 %)");
    assert!(worst["last_failure"].is_string() && worst["version_since"].is_string() && sum(&worst["failed"]) == 3);
    let version = worst["version"].as_str().unwrap();
    assert_eq!(get(&node, &format!("/api/admin/stats?version={version}")).json()["total"]["requests"], 3);
    let begin = &version[..8];
    assert_eq!(get(&node, &format!("/api/admin/stats?function=orders/new&version={begin}")).json()["total"]["requests"], 3);
    assert_eq!(refused(&node, &format!("/api/admin/stats?version={begin}")).0, 400);
    for (query, first, next) in [
        ("sort=requests&limit=1", "hello", Some(1)),
        ("sort=requests&limit=1&cursor=1", "orders/new", Some(2)),
        ("sort=name", "hello", None),
        ("state=idle", "idle", None),
        ("text=NEW", "orders/new", None),
        ("prefix=id", "idle", None),
        ("by=version&sort=failed", "orders/new", None),
    ] {
        let page = get(&node, &format!("/api/admin/stats/functions?{query}")).json();
        assert_eq!((&page["functions"][0]["function"], page["next"].as_u64()), (&first.into(), next), "{query}");
    }
    let folder = tempfile::tempdir().unwrap();
    let shown = text(elsewhere(&folder, &node, &["top"]).output().unwrap());
    assert!(shown.contains("failing  orders/new") && shown.lines().count() == 4, "{shown}");
    let shown = text(elsewhere(&folder, &node, &["stats", "hello"]).output().unwrap());
    assert!(shown.lines().last().unwrap().starts_with("all"), "{shown}");
    node.stop();
}

fn filters_leave_what_they_name(story: Story) {
    let mut node = asked(&story);
    let deployment = get(&node, "/api/admin/deployments/live").json()["id"].as_str().unwrap().to_owned();
    assert_eq!(node.send("POST", "/api/admin/invoke", &[("authorization", &bearer(&node))], br#"{"path":"/hello"}"#).status, 200);
    until(&node, "/api/admin/stats?trigger=invoke", |stats| stats["total"]["requests"] == 1);
    for (query, requests) in [
        ("trigger=http", 10),
        ("trigger=event", 0),
        ("trigger=http&function=hello", 7),
        ("status=5xx", 3),
        ("status=2XX&trigger=http&prefix=hel", 7),
        ("status=4xx", 0),
        // A trial counts only where it is asked for.
        ("deployment=live", 10),
        ("trigger=invoke", 1),
        (&format!("deployment={deployment}&status=5xx&since=1h&until=0s"), 3),
    ] {
        let stats = get(&node, &format!("/api/admin/stats?{query}")).json();
        assert_eq!((&stats["total"]["requests"], sum(&stats["requests"])), (&requests.into(), requests), "{query}");
    }
    // Of a class nothing but the number is known.
    let total = get(&node, "/api/admin/stats?status=5xx").json()["total"].take();
    let told = ["p50_us", "p99_us", "waited_us", "highest"].map(|key| &total[key]);
    assert_eq!((told, &total["by_outcome"], &total["failed"]), ([&Value::Null; 4], &serde_json::json!({}), &3.into()));
    for (query, first, requests) in
        [("trigger=invoke&sort=requests", "hello", 1), (&format!("deployment={deployment}&sort=failed&by=version"), "orders/new", 3)]
    {
        let page = get(&node, &format!("/api/admin/stats/functions?{query}")).json();
        assert_eq!(
            (&page["functions"][0]["function"], &page["functions"][0]["total"]["requests"]),
            (&first.into(), &requests.into()),
            "{query}"
        );
    }
    let (status, detail) = refused(&node, "/api/admin/stats?deployment=live&until=1h");
    assert!(status == 400 && detail.contains("it was live from") && detail.contains("until now"), "{detail}");
    let folder = tempfile::tempdir().unwrap();
    for (arguments, last) in [
        (&["stats", "--status", "5xx", "--trigger", "http", "--deployment", "live"][..], "all                   3"),
        (&["top", "--deployment", &deployment, "--trigger", "invoke", "--sort", "requests"], "0 failing, 0 slow, 1 ok, 2 idle"),
    ] {
        let output = elsewhere(&folder, &node, arguments).output().unwrap();
        let shown = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(output.status.success() && shown.lines().last().unwrap().starts_with(last), "{shown}");
    }
    node.stop();
}

fn failures_are_grouped_by_where_they_happened(story: Story) {
    let mut node = asked(&story);
    let is_whole = |list: &Value| list["failures"][0]["count"] == 3;
    let list = until(&node, "/api/admin/stats/failures?since=1h", is_whole);
    let group = &list["failures"][0];
    assert_eq!(
        (&group["function"], &group["file"], &group["line"], &group["column"]),
        (&"orders/new".into(), &"orders/new.rhai".into(), &2.into(), &1.into())
    );
    assert_eq!((&group["message"], sum(&group["counts"])), (&"no stock 1".into(), 3));
    assert_eq!((list["failures"].as_array().unwrap().len(), &list["looked_back_to"]), (1, &Value::Null));
    let last = group["execution"].as_str().unwrap();
    assert_eq!(get(&node, &format!("/api/admin/executions/{last}")).json()["failure"]["message"], "no stock 1");
    assert_eq!(get(&node, "/api/admin/stats/failures?function=hello").json()["failures"], serde_json::json!([]));
    let folder = tempfile::tempdir().unwrap();
    let shown = text(elsewhere(&folder, &node, &["top", "--failures"]).output().unwrap());
    assert!(shown.contains("orders/new.rhai:2:1"), "{shown}");
    node.stop();
}

fn a_token_for_some_functions_sees_those(story: Story) {
    let mut node = asked(&story);
    let secret = text(story.beside(&node, &["token", "create", "some", "--scope", "read", "--functions", "orders"]).output().unwrap());
    let ask = |path: &str| -> Response { node.send("GET", path, &[("authorization", &format!("Bearer {}", secret.trim()))], b"") };
    let page = ask("/api/admin/stats/functions").json();
    assert_eq!((&page["functions"][0]["function"], page["functions"].as_array().unwrap().len()), (&"orders/new".into(), 1));
    let versions = ask("/api/admin/stats/functions?by=version").json();
    assert_eq!(versions["functions"].as_array().unwrap().len(), 1);
    for (path, status) in [
        ("/api/admin/stats", 403),
        ("/api/admin/stats?function=hello", 403),
        ("/api/admin/stats?function=orders/new", 200),
        ("/api/admin/stats?prefix=orders/", 200),
        ("/api/admin/stats?prefix=orders/&trigger=http&status=5xx", 200),
        ("/api/admin/stats?prefix=orders/&deployment=live", 403),
        ("/api/admin/stats/functions?deployment=live", 403),
        ("/api/admin/stats/failures", 403),
        ("/api/admin/stats/failures?function=hello", 403),
        ("/api/admin/stats/failures?prefix=orders/", 200),
    ] {
        assert_eq!((ask(path).status, node.get(path).status), (status, 401), "{path}");
    }
    node.stop();
}

fn a_restart_forgets_no_counts(story: Story) {
    let mut node = asked(&story);
    node.stop();
    let mut node = story.setup(&FILES).config("[journal]\nrecord = \"none\"\n").start();
    assert_eq!(node.get("/hello").status, 200);
    until(&node, "/api/admin/stats?function=hello", |stats| stats["total"]["requests"] == 8);
    assert_eq!(get(&node, "/api/admin/executions?function=hello").json()["executions"].as_array().unwrap().len(), 7);
    node.stop();
}

fn what_makes_no_sense_is_refused(story: Story) {
    let mut node = story.setup(&[("a.rhai", "1")]).start();
    let said: Vec<String> = [
        "stats?since=soon",
        "stats?since=1h&until=2h",
        "stats?step=often",
        "stats?function=a&prefix=a",
        "stats?trigger=htp",
        "stats?status=404",
        "stats?status=timed_out",
        "stats?status=1xx",
        "stats?status=broken",
        "stats?deployment=never-there",
        "stats?deployment=ab",
        "stats/functions?status=5xx",
        "stats/functions?deployment=never-there",
        "stats/functions?sort=age",
        "stats/functions?limit=201",
        "stats/functions?state=fine",
        "stats/failures?limit=1",
    ]
    .iter()
    .map(|path| refused(&node, &format!("/api/admin/{path}")))
    .map(|(status, detail)| format!("{status} {detail}"))
    .collect();
    // By its name, as both databases answer the same.
    insta::assert_snapshot!("what_makes_no_sense_is_refused", said.join("\n"));
    node.stop();
}
