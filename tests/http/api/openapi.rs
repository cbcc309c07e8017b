//! The description of the control API: complete, and true by what a tool finds that tries everything in it. The tool is Schemathesis, which
//! `scripts/setup test` installs below `target/tools`.

use std::{collections::BTreeSet, fs, process::Command};

use crate::kit::{
    api::{Api, admin, path},
    machine::{Need, needs},
    node::Node,
};
use serde_json::{Map, Value};

const SCHEMATHESIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin/schemathesis");
const MANUAL: &str = include_str!("../../../docs/api.md");
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn description(node: &Node) -> Value {
    serde_json::from_slice(&node.get("/_picloud/openapi.json").body).unwrap()
}

#[test]
fn every_operation_is_in_the_manual_says_what_it_does_and_asks_who_wants_it() {
    let node = Node::start_with(&[]);
    let description = description(&node);
    let mut ids = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            let (operation, name) = (&item[*method], format!("{} {path}", method.to_uppercase()));
            assert!(operation["summary"].as_str().is_some_and(|summary| summary.len() > 10), "{name} says what it does");
            assert!(operation["responses"].get("default").is_some(), "{name} says how it fails");
            let is_open = operation.get("security").is_none();
            assert_eq!(is_open, !path.starts_with("/api/admin/") && path != "/_picloud/metrics", "{name}");
            if !is_open {
                let refused = node.send(&method.to_uppercase(), &path.replace(['{', '}'], ""), &[], b"");
                assert_eq!(refused.status, 401, "{name} without a token: {}", refused.text());
            }
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            // The manual writes `ID` for `{id}`.
            let written =
                path.split('/').map(|part| part.strip_prefix('{').map_or(part.into(), |name| name.trim_end_matches('}').to_uppercase()));
            let written = written.collect::<Vec<_>>().join("/");
            assert!(
                !path.starts_with("/api/admin/") || MANUAL.contains(&format!("{} {written}", method.to_uppercase())),
                "docs/api.md tells of `{} {written}`",
                method.to_uppercase()
            );
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "each operation has a name of its own");
}

#[test]
fn a_part_of_a_path_that_is_no_text_is_a_problem_as_every_other() {
    let node = Node::start_with(&[("hello.rhai", "1")]);
    let (description, bearer) = (description(&node), format!("Bearer {}", admin(&node)));
    let mut tried = 0;
    for (path, item) in description["paths"].as_object().unwrap().iter().filter(|(path, _)| path.contains('{')) {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "%ff" } else { part });
        let url = parts.collect::<Vec<_>>().join("/");
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            let json = [("authorization", &*bearer), ("content-type", "application/json")];
            let answer = node.send(&method.to_uppercase(), &url, &json, b"{\"source\":\"1\"}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {path}: {}", answer.text());
            let problem = answer.json();
            assert_eq!((answer.status, &problem["status"]), (400, &400.into()), "{method} {path}: {problem}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.starts_with("the path is malformed: `") && detail.ends_with("` is not UTF-8"), "{method} {path}: {detail}");
            tried += 1;
        }
    }
    assert!(tried > 8, "operations with a parameter in their path are not where they were");
}

#[test]
fn headers_that_matter_are_described_where_they_are_sent_and_taken() {
    let node = Node::start_with(&[]);
    let (description, api) = (description(&node), Api::of(&node));
    let one = "/api/admin/scripts/{id}";
    let described = |path: &str, method: &str, status: u16| {
        let headers = &description["paths"][path][method]["responses"][status.to_string()]["headers"];
        headers.as_object().into_iter().flatten().map(|(name, _)| name.to_lowercase()).collect::<BTreeSet<_>>()
    };
    let made = api.create("a", "1");
    let url = path("a");
    let tag = made.header("etag").unwrap().to_owned();
    let json = [("content-type", "application/json"), ("if-match", &tag)];
    for (at, method, answer) in [
        ("/api/admin/scripts", "post", made),
        (one, "get", api.get(&url)),
        (one, "put", api.send("PUT", &url, &json, b"{\"source\":\"2\"}")),
    ] {
        let sent =
            ["etag", "location"].into_iter().filter(|name| answer.header(name).is_some()).map(str::to_owned).collect::<BTreeSet<_>>();
        assert!(answer.status < 300 && sent.contains("etag"), "{method} {at}: {}", answer.text());
        assert_eq!(described(at, method, answer.status), sent, "{method} {at}");
    }
    for method in ["put", "delete"] {
        let parameters = description["paths"][one][method]["parameters"].as_array().unwrap();
        let is_taken = |parameter: &Value| parameter["name"] == "If-Match" && parameter["in"] == "header" && parameter["required"] != true;
        assert!(parameters.iter().any(is_taken), "{method}: {parameters:?}");
    }
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            assert!(item[*method]["responses"]["default"]["headers"].get("Retry-After").is_some(), "{method} {path}");
        }
    }
}

#[test]
fn the_manual_names_every_member_of_a_route() {
    let description = description(&Node::start_with(&[]));
    let section = MANUAL.split("\n## ").find(|section| section.starts_with("Routes\n")).unwrap();
    for member in description["components"]["schemas"]["RouteSummary"]["properties"].as_object().unwrap().keys() {
        assert!(section.contains(&format!("`{member}`")), "docs/api.md says nothing of `{member}`");
    }
}

/// Schemas that say nothing of what is in them: what the audit log knows of an action differs from action to action. What functions keep, get or
/// emit is any JSON, as is what schedules give their runs.
const WITHOUT_SHAPE: [&str; 7] = [
    "/components/schemas/AuditEntry/properties/detail",
    "/components/schemas/KeptRequest/properties/event",
    "/components/schemas/KvEntry/properties/value",
    "/components/schemas/Schedule/properties/input",
    "/components/schemas/ScheduleOrder/properties/input",
    "/components/schemas/Setting/properties/value",
    "get /api/admin/events/{topic}/{id}/payload/200/content/application/json/schema",
];

/// Whether a schema allows any object, or anything.
fn is_without_shape(schema: &Map<String, Value>) -> bool {
    let is_shape = |key: &String| !["description", "type"].contains(&key.as_str());
    schema.get("type").is_none_or(|kind| kind == "object") && !schema.keys().any(is_shape)
}

/// Returns where the schemas without a shape are: whatever stands under these keys is a schema, or schemas by name.
fn without_shape(at: &str, value: &Value) -> Vec<String> {
    let Value::Object(members) = value else {
        let items = value.as_array().into_iter().flatten().enumerate();
        return items.flat_map(|(index, item)| without_shape(&format!("{at}/{index}"), item)).collect();
    };
    let (folder, name) = at.rsplit_once('/').unwrap_or_default();
    let is_schema = ["schema", "items", "additionalProperties"].contains(&name)
        || ["properties", "schemas", "allOf", "oneOf", "prefixItems"].iter().any(|list| folder.ends_with(&format!("/{list}")));
    let found = (is_schema && is_without_shape(members)).then(|| at.to_owned());
    found.into_iter().chain(members.iter().flat_map(|(key, value)| without_shape(&format!("{at}/{key}"), value))).collect()
}

#[test]
fn every_answer_says_what_is_in_it() {
    let description = description(&Node::start_with(&[]));
    let mut found = without_shape("/components", &description["components"]);
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            found.extend(without_shape(&format!("{method} {path}"), &item[*method]["responses"]));
        }
    }
    assert_eq!(found, WITHOUT_SHAPE);
}

#[test]
fn whatever_is_asked_the_node_answers_as_it_says() {
    needs!(Need::Program(SCHEMATHESIS));
    let node = Node::start_with(&[("hello.rhai", "+++\ncapture = true\n+++\n1"), ("users/[id].rhai", "ctx.request.params.id")]);
    assert_eq!(node.get("/users/7").text(), "7", "both are live");
    for _ in 0..3 {
        node.get("/hello");
    }
    let secret = fs::read_to_string(node.data().join("admin-token")).unwrap();
    let settings = node.folder().join("schemathesis.toml");
    fs::write(&settings, format!("[auth.openapi.token]\nbearer = \"{}\"\n", secret.trim())).unwrap();
    let ran = Command::new(SCHEMATHESIS)
        .current_dir(node.folder())
        .args(["--config-file", settings.to_str().unwrap(), "run", &format!("http://{}/_picloud/openapi.json", node.address())])
        // The tails never end. Which texts are filters, names and spans is more than a schema says, so what fits it may be refused. After
        // ten wrong tokens none is looked at any more; that nothing is done without one is the story above.
        .args([
            "--exclude-path",
            "/api/admin/executions/tail",
            "--exclude-path",
            "/api/admin/status/tail",
            "--exclude-checks",
            "positive_data_acceptance,ignored_auth",
        ])
        .args(["--checks", "all", "--max-examples", "30", "--seed", "1", "--no-color"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");
    assert!(said.contains("Test cases:"), "{said}");
    assert_eq!(node.get("/hello").text(), "1", "the node is as it was");
}
