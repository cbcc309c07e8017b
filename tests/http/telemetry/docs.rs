//! What docs/ says of the metrics holds for a real node.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    kit::node::Node,
    telemetry::scrape::{Scrape, promtool},
};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns the names of metrics in a text: words that begin as those of a node do.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("picloud_") || word.starts_with("process_"));
    let base = |word: &str| match word.strip_prefix("picloud_request_duration_seconds_") {
        Some("bucket" | "sum" | "count") => "picloud_request_duration_seconds".to_owned(),
        _ => word.to_owned(),
    };
    ours.map(base).collect()
}

#[test]
fn every_metric_is_in_the_docs_and_they_name_no_other() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let scrape = Scrape::of(&node);
    let there: BTreeSet<String> = scrape.names().into_iter().map(str::to_owned).collect();
    assert_eq!(named(&read("docs/metrics.md")), there);
    for file in ["docs/grafana.json", "docs/alerts.yml"] {
        let unknown: Vec<_> = named(&read(file)).difference(&there).cloned().collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
}

#[test]
fn the_alerts_are_rules_of_prometheus_and_fire_when_they_should() {
    let root = env!("CARGO_MANIFEST_DIR");
    promtool(&["check", "rules", &format!("{root}/docs/alerts.yml")], "");
    promtool(&["test", "rules", &format!("{root}/tests/http/telemetry/alerts.yml")], "");
}

#[test]
fn the_queries_of_the_dashboard_are_queries_of_prometheus() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("docs/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() >= 10, "{queries:?}");
    // As rules they are parsed; the interval is Grafana's.
    let rules: String = (queries.iter().enumerate())
        .map(|(number, query)| {
            let query = serde_json::to_string(&query.replace("$__rate_interval", "5m")).unwrap();
            format!("      - record: dashboard:query_{number}\n        expr: {query}\n")
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    fs::write(&file, format!("groups:\n  - name: dashboard\n    rules:\n{rules}")).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()], "");
}
