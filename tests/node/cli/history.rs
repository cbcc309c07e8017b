//! What happened: deployments and their differences, executions, logs.

use std::{io::Read as _, process::Stdio};

use serde_json::Value;

use super::{Folder, Node, wait};

#[test]
fn diff_shows_functions_and_lines_that_differ() {
    let folder = Folder::empty();
    folder.write("functions/hello.rhai", "let a = 1;\nlet b = 2;\na + b");
    folder.write("functions/old.get.rhai", "1\n");
    folder.write("functions/same.rhai", "1\n");
    Node::start(&folder).stop();
    // Before the first one nothing was live.
    assert!(folder.done(&["diff", "--stat"]).starts_with("nothing → "));
    let node = Node::start(&folder);
    folder.write("next/hello.rhai", "let a = 1;\nlet b = 3;\na + b\n");
    folder.write("next/orders/[id].post.rhai", "\"\u{1b}[31m\"\n");
    folder.write("next/same.rhai", "1\n");
    folder.done(&["deploy", "next"]);
    folder.write("functions/same.rhai", "(");
    let all = wait(|| Some(folder.json(&["deployments", "--json"])).filter(|all| all[0]["status"] == "rejected"));
    node.stop();
    let name = |at: usize| all[at]["id"].as_str().unwrap().to_owned();
    let (refused, second, first) = (name(0), name(1), name(2));
    let revision = all[1]["revision"].as_str().unwrap().to_owned();
    let plain = |text: String| {
        let text = text.replace(&refused, "THIRD").replace(&second, "SECOND").replace(&first, "FIRST");
        text.replace(&revision[..10], "REVISION")
    };
    insta::assert_snapshot!("diff", plain(folder.done(&["diff"])));
    insta::assert_snapshot!("diff_back", plain(folder.done(&["diff", &revision[..12], &first, "--stat"])));
    insta::assert_snapshot!("diff_first", plain(folder.done(&["diff", &first, &first])));
    let json = folder.json(&["diff", &first, "live", "--json"]);
    assert_eq!((&json["from"]["id"], &json["to"]["id"]), (&Value::from(first.as_str()), &Value::from(second.as_str())));
    assert_eq!((&json["plan"]["added"], &json["plan"]["changed"], &json["plan"]["removed"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(json["plan"]["functions"][1]["route"], "GET /old");
    let kinds: Vec<_> = json["files"].as_array().unwrap().iter().map(|file| (file["file"].as_str(), file["kind"].as_str())).collect();
    assert_eq!(
        kinds,
        [(Some("hello.rhai"), Some("changed")), (Some("old.get.rhai"), Some("removed")), (Some("orders/[id].post.rhai"), Some("added"))]
    );
    assert!(json["files"][2]["diff"].as_str().unwrap().starts_with("--- /dev/null\n+++ b/orders/[id].post.rhai\n@@ -0,0 +1 @@\n"));
    let json = folder.json(&["diff", "--json", "--stat", &second, &first]);
    assert_eq!((&json["plan"]["removed"], &json["files"]), (&1.into(), &Value::Array(Vec::new())));
    let wrong = [refused.as_str(), "0000000000000", "no-such-revision", &revision[..6], "dir-"];
    let told: String = wrong.iter().map(|key| plain(folder.refused(2, &["diff", key]))).collect();
    insta::assert_snapshot!("diff_wrong", plain(told).replace(&revision[..6], "SHORT"));
    // What newer rules forbid is told, and the rest is compared.
    folder.write("picloud.toml", "[limits]\nexpression_depth = 1\n");
    let output = folder.run(&["diff", "--stat"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("diff_stricter", plain(String::from_utf8(output.stderr).unwrap()));
}

#[test]
fn the_store_is_read_while_the_node_runs_and_after() {
    let folder = Folder::project();
    let node = Node::start(&folder);
    assert!(node.get("/hello?name=Ada").ends_with("{\"message\":\"hello Ada\"}"));
    folder.write("functions/fail.rhai", "throw \"no\"");
    wait(|| node.get("/fail").starts_with("HTTP/1.1 502").then_some(()));
    folder.write("functions/hello.rhai", "let x = ;");
    wait(|| folder.done(&["status"]).contains("functions/hello.rhai:1:9: error").then_some(()));
    assert!(node.get("/hello?name=Eve").ends_with("{\"message\":\"hello Eve\"}"));
    let status = folder.json(&["status", "--json"]);
    assert_eq!((&status["live"]["functions"], &status["is_in_sync"]), (&3.into(), &false.into()));
    assert_eq!(status["diagnostics"][0]["file"], "hello.rhai");
    assert_eq!((&status["database"]["place"], &status["database"]["problem"]), (&"`.picloud/picloud.db`".into(), &Value::Null));
    assert!(status["node"]["url"].as_str().unwrap().contains(&node.address));
    node.stop();

    let status = folder.json(&["status", "--json"]);
    assert_eq!((&status["node"], &status["refused"]["status"]), (&Value::Null, &"rejected".into()));
    let failed = folder.json(&["executions", "--status", "5xx", "--json"]);
    assert_eq!((&failed[0]["function"], &failed[0]["status"]), (&"fail".into(), &502.into()));
    assert_eq!(failed[0]["failure"]["message"], "no");
    assert_eq!(folder.json(&["executions", "--status", "failed", "--json"]), failed);
    assert_eq!(folder.json(&["executions", "--status", "timed_out", "--json"]), Value::Array(Vec::new()));
    assert_eq!(folder.json(&["executions", "--function", "hello", "--json"]).as_array().unwrap().len(), 2);
    assert_eq!(folder.json(&["executions", "--since", "1h", "--limit", "1", "--json"]).as_array().unwrap().len(), 1);
    assert_eq!(folder.json(&["executions", "--since", "2100-01-01T00:00:00Z", "--json"]).as_array().unwrap().len(), 0);
    let deployments = folder.json(&["deployments", "--json"]);
    assert_eq!(deployments.as_array().unwrap().len(), 3);
    assert_eq!((&deployments[0]["status"], &deployments[1]["changes"][0]["function"]), (&"rejected".into(), &"fail".into()));
    assert!(
        folder.done(&["deployments", "--limit", "1"]).lines().nth(1).unwrap().contains("  rejected  save   +0 ~0 -0  1 error      dir-")
    );
    let versions = folder.json(&["versions", "hello.rhai", "--json"]);
    assert_eq!((versions.as_array().unwrap().len(), &versions[0]["is_live"]), (1, &true.into()));

    insta::assert_snapshot!("unknown_function", folder.refused(2, &["versions", "helo"]));
    for command in ["executions", "logs"] {
        assert!(folder.refused(2, &[command, "--function", "helo"]).contains("did you mean `hello`?"), "{command}");
    }
    insta::assert_snapshot!("bad_time", folder.refused(2, &["executions", "--since", "soon"]));
    insta::assert_snapshot!("bad_status", folder.refused(2, &["executions", "--status", "x"]));
    assert!(folder.refused(2, &["executions", "--status", "faild"]).contains("did you mean `failed`?"));
}

#[test]
fn logs_are_lines_in_order_and_silent_runs_take_none_of_them() {
    let folder = Folder::project();
    folder.write("functions/silent.rhai", "1");
    folder.write("functions/talk.rhai", "log::info(\"one\\ntwo\"); log::warn(\"three\"); throw \"four\"");
    folder.write("functions/much.rhai", "+++\n[limits]\nlog_lines = 1\n+++\nfor i in 0..3 { log::error(i) }");
    let node = Node::start(&folder);
    for path in ["/talk", "/much", "/silent", "/silent", "/silent"] {
        node.get(path);
    }
    node.stop();
    // Time and execution are others in each run.
    let plain = |arguments: &[&str]| -> Vec<String> {
        let lines = folder.done(arguments);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        lines.lines().map(words).map(|words| format!("{} {}", words[1], words[3..].join(" "))).collect()
    };
    assert_eq!(
        plain(&["logs"]),
        [
            "info talk one\\ntwo",
            "warn talk three",
            "failure talk talk.rhai:1:44: four",
            "error much 0",
            "warn much 2 log lines did not fit the limit"
        ]
    );
    assert_eq!(plain(&["logs", "--limit", "2"]).len(), 2);
    assert_eq!(plain(&["logs", "--function", "much", "--limit", "1"]), ["warn much 2 log lines did not fit the limit"]);
    let lines: Vec<Value> = folder.done(&["logs", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["message"], &lines[0]["level"]), (&"one\ntwo".into(), &"info".into()));
    assert_eq!((&lines[2]["level"], &lines[2]["status"], &lines[2]["failure"]["line"]), (&"failure".into(), &502.into(), &1.into()));
    assert!(lines.windows(2).all(|pair| pair[0]["time"].as_str() <= pair[1]["time"].as_str()));
}

#[test]
fn logs_can_be_followed() {
    let folder = Folder::project();
    let node = Node::start(&folder);
    node.get("/hello?name=first");
    wait(|| folder.done(&["logs"]).contains("greeting first").then_some(()));
    let mut following = folder.command(&["logs", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    node.get("/hello?name=second");
    let mut seen = String::new();
    let mut out = following.stdout.take().unwrap();
    let mut part = [0; 4096];
    while !seen.contains("greeting second") {
        let read = out.read(&mut part).unwrap();
        assert_ne!(read, 0, "the command ended after {seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    assert_eq!(seen.matches("greeting first").count(), 1, "{seen}");
    following.kill().unwrap();
    following.wait().unwrap();
    node.stop();
}
