//! What a function does outside is told by the execution, the trace and the metrics, and is given back in a replay: with real key-value, a real
//! database, and a real service.

use serde_json::{Value, json};

use crate::{
    kit::{
        api::{Api, bearer},
        node::{Node, PATIENCE, Setup, node, wait_until},
        store::on_both_nodes,
        upstream::Upstream,
    },
    telemetry::{
        collector::{Collector, Mood},
        scrape::Scrape,
    },
};

on_both_nodes! {
    what_a_function_does_outside_is_told_everywhere_and_given_back_in_a_replay
}

const ORDERS: &str = "CREATE TABLE orders (number INTEGER PRIMARY KEY, price DOUBLE PRECISION NOT NULL, at TIMESTAMP NOT NULL);";
/// Answers with all that it gets from outside, so that a replay that gets anything else answers otherwise.
const ORDER: &str = r#"+++
methods = ["POST"]
capture = true
[kv]
name = "shop"
[sql]
database = "app"
[http]
allow = ["URL"]
+++
let number = kv::add("number");
let total = kv::update("total", |total| (total ?? 0) + 5);
let price = http::post("URL/price?key=sesame", #{ json: #{ secret: "sesame" } }).json;
let at = time::now();
let order = sql::transaction(|tx| {
    tx.exec("INSERT INTO orders VALUES ($1, $2, $3)", [number, price.amount, at]);
    tx.one("SELECT number, price, at FROM orders WHERE number = $1", [number])
});
let failed = ();
try { sql::exec("INSERT INTO orders VALUES ($1, 1.5, $2)", [number, at]); } catch (error) { failed = error.code; }
#{
    number: number, total: total, price: price, order: order, later: order.at.add("1h"), is_same: order.at == at, failed: failed,
    third: sql::value("SELECT price / 3 FROM orders WHERE number = $1", [number]), listed: kv::list("").map(|entry| entry.version),
    id: crypto::uuid(),
}"#;
const STATE: &str =
    "+++\n[kv]\nname = \"shop\"\n[sql]\ndatabase = \"app\"\n+++\n[kv::get(\"number\"), sql::value(\"SELECT count(*) FROM orders\")]";

/// What it does, in order: kind, the beginning of the target, outcome.
const EFFECTS: [(&str, &str, &str); 11] = [
    ("kv", "add shop/number", "ok"),
    ("kv", "get shop/total", "absent"),
    ("kv", "set shop/total", "ok"),
    ("http", "POST HOST/price", "200"),
    ("sql", "app begin", "ok"),
    ("sql", "app INSERT INTO orders VALUES ($1, $2, $3)", "ok"),
    ("sql", "app SELECT number, price, at FROM orders", "ok"),
    ("sql", "app commit", "ok"),
    ("sql", "app INSERT INTO orders VALUES ($1, ?, $2)", "23505"),
    ("sql", "app SELECT price / ? FROM orders", "ok"),
    ("kv", "list shop/", "ok"),
];

/// Replays an execution, waits until that is recorded, and returns what it came to.
fn replay(node: &Node, id: &str, order: &Value) -> Value {
    let answer = Api::of(node).json("POST", &format!("/api/admin/executions/{id}/replay"), order);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let replayed = answer.json();
    execution(node, replayed["execution"]["id"].as_str().unwrap());
    replayed
}

/// Waits until an execution is recorded, and returns it.
fn execution(node: &Node, id: &str) -> Value {
    let mut found = Value::Null;
    wait_until("it is recorded", PATIENCE, || {
        let answer = node.send("GET", &format!("/api/admin/executions/{id}"), &[("authorization", &bearer(node))], b"");
        found = answer.json();
        answer.status == 200
    });
    found
}

fn what_a_function_does_outside_is_told_everywhere_and_given_back_in_a_replay(on: impl Fn(Setup) -> Setup) {
    let upstream = Upstream::start(|count| Some(format!("{{\"amount\":{count}.1}}")));
    let (url, collector) = (upstream.url(), Collector::start(Mood::Takes));
    let host = url.strip_prefix("http://").unwrap();
    let files = [("_sql/app/0001_orders.sql", ORDERS), ("order.rhai", &ORDER.replace("URL", &url)), ("state.rhai", STATE)];
    let config = "sample = 1\n[databases.app]\nurl = \"sqlite\"\n[outbound]\nprivate = [\"127.0.0.1\"]\n";
    let mut node = on(collector.of(node(&files), config)).start();
    node.wait_for("/state", "[null,0]");
    let first = node.send("POST", "/order", &[], b"{}");
    assert_eq!(first.status, 200, "{}", first.text());
    let (id, body) = (first.header("x-picloud-execution").unwrap().to_owned(), first.text());
    let said = first.json();
    assert_eq!((&said["failed"], &said["is_same"], &said["price"]), (&json!("23505"), &json!(true), &json!({ "amount": 1.1 })), "{body}");

    // The execution.
    let told = execution(&node, &id);
    let effects = told["effects"].as_array().unwrap();
    let seen: Vec<_> =
        effects.iter().map(|effect| [&effect["kind"], &effect["target"], &effect["outcome"]].map(|text| text.as_str().unwrap())).collect();
    assert_eq!(seen.len(), EFFECTS.len(), "{seen:?}");
    for ([kind, target, outcome], (its, begin, ended)) in seen.iter().zip(EFFECTS) {
        assert_eq!((*kind, *outcome), (its, ended), "{target}");
        assert!(target.starts_with(&begin.replace("HOST", host)), "{target}");
    }
    assert!(effects.iter().all(|effect| (effect["failed"] == true) == (effect["outcome"] == "23505")), "{effects:?}");
    assert!(!told.to_string().contains("sesame"));

    // The trace.
    let spans = collector.wait_for_request("/order", 4);
    let run = spans.iter().find(|span| span.name() == "run").unwrap().text("spanId").to_owned();
    let parts = || collector.spans().into_iter().filter(|span| span.text("parentSpanId") == run).collect::<Vec<_>>();
    wait_until("each effect is a span", PATIENCE, || parts().len() == seen.len());
    let mut parts = parts();
    parts.sort_by_key(|span| span.times());
    let names: Vec<&str> = parts.iter().map(|span| span.name()).collect();
    let expected = [
        "add shop",
        "get shop",
        "set shop",
        "POST",
        "begin app",
        "INSERT app",
        "SELECT app",
        "commit app",
        "INSERT app",
        "SELECT app",
        "list shop",
    ];
    assert_eq!(names, expected);
    assert_eq!((parts[3].attribute("url.path"), parts[8].attribute("error.type")), (Some("/price"), Some("23505")));
    assert!(upstream.heads()[0].contains(&format!("traceparent: 00-{}-", spans[0].text("traceId"))), "{:?}", upstream.heads());
    assert!(!format!("{spans:?}{parts:?}").contains("sesame"));

    // The metrics.
    let count = |node: &Node, kind: &str| Scrape::of(node).value(&format!("picloud_effects_total{{kind=\"{kind}\"}}"));
    node.wait_for("/state", "[1,1]");
    let counts = |node: &Node| ["http", "kv", "sql"].map(|kind| count(node, kind));
    assert_eq!(counts(&node)[0], 1.0);
    assert_eq!(Scrape::of(&node).value(&format!("picloud_outbound_requests_total{{host=\"{host}\"}}")), 1.0);
    assert_eq!(Scrape::of(&node).value("picloud_failed_effects_total{kind=\"sql\"}"), 1.0);

    // A replay asks nobody, and answers the same. So does its own replay.
    let before = counts(&node);
    let again = replay(&node, &id, &json!({}));
    assert_eq!(again["response"]["body"], body.as_str(), "byte for byte");
    let third = replay(&node, again["execution"]["id"].as_str().unwrap(), &json!({}));
    assert_eq!(third["response"]["body"], body.as_str());
    let replayed = execution(&node, third["execution"]["id"].as_str().unwrap());
    assert!(replayed["effects"].as_array().unwrap().iter().all(|effect| effect["replayed"] == true), "{replayed}");
    assert_eq!((upstream.heads().len(), counts(&node)), (1, before));
    node.wait_for("/state", "[1,1]");

    // For real, when that is said.
    let live = replay(&node, &id, &json!({ "live": true }));
    let said: Value = serde_json::from_str(live["response"]["body"].as_str().unwrap()).unwrap();
    assert_eq!((&said["number"], &said["total"], &said["price"]["amount"]), (&json!(2), &json!(10), &json!(2.1)), "{said}");
    assert_eq!(upstream.heads().len(), 2);
    node.wait_for("/state", "[2,2]");
    let again = replay(&node, live["execution"]["id"].as_str().unwrap(), &json!({}));
    assert_eq!((&again["response"]["body"], upstream.heads().len()), (&live["response"]["body"], 2));
    node.stop();
}
