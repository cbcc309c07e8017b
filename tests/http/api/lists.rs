//! Lists of executions and one of them.

use std::time::Duration;

use picloud::{
    execution::{Execution, ExecutionId, LogLevel, LogLine, Outcome, Trigger},
    id::{DeploymentId, first_id_at},
    store::{ExecutionFilter, Page, StatusFilter},
};
use serde_json::Value;

use crate::{
    api::{Story, get, on_both_databases, text},
    kit::{
        api::{admin, bearer},
        node::Node,
        store::{NOW_US, execution, ids, name, rich_execution, version},
    },
};

on_both_databases! {
    each_filter_finds_what_it_says
    pages_lose_and_double_nothing_while_executions_come
    pages_go_forward_from_an_execution
    a_search_for_few_among_many_says_how_far_it_looked
    a_page_of_large_executions_ends_early
    one_execution_is_told_with_its_log_and_failure
}

/// Returns the numbers of the executions in a list, as the samples are numbered.
fn numbers(answer: &Value) -> Vec<i64> {
    let id = |execution: &Value| execution["id"].as_str().unwrap().parse::<ExecutionId>().unwrap();
    answer["executions"].as_array().unwrap().iter().map(|execution| id(execution).0 - first_id_at(NOW_US)).collect()
}

fn logging(id: i64, message: &str) -> Execution {
    let line = LogLine { at_us: 7, level: LogLevel::Error, message: message.into() };
    Execution { logs: vec![line], ..execution(id) }
}

fn each_filter_finds_what_it_says(story: Story) {
    let second = |second: i64| first_id_at(NOW_US + second * 1_000_000) - first_id_at(NOW_US);
    let deployment = DeploymentId(first_id_at(NOW_US) + 2);
    let samples = [
        execution(1),
        Execution { function: name("orders/new"), status: 404, trigger: Trigger::Execute, ..execution(2) },
        rich_execution(3),
        Execution { status: 504, outcome: Outcome::TimedOut, request_id: Some("r-7".into()), deployment, ..execution(4) },
        logging(second(10), "grüß \"dich\" \\ \n"),
        Execution { function: name("orders_"), status: 201, ..logging(second(20), "100 % info") },
    ];
    story.append(&samples);
    let mut node = story.setup(&[("a.rhai", "1")]).start();
    let own = samples[0].id.to_string();
    let [third, sixth] = [10, 20].map(second);
    let cases: Vec<(String, Vec<i64>)> = vec![
        ("".into(), vec![sixth, third, 4, 3, 2, 1]),
        ("limit=2".into(), vec![sixth, third]),
        ("function=hello".into(), vec![third, 4, 1]),
        ("function=orders%2F%5Bid%5D.rhai".into(), vec![3]),
        ("function=never".into(), vec![]),
        ("prefix=orders".into(), vec![sixth, 3, 2]),
        ("prefix=orders/".into(), vec![3, 2]),
        ("prefix=o%25".into(), vec![]),
        ("status=404".into(), vec![2]),
        ("status=2xx".into(), vec![sixth, third, 1]),
        ("status=5xx".into(), vec![4, 3]),
        ("status=timed_out".into(), vec![4]),
        ("outcome=failed".into(), vec![3]),
        ("outcome=ok".into(), vec![sixth, third, 2, 1]),
        ("trigger=http".into(), vec![sixth, third, 4, 1]),
        ("trigger=execute".into(), vec![3, 2]),
        ("trigger=replay".into(), vec![]),
        ("request_id=r-7".into(), vec![4]),
        (format!("request_id={own}"), vec![1]),
        ("request_id=r-8".into(), vec![]),
        ("since=2026-11-23T09:04:10Z".into(), vec![sixth, third]),
        ("until=2026-11-23T09:04:10Z".into(), vec![4, 3, 2, 1]),
        ("since=2026-11-23T09:04:10Z&until=2026-11-23T09:04:20Z".into(), vec![third]),
        ("text=three".into(), vec![3]),
        ("text=no+such+order".into(), vec![3]),
        ("text=gr%C3%BC%C3%9F+%22dich%22+%5C+%0A".into(), vec![third]),
        ("text=dich%5C".into(), vec![]),
        ("text=100+%25".into(), vec![sixth]),
        // What is in the records beside the texts is not meant: levels, files.
        ("text=info".into(), vec![sixth]),
        ("text=error".into(), vec![]),
        ("text=rhai".into(), vec![]),
        ("has_output=true".into(), vec![sixth, third, 3]),
        ("prefix=orders&status=2xx&text=info&outcome=ok&trigger=http&has_output=true".into(), vec![sixth]),
        (format!("version={}", version("orders 1")), vec![3]),
        (format!("version={}", &version("orders 1").to_string()[..7]), vec![3]),
        (format!("version={}", "0".repeat(32)), vec![]),
        ("version=0000000".into(), vec![]),
        (format!("deployment={deployment}"), vec![4]),
        (format!("deployment={}&status=2xx", samples[0].deployment), vec![sixth, third, 1]),
        // Here the low bits of an id are its number.
        ("node=3".into(), vec![3]),
        ("node=0".into(), vec![sixth, third]),
        (format!("cursor={}", samples[3].id), vec![3, 2, 1]),
        (format!("before={}", samples[3].id), vec![3, 2, 1]),
        (format!("before={}&limit=1", samples[3].id), vec![3]),
        (format!("before={}&cursor={}", samples[3].id, samples[2].id), vec![2, 1]),
        (format!("after={}", samples[2].id), vec![sixth, third, 4]),
        (format!("after={}&limit=1", samples[2].id), vec![4]),
        (format!("after={}&limit=1&status=2xx", samples[2].id), vec![third]),
        (format!("after={}&before={}", samples[0].id, samples[3].id), vec![3, 2]),
        (format!("after={}", samples[5].id), vec![]),
    ];
    for (query, expected) in cases {
        let answer = get(&node, &format!("/api/admin/executions?{query}"));
        assert_eq!((answer.status, numbers(&answer.json())), (200, expected.clone()), "{query}");
        // The tail means the same by it.
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let filter = ExecutionFilter::parse(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())), NOW_US).unwrap();
        if !["limit", "cursor", "before", "after"].iter().any(|word| query.contains(word)) {
            let meant: Vec<Execution> = samples.iter().rev().filter(|execution| filter.matches(execution)).cloned().collect();
            assert_eq!(ids(&meant), expected, "{query}");
        }
    }
    node.stop();
}

fn pages_lose_and_double_nothing_while_executions_come(story: Story) {
    let sample = |id: i64| if id % 3 == 0 { rich_execution(id) } else { execution(id) };
    story.append(&(0..300).map(sample).collect::<Vec<_>>());
    let mut node = story.setup(&[("a.rhai", "1")]).start();
    let mut next_id = 1_000;
    for (query, step) in [("limit=37", 1), ("limit=7&status=5xx", 3), ("limit=7&text=three", 3)] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let answer = get(&node, &format!("/api/admin/executions?{query}{cursor}")).json();
            seen.extend(numbers(&answer));
            let Some(next) = answer["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
            story.append(&(next_id..next_id + 5).map(sample).collect::<Vec<_>>());
            next_id += 5;
        }
        seen.retain(|id| *id < 300);
        assert_eq!(seen, (0..300).rev().filter(|id| id % step == 0).collect::<Vec<_>>(), "{query}");
    }
    node.stop();
}

fn pages_go_forward_from_an_execution(story: Story) {
    let sample = |id: i64| if id % 3 == 0 { rich_execution(id) } else { execution(id) };
    story.append(&(0..300).map(sample).collect::<Vec<_>>());
    let mut node = story.setup(&[("a.rhai", "1")]).start();
    for (query, step) in [("limit=37", 1), ("limit=7&status=5xx", 3), ("limit=7&text=three", 3)] {
        let (mut pages, mut after) = (Vec::new(), execution(0).id.to_string());
        loop {
            let answer = get(&node, &format!("/api/admin/executions?{query}&after={after}")).json();
            pages.push(numbers(&answer));
            let Some(next) = answer["next"].as_str() else { break };
            after = next.to_owned();
        }
        let seen: Vec<i64> = pages.into_iter().rev().flatten().collect();
        assert_eq!(seen, (1..300).rev().filter(|id| id % step == 0).collect::<Vec<_>>(), "{query}");
    }
    let after = execution(290).id.to_string();
    let told = text(story.beside(&node, &["executions", "--after", &after, "--limit", "3", "--json"]).output().unwrap());
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(numbers(&serde_json::json!({ "executions": told })), [293, 292, 291]);
    let narrow = [
        "executions",
        "--version",
        &version("orders 1").to_string()[..6],
        "--node",
        "6",
        "--deployment",
        &execution(0).deployment.to_string(),
        "--json",
    ]
    .map(str::to_owned);
    let told = text(story.beside(&node, &narrow.each_ref().map(String::as_str)).output().unwrap());
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(numbers(&serde_json::json!({ "executions": told })), [6]);
    node.stop();
}

fn a_search_for_few_among_many_says_how_far_it_looked(story: Story) {
    story.append(&(1..7_000).map(execution).collect::<Vec<_>>());
    story.append(&[Execution { path: "/found".into(), ..logging(0, "the needle") }]);
    let filter = ExecutionFilter { text: Some("needle".into()), limit: 10, ..ExecutionFilter::default() };
    let (pages, whole) = story.store(async |store| {
        let (mut pages, mut before) = (Vec::<Page>::new(), None);
        loop {
            pages.push(store.search(&ExecutionFilter { before, ..filter.clone() }, Duration::ZERO).await.unwrap());
            before = pages.last().unwrap().next;
            if before.is_none() {
                return (pages, store.search(&filter, Duration::MAX).await.unwrap());
            }
        }
    });
    // Without time a search looks through 2,000.
    let looked: Vec<Option<i64>> = pages.iter().map(|page| page.next.map(|id| id.0 - first_id_at(NOW_US))).collect();
    assert_eq!(looked, [Some(5_000), Some(3_000), Some(1_000), None]);
    assert_eq!(pages.iter().map(|page| ids(&page.executions)).collect::<Vec<_>>(), [vec![], vec![], vec![], vec![0]]);
    assert_eq!((ids(&whole.executions), whole.next), (vec![0], None));
    // Those in trouble are looked through without the others.
    let trouble = ExecutionFilter { status: Some(StatusFilter::Class(5)), limit: 10, ..ExecutionFilter::default() };
    let page = story.store(async |store| store.search(&trouble, Duration::ZERO).await.unwrap());
    assert_eq!((page.executions.len(), page.next), (0, None));
}

fn a_page_of_large_executions_ends_early(story: Story) {
    let large = "x".repeat(900 * 1024);
    story.append(&(0..7).map(|id| logging(id, &large)).collect::<Vec<_>>());
    let (mut counts, mut filter) = (Vec::new(), ExecutionFilter { limit: 1_000, ..ExecutionFilter::default() });
    story.store(async |store| {
        loop {
            let page = store.search(&filter, Duration::MAX).await.unwrap();
            counts.push(page.executions.len());
            filter.before = page.next;
            if page.next.is_none() {
                return;
            }
        }
    });
    assert_eq!(counts, [3, 3, 1]);
}

fn one_execution_is_told_with_its_log_and_failure(story: Story) {
    let mut node = story.setup(&[("bad.rhai", "log::info(\"one\");\nthrow \"no\"")]).start();
    let id = node.get("/bad").header("x-picloud-execution").unwrap().to_owned();
    let mut answer = get(&node, &format!("/api/admin/executions/{id}"));
    crate::kit::node::wait_until("it is recorded", crate::kit::node::PATIENCE, || {
        answer = get(&node, &format!("/api/admin/executions/{id}"));
        answer.status == 200
    });
    let told = answer.json();
    assert_eq!((&told["id"], &told["status"], &told["outcome"]), (&id.as_str().into(), &502.into(), &"failed".into()));
    assert_eq!(
        (&told["logs"][0]["message"], &told["failure"]["message"], &told["failure"]["line"]),
        (&"one".into(), &"no".into(), &2.into())
    );
    assert!(told["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(get(&node, "/api/admin/executions").json()["executions"][0], told);
    for unknown in ["361vz5hr63v52", "x", "%00"] {
        let answer = get(&node, &format!("/api/admin/executions/{unknown}"));
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")), "{unknown}");
    }
    node.stop();
}

#[test]
fn a_filter_that_makes_no_sense_is_refused_with_what_to_write() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let refused = |path: &str| {
        let answer = get(&node, path);
        assert_eq!(answer.status, 400, "{path}");
        let problem = answer.json();
        [&problem["detail"], &problem["hint"]].map(|text| text.as_str().unwrap().to_owned()).join("\n  hint: ")
    };
    let said: Vec<String> = [
        "/api/admin/executions?statsu=500",
        "/api/admin/executions?since=soon",
        "/api/admin/executions?limit=1001",
        "/api/admin/executions?cursor=x",
        "/api/admin/executions?text=a&text=b",
        "/api/admin/executions/tail?outcome=failled",
        "/api/admin/executions/tail?limit=5",
    ]
    .into_iter()
    .map(refused)
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn only_those_with_a_token_see_executions() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let secret = admin(&node);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x:{secret}"));
    let id = node.get("/a").header("x-picloud-execution").unwrap().to_owned();
    for path in ["/api/admin/executions", "/api/admin/executions/tail", &format!("/api/admin/executions/{id}")] {
        assert_eq!(node.get(path).status, 401, "{path}");
        // Before it is read what is wanted.
        assert_eq!(node.get(&format!("{path}?no=sense")).status, 401, "{path}");
        for wrong in ["Bearer picloud_1".to_owned(), format!("Basic {encoded}")] {
            assert_eq!(node.send("GET", path, &[("authorization", &wrong)], b"").status, 401, "{path} {wrong}");
        }
        assert_eq!(node.send("POST", path, &[("authorization", &bearer(&node))], b"").status, 405, "{path}");
    }
}

#[test]
fn without_a_database_lists_say_so() {
    let node = crate::kit::node::node(&[("a.rhai", "1")]).argument("--database").argument("postgres://nobody@127.0.0.1:1/none").start();
    for path in ["/api/admin/executions", "/api/admin/executions/361vz5hr63v52"] {
        let answer = get(&node, path);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{path}");
    }
    assert_eq!(node.get("/a").text(), "1");
}
