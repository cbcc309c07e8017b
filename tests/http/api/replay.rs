//! The request of an execution runs again, if it was kept.

use std::process::{Command, Output};

use picloud::{
    execution::{Execution, ExecutionId, Trigger},
    store::ExecutionFilter,
};
use serde_json::{Value, json};

use crate::{
    api::{Story, get, on_both_databases},
    kit::{
        api::bearer,
        client::Response,
        node::{Node, PATIENCE, wait_until},
        store::NOW_US,
    },
};

on_both_databases! {
    a_request_runs_again_on_what_is_live_and_on_what_was
    a_request_that_was_not_kept_says_what_to_do
    a_replay_gives_back_what_came_from_outside
    many_requests_run_again_and_those_that_end_otherwise_are_told
    a_client_that_leaves_ends_its_order
    a_request_that_was_kept_is_read_and_that_is_written_down
    a_request_goes_with_its_execution
    a_request_outlasts_a_database_that_is_away
}

const BEGINNING: &str = "+++\ncapture = true\n+++\n";
/// Answers with what it was asked.
const ECHO: &str = r#"
let request = ctx.request;
if request.query.fail == "yes" { log::warn("it will fail"); throw "it failed" }
let status = if request.body == "teapot" { 418 } else { 200 };
#{ statusCode: status, body: #{
    by: VERSION, method: request.method, path: request.path, params: request.params, query: request.query, headers: request.headers,
    body: request.raw_body, from: request.remote_addr, how: ctx.invocation_type,
} }"#;

fn echo(version: &str) -> String {
    format!("{BEGINNING}{}", ECHO.replace("VERSION", &format!("{version:?}")))
}

fn post(node: &Node, path: &str, body: &str) -> Response {
    node.send("POST", path, &[("authorization", &bearer(node))], body.as_bytes())
}

fn replay(node: &Node, id: &str, order: &str) -> Value {
    let answer = post(node, &format!("/api/admin/executions/{id}/replay"), order);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Waits until an execution is in the database, and returns it.
fn recorded(node: &Node, id: &str) -> Value {
    let mut answer = get(node, &format!("/api/admin/executions/{id}"));
    wait_until("it is recorded", PATIENCE, || {
        answer = get(node, &format!("/api/admin/executions/{id}"));
        answer.status == 200
    });
    answer.json()
}

/// Sends a request, waits until it is recorded, and returns its execution's id.
fn sent(node: &Node, path: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
    let answer = node.send("POST", path, headers, body);
    let id = answer.header("x-picloud-execution").unwrap().to_owned();
    recorded(node, &id);
    id
}

fn a_request_runs_again_on_what_is_live_and_on_what_was(story: Story) {
    let mut node = story.setup(&[("echo/[id].rhai", &echo("first"))]).start();
    let headers = [
        ("x-plain", "gr\u{fc}n"),
        ("authorization", "Bearer hunter2"),
        ("cookie", "session=hunter2"),
        ("x-api-key", "hunter2"),
        ("x-forwarded-user", "eyJhbGciOiJub25lIn0.aHVudGVyMg.hunter2"),
        ("content-type", "application/octet-stream"),
    ];
    let body = b"\x00\xffbody";
    let before = node.send("POST", "/echo/7?a=%20b", &headers, body);
    let (id, version) = (before.header("x-picloud-execution").unwrap().to_owned(), before.header("x-picloud-version").unwrap().to_owned());
    let first = before.json();
    assert_eq!(first["headers"]["authorization"], "Bearer hunter2");
    recorded(&node, &id);

    node.replace("echo/[id].rhai", &echo("second"));
    wait_until("the second is live", PATIENCE, || node.get("/echo/7").text().contains("second"));
    let again = replay(&node, &id, "");
    let (execution, response) = (&again["execution"], &again["response"]);
    let told: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    let mut expected = first.clone();
    (expected["by"], expected["how"], expected["from"]) = ("second".into(), "replay".into(), Value::Null);
    for gone in ["authorization", "cookie", "x-api-key", "x-forwarded-user"] {
        expected["headers"].as_object_mut().unwrap().remove(gone).unwrap();
    }
    assert_eq!((&told, &response["status"]), (&expected, &200.into()));
    assert!(response["headers"].as_array().unwrap().contains(&json!(["content-type", "application/json"])));
    assert_eq!((&execution["trigger"], &execution["replay_of"]), (&"replay".into(), &id.as_str().into()));

    // It is an execution of its own, which can be found, and can be run again itself.
    let own = execution["id"].as_str().unwrap();
    assert_ne!(own, id);
    assert_eq!(&recorded(&node, own), execution);
    let listed = get(&node, "/api/admin/executions?trigger=replay").json();
    assert_eq!(listed["executions"], json!([execution]));
    assert_eq!(replay(&node, own, "{}")["execution"]["replay_of"], own);

    // On the version of then, by its beginning.
    let then = replay(&node, &id, &json!({ "version": version[..9] }).to_string());
    let told: Value = serde_json::from_str(then["response"]["body"].as_str().unwrap()).unwrap();
    assert_eq!((&told["by"], &then["execution"]["version"]), (&"first".into(), &version.as_str().into()));

    // Nothing of what looked like a credential is anywhere in the database.
    let whole = story.store(async |store| {
        let filter = ExecutionFilter { limit: 100, ..ExecutionFilter::default() };
        let mut whole = String::new();
        for execution in store.executions(&filter).await.unwrap() {
            whole += &format!("{execution:?} {:?}", store.capture(execution.id).await.unwrap());
        }
        whole
    });
    assert!(whole.contains("x-plain") && !whole.contains("hunter2"), "{whole}");

    // The command prints the answer as `invoke` does.
    let command = |arguments: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
        command.args(arguments).current_dir(node.folder()).env_clear().env("PICLOUD_DATABASE_URL", &story.fresh.url).output().unwrap()
    };
    let teapot = sent(&node, "/echo/8", &[("content-type", "text/plain")], b"teapot");
    let printed = command(&["replay", &teapot, "-i"]);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.starts_with("418 I'm a teapot\ncontent-type: application/json\n\n{"), "{text}");
    assert!(text.contains("\"by\":\"second\""), "{text}");
    let printed = command(&["replay", &teapot, "--version", &version]);
    assert!(printed.status.success() && String::from_utf8(printed.stdout).unwrap().contains("\"by\":\"first\""));
    let printed = command(&["replay", &teapot, "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout).unwrap()["execution"]["replay_of"], teapot.as_str());
    let failing = sent(&node, "/echo/8?fail=yes", &[], b"");
    let printed = command(&["replay", &failing]);
    let said = String::from_utf8(printed.stderr).unwrap();
    assert_eq!((printed.status.code(), printed.stdout.len()), (Some(1), 0), "{said}");
    assert_eq!(said, "warn   it will fail\necho/[id].rhai:6:61: it failed\n");
    assert_eq!(replay(&node, &failing, "")["response"]["status"], 502);
    // On no terminal the command itself is the answer; what happens is said first.
    let printed = command(&["replay", &failing, "--live"]);
    let said = String::from_utf8(printed.stderr).unwrap();
    assert!(said.starts_with("`--live`: requests to services, and changes to stores and databases, happen again for real\n"), "{said}");
    assert_eq!(printed.status.code(), Some(1));
    assert_eq!(command(&["replay", &failing, "--yes"]).status.code(), Some(2), "it answers a question of `--live` only");
    assert_eq!(replay(&node, &failing, "{\"live\":true}")["response"]["status"], 502);
    let printed = command(&["replay", "361vz5hr63v52"]);
    assert_eq!(printed.status.code(), Some(2));
    assert!(String::from_utf8(printed.stderr).unwrap().contains("no execution has this id"));
    node.stop();
}

fn a_request_that_was_not_kept_says_what_to_do(story: Story) {
    let files = [("echo.rhai", echo("first")), ("plain.rhai", "1".into()), ("off.rhai", "+++\ncapture = false\n+++\n1".into())];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let mut node = story.setup(&files).config("[journal]\ncapture_body = \"100\"\ncapture_queue = \"2KiB\"\n").start();
    let refused = |id: &str, order: &str| {
        let answer = post(&node, &format!("/api/admin/executions/{id}/replay"), order);
        let problem = answer.json();
        (answer.status, [&problem["detail"], &problem["hint"]].map(|text| text.as_str().unwrap_or_default().to_owned()).join(": "))
    };
    let (status, said) = refused(&sent(&node, "/plain", &[], b""), "");
    assert_eq!(status, 409);
    assert!(said.contains("was not kept") && said.contains("`capture = true` into the front-matter of `plain`"), "{said}");
    // A body of the largest size is kept, one that is larger is not.
    let whole = sent(&node, "/echo", &[("content-type", "text/plain")], &[b'x'; 100]);
    assert_eq!(replay(&node, &whole, "")["response"]["status"], 200);
    let (status, said) = refused(&sent(&node, "/echo", &[("content-type", "text/plain")], &[b'x'; 101]), "");
    assert_eq!((status, said.contains("its body of 101 bytes") && said.contains("`capture_body`")), (409, true), "{said}");
    // More than may wait in memory.
    assert_eq!(get(&node, "/api/admin/status").json()["journal"]["uncaptured"], 0);
    let (status, said) = refused(&sent(&node, "/echo", &[("x-long", &"x".repeat(3_000))], b""), "");
    assert_eq!((status, said.contains("was not kept")), (409, true), "{said}");
    assert_eq!(get(&node, "/api/admin/status").json()["journal"]["uncaptured"], 1);
    for unknown in ["361vz5hr63v52", "x", "%00"] {
        assert_eq!(refused(unknown, "").0, 404, "{unknown}");
    }
    for (order, status, part) in [
        ("{\"version\":\"0000\"}", 404, "`picloud versions echo` lists them"),
        ("{\"version\":\"\"}", 404, "no version"),
        ("{\"versoin\":\"1\"}", 400, "versoin"),
        ("[", 400, "is not JSON"),
    ] {
        let (found, said) = refused(&whole, order);
        assert_eq!((found, said.contains(part)), (status, true), "{order}: {said}");
    }
    let made = Command::new(env!("CARGO_BIN_EXE_picloud"))
        .args(["token", "create", "reader", "--scope", "read"])
        .current_dir(node.folder())
        .env_clear()
        .env("PICLOUD_DATABASE_URL", &story.fresh.url)
        .output()
        .unwrap();
    let reader = format!("Bearer {}", String::from_utf8(made.stdout).unwrap().trim());
    let path = format!("/api/admin/executions/{whole}/replay");
    assert_eq!(node.send("POST", &path, &[("authorization", &reader)], b"").status, 403);
    assert_eq!(node.send("POST", &path, &[], b"").status, 401);
    assert_eq!(get(&node, &path).status, 405);
    // Without the function there is nothing to run it on, but for its versions.
    let version = recorded(&node, &whole)["version"].as_str().unwrap().to_owned();
    node.remove("echo.rhai");
    node.wait_for_status("/echo", 404);
    let (status, said) = refused(&whole, "");
    assert_eq!((status, said.contains("`echo` is not live any more")), (409, true), "{said}");
    let then = replay(&node, &whole, &json!({ "version": version }).to_string());
    assert_eq!(then["response"]["status"], 200);

    // The configuration may have all kept, and a function may stay out.
    node.change(|setup| setup.config("[journal]\ncapture = true\n"));
    node.restart();
    assert_eq!(replay(&node, &sent(&node, "/plain", &[], b""), "")["response"]["body"], "1");
    let off = post(&node, &format!("/api/admin/executions/{}/replay", sent(&node, "/off", &[], b"")), "");
    assert_eq!(off.status, 409);
    node.stop();
}

fn a_replay_gives_back_what_came_from_outside(story: Story) {
    let asks = |what: &str| format!("{BEGINNING}#{{ id: crypto::uuid(), more: {what} }}");
    let mut node = story.setup(&[("dice.rhai", &asks("encoding::hex(crypto::random(4))"))]).start();
    let first = node.send("POST", "/dice", &[], b"");
    let (id, first) = (first.header("x-picloud-execution").unwrap().to_owned(), first.text());
    recorded(&node, &id);
    let again = replay(&node, &id, "");
    assert_eq!(again["response"]["body"], first.as_str(), "byte for byte");
    // What it was given is kept again.
    assert_eq!(replay(&node, recorded_id(&node, &again), "")["response"]["body"], first.as_str());
    let live = replay(&node, &id, "{\"live\":true}");
    assert_ne!(live["response"]["body"], first.as_str());
    assert_eq!(replay(&node, recorded_id(&node, &live), "")["response"]["body"], live["response"]["body"]);

    // A version that asks for something else is told where.
    node.replace("dice.rhai", &asks("[crypto::random(5).len, crypto::random(6).len]"));
    wait_until("the second is live", PATIENCE, || node.send("POST", "/dice", &[], b"").text().contains("[5,6]"));
    let departed = replay(&node, &id, "");
    assert_eq!(departed["response"]["status"], 502);
    assert_eq!(departed["execution"]["failure"]["message"], "it asks `5 random bytes`, recorded was `4 random bytes`");
    let printed = story.beside(&node, &["replay", &id]).output().unwrap();
    let said = String::from_utf8(printed.stderr).unwrap();
    assert!(printed.status.code() == Some(1) && said.contains("recorded was `4 random bytes`"), "{said}");
    node.stop();
}

fn many_requests_run_again_and_those_that_end_otherwise_are_told(story: Story) {
    let mut node = story.setup(&[("echo.rhai", &echo("first")), ("plain.rhai", "1")]).start();
    let failing = sent(&node, "/echo?fail=yes", &[], b"");
    let teapot = sent(&node, "/echo", &[("content-type", "text/plain")], b"teapot");
    let plain = sent(&node, "/plain", &[], b"");
    let many = |order: Value| post(&node, "/api/admin/executions/replay", &order.to_string());
    let counts = |told: &Value| ["same", "otherwise", "not_run"].map(|key| told[key].as_u64().unwrap());

    let told = many(json!({ "ids": [failing, teapot, plain] })).json();
    assert_eq!(counts(&told), [2, 0, 1], "{told}");
    assert_eq!((&told["left"], &told["next"]), (&json!([]), &Value::Null));
    let of = |told: &Value| told["replays"].as_array().unwrap().iter().map(|one| one["replay_of"].clone()).collect::<Vec<_>>();
    assert_eq!(of(&told), [json!(failing), json!(teapot), json!(plain)]);
    assert!(told["replays"][2]["now"]["not_run"]["why"].as_str().unwrap().contains("was not kept"), "{told}");
    let again = told["replays"][0]["now"]["same"]["execution"].as_str().unwrap();
    assert_eq!(recorded(&node, again)["replay_of"], failing.as_str());

    // The mended version: what failed does not, and what did not fail is as it was. Replays of before are not repeated.
    node.replace("echo.rhai", &echo("second").replace("throw \"it failed\"", ""));
    wait_until("the second is live", PATIENCE, || node.get("/echo").text().contains("second"));
    let told = many(json!({ "filter": { "function": "echo", "until": until(&node, &plain) } })).json();
    assert_eq!((counts(&told), of(&told)), ([1, 1, 0], vec![json!(teapot), json!(failing)]), "{told}");
    let otherwise = &told["replays"][1]["now"]["otherwise"];
    assert_eq!((&told["replays"][1]["status"], &otherwise["status"], &otherwise["outcome"]), (&502.into(), &200.into(), &"ok".into()));
    // The limit of the filter is that of the order, and the cursor goes on.
    let told = many(json!({ "filter": { "function": "echo", "until": until(&node, &plain), "limit": "1" } })).json();
    assert_eq!((of(&told), told["next"].is_string()), (vec![json!(teapot)], true), "{told}");
    let told = many(json!({ "filter": { "function": "echo", "limit": "1", "cursor": told["next"] } })).json();
    assert_eq!(of(&told), [json!(failing)]);

    // None begins after its time. What is left is named, and can be ordered.
    let told = many(json!({ "ids": [failing, teapot], "within": "0s" })).json();
    assert_eq!((counts(&told), &told["left"]), ([0, 0, 0], &json!([failing, teapot])), "{told}");

    let long = vec![failing.as_str(); 1_001];
    for (order, status, part) in [
        (json!({}), 400, "send `ids` or `filter`"),
        (json!({ "ids": [failing], "filter": {} }), 400, "says it twice"),
        (json!({ "ids": [] }), 400, "1 to 1000"),
        (json!({ "ids": long }), 400, "1 to 1000"),
        (json!({ "filter": { "limit": "1001" } }), 400, "1 to 1000"),
        (json!({ "filter": { "after": failing } }), 400, "send `since`"),
        (json!({ "ids": [failing], "within": "31s" }), 400, "up to 30 seconds"),
        (json!({ "ids": [failing], "within": "soon" }), 400, "up to 30 seconds"),
        (json!({ "filter": { "statsu": "500" } }), 400, "did you mean `status`"),
        (json!({ "ids": [failing, "361vz5hr63v52"] }), 404, "no execution has this id"),
    ] {
        let answer = many(order.clone());
        assert_eq!((answer.status, answer.text().contains(part)), (status, true), "{order}: {}", answer.text());
    }

    let printed = story.beside(&node, &["replay", "--function", "echo", "--status", "failed", "--trigger", "http"]).output().unwrap();
    let (out, said) = (String::from_utf8(printed.stdout).unwrap(), String::from_utf8(printed.stderr).unwrap());
    assert!(out.contains(&failing) && out.contains("502 failed") && out.contains("200 ok"), "{out}{said}");
    assert_eq!(said, "1 ended otherwise, 0 as before, 0 did not run\n");
    assert_eq!(story.beside(&node, &["replay"]).output().unwrap().status.code(), Some(2));
    assert_eq!(story.beside(&node, &["replay", &failing, "--since", "1h"]).output().unwrap().status.code(), Some(2));
    node.stop();
}

fn a_client_that_leaves_ends_its_order(story: Story) {
    let mut node = story.setup(&[("slow.rhai", &format!("{BEGINNING}1")), ("plain.rhai", "1")]).start();
    let ids = [sent(&node, "/slow", &[], b""), sent(&node, "/slow", &[], b"")];
    node.replace("slow.rhai", &format!("{BEGINNING}log::info(\"begun\");\nloop {{ }}"));
    wait_until("the endless one is live", PATIENCE, || {
        get(&node, "/api/admin/scripts/slow").json()["source"].as_str().unwrap().contains("loop")
    });
    let order = json!({ "ids": ids }).to_string();
    let mut client = node.client();
    let head = format!("POST /api/admin/executions/replay HTTP/1.1\r\nhost: test\r\nauthorization: {}\r\n", bearer(&node));
    client.write(format!("{head}content-length: {}\r\n\r\n{order}", order.len()).as_bytes()).unwrap();
    let before = node.ticks_of_runs();
    wait_until("its first run has begun", PATIENCE, || node.ticks_of_runs() > before + 2);
    drop(client);
    let replays = || get(&node, "/api/admin/executions?trigger=replay").json()["executions"].as_array().unwrap().clone();
    wait_until("that is stopped", PATIENCE, || !replays().is_empty());
    // Whatever ran since then is recorded once this is.
    sent(&node, "/plain", &[], b"");
    let replays: Vec<_> = replays().iter().map(|run| (run["outcome"].clone(), run["replay_of"].clone())).collect();
    assert_eq!(replays, [(json!("cancelled"), json!(ids[0]))]);
    node.stop();
}

/// Returns the time of an execution.
fn until(node: &Node, id: &str) -> Value {
    recorded(node, id)["time"].clone()
}

fn a_request_that_was_kept_is_read_and_that_is_written_down(story: Story) {
    let files = [("echo/[id].rhai", echo("first")), ("plain.rhai", "1".into())];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let mut node = story.setup(&files).config("[journal]\ncapture_body = \"100\"\n").start();
    let request = |id: &str| get(&node, &format!("/api/admin/executions/{id}/request"));
    let headers = [("x-plain", "a"), ("authorization", "Bearer hunter2"), ("content-type", "text/plain")];
    let id = sent(&node, "/echo/7?a=%20b", &headers, b"hello");
    let told = request(&id).json();
    assert_eq!((&told["method"], &told["path"], &told["query"]), (&"POST".into(), &"/echo/7".into(), &"a=%20b".into()));
    assert_eq!((&told["body"], &told["body_bytes"], &told["left_out"]), (&"hello".into(), &5.into(), &json!(["authorization"])));
    assert!(told["headers"].as_array().unwrap().contains(&json!(["x-plain", "a"])));
    assert!(!told.to_string().contains("hunter2"), "{told}");
    let bytes = request(&sent(&node, "/echo/8", &[], b"\x00\xff")).json();
    assert_eq!((&bytes["body_base64"], &bytes["body"], &bytes["query"]), (&"AP8=".into(), &Value::Null, &Value::Null));
    let large = request(&sent(&node, "/echo/9", &[("content-type", "text/plain")], &[b'x'; 101])).json();
    assert_eq!((&large["body"], &large["body_base64"], &large["body_bytes"]), (&Value::Null, &Value::Null, &101.into()));

    let printed = story.beside(&node, &["executions", "request", &id]).output().unwrap();
    let (out, said) = (String::from_utf8(printed.stdout).unwrap(), String::from_utf8(printed.stderr).unwrap());
    assert!(out.starts_with("POST /echo/7?a=%20b\n") && out.contains("\nx-plain: a\n") && out.ends_with("\n\nhello"), "{out}");
    assert_eq!(said, "`authorization` looked like a credential, and was not kept\n");

    let plain = sent(&node, "/plain", &[], b"");
    let refused = request(&plain);
    assert_eq!((refused.status, refused.text().contains("capture = true")), (404, true), "{}", refused.text());
    assert_eq!(request("361vz5hr63v52").status, 404);
    // Who read what: each reading, and none that told nothing.
    let read = get(&node, "/api/admin/audit?action=request_read").json();
    let read: Vec<_> = read["entries"].as_array().unwrap().iter().map(|entry| &entry["detail"]).collect();
    assert_eq!((read.len(), read[0]), (4, &json!({ "execution": id, "function": "echo/[id]" })));
    node.stop();
}

/// Waits until a new execution is in the database, and returns its id.
fn recorded_id<'a>(node: &Node, answer: &'a Value) -> &'a str {
    let id = answer["execution"]["id"].as_str().unwrap();
    recorded(node, id);
    id
}

fn a_request_goes_with_its_execution(story: Story) {
    let mut node = story.setup(&[("echo.rhai", &echo("first"))]).start();
    let ids: Vec<ExecutionId> = (0..3).map(|_| sent(&node, "/echo", &[], b"").parse().unwrap()).collect();
    node.stop();
    let kept = |from: usize| {
        story.store(async |store| {
            let mut kept = Vec::new();
            for id in &ids {
                kept.push((store.execution(*id).await.unwrap().is_some(), store.capture(*id).await.unwrap().is_some()));
            }
            assert_eq!(kept, (0..3).map(|at| (at >= from, at >= from)).collect::<Vec<_>>());
        });
    };
    kept(0);
    assert_eq!(story.store(async |store| store.prune_executions(NOW_US, 2, u64::MAX).await.unwrap()), 1);
    kept(1);
    assert_eq!(story.store(async |store| store.prune_executions(ids[2].time_us(), 2, u64::MAX).await.unwrap()), 1);
    kept(2);
}

fn a_request_outlasts_a_database_that_is_away(story: Story) {
    let node = story.setup(&[("echo.rhai", &echo("first"))]).start();
    let id: ExecutionId = sent(&node, "/echo", &[("content-type", "text/plain")], b"teapot").parse().unwrap();
    drop(node);
    let (execution, capture) =
        story.store(async |store| (store.execution(id).await.unwrap().unwrap(), store.capture(id).await.unwrap().unwrap()));
    // What the spool gives back is what went in.
    let folder = tempfile::tempdir().unwrap();
    let whole = Execution { capture: Some(Box::new(capture)), replay_of: Some(id), trigger: Trigger::Replay, ..execution.clone() };
    let mut spool = picloud::store::journal::spool::Spool::open(folder.path(), 1 << 20).unwrap();
    spool.append(&[whole.clone(), execution.clone()]).unwrap();
    let read = spool.oldest(10).unwrap().unwrap();
    assert_eq!(read.executions, [whole, execution]);
}
