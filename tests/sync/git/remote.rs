//! Stories of nodes that follow a repository elsewhere.

use std::{fs, net::TcpListener, process::Output};

use hmac::{Hmac, KeyInit as _, Mac as _};
use picloud::{
    clock::monotonic,
    deployment::{Cause, DeploymentStatus},
};
use serde_json::Value;
use sha2::Sha256;

use crate::{
    git::upstream::{Upstream, processes_with, serve},
    kit::{
        api::admin,
        client::Response,
        command::{picloud, run, said},
        node::{Node, PATIENCE, Setup, node, wait_until},
        story::deployments,
    },
};

const HOOK: &str = "/_picloud/hooks/source";

/// A node that follows this URL, and asks by itself once an hour.
fn follower(url: &str) -> Setup {
    follower_with(url, "")
}

fn follower_with(url: &str, keys: &str) -> Setup {
    let source = format!("[source]\nkind = \"git\"\nrepository = \"{url}\"\ninterval = \"1h\"\n{keys}");
    node(&[]).config(&source).variable("PICLOUD_WEBHOOK_SECRET", "open")
}

fn status(node: &Node) -> Value {
    serde_json::from_str(&picloud(node, &["status", "--json"])).unwrap()
}

/// Has the node ask now.
fn sync(node: &Node) -> Output {
    run(node, &["sync"])
}

#[track_caller]
fn synced(node: &Node) {
    let output = sync(node);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

fn deployment(node: &Node) -> Value {
    node.ready()["deployment"].clone()
}

/// Tells the node of a push as GitHub does.
fn told_by_github(node: &Node, secret: &str) -> Response {
    let body = br#"{"ref":"refs/heads/main"}"#;
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    hmac.update(body);
    let hex: String = hmac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let headers = [("x-hub-signature-256", &*format!("sha256={hex}")), ("x-github-event", "push"), ("content-type", "application/json")];
    node.send("POST", HOOK, &headers, body)
}

/// The same as GitLab does.
fn told_by_gitlab(node: &Node, secret: &str) -> Response {
    let headers = [("x-gitlab-token", secret), ("x-gitlab-event", "Push Hook"), ("content-type", "application/json")];
    node.send("POST", HOOK, &headers, br#"{"object_kind":"push","ref":"refs/heads/main"}"#)
}

/// What the copy in the data folder has.
fn copied(node: &Node) -> Option<String> {
    crate::git::upstream::commit(&node.data().join("functions.git"), "main")
}

#[test]
fn a_commit_is_live_after_a_sync() {
    let upstream = Upstream::new();
    let node = follower(&upstream.url()).start();
    node.wait_for("/hello", "one");
    let commit = upstream.hello("\"two\"");
    let output = sync(&node);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains(&commit));
    assert_eq!(node.get("/hello").text(), "two");
    let live = deployments(&node).remove(0);
    assert_eq!((live.revision.0, live.cause, live.by.as_deref()), (commit, Cause::Pull, Some("Ann <ann@example.org>")));
    assert_eq!((live.pushed_by, live.note), (None, None));
    wait_until("the status says when it asks again", PATIENCE, || status(&node)["next_look"].is_string());
}

#[test]
fn a_remote_over_http_is_opened_with_a_token_that_nobody_sees() {
    let upstream = Upstream::new();
    let url = format!("{}/f.git", serve(upstream.folder().into(), "sesame"));
    let mut node = follower(&url).variable("PICLOUD_GIT_TOKEN", "sesame").start();
    node.wait_for("/hello", "one");
    upstream.hello("\"two\"");
    synced(&node);
    assert_eq!(node.get("/hello").text(), "two");
    upstream.leave();
    assert_eq!(sync(&node).status.code(), Some(2));
    let told = picloud(&node, &["status"]);
    assert!(told.contains("there is no repository at"), "{told}");
    node.restart();
    for told in [told, node.log(), node.ready().to_string()] {
        assert!(!told.contains("sesame"), "{told}");
    }
}

#[test]
fn a_webhook_makes_a_commit_live_without_waiting_for_the_interval() {
    let upstream = Upstream::new();
    let node = follower(&upstream.url()).start();
    node.wait_for("/hello", "one");
    upstream.hello("\"two\"");
    assert_eq!(told_by_github(&node, "open").status, 202);
    node.wait_for("/hello", "two");
    upstream.hello("\"three\"");
    assert_eq!(told_by_gitlab(&node, "open").status, 202);
    node.wait_for("/hello", "three");
    // Whoever sends it again changes nothing.
    let before = (deployment(&node), deployments(&node).len());
    for _ in 0..20 {
        assert_eq!((told_by_github(&node, "open").status, told_by_gitlab(&node, "open").status), (202, 202));
    }
    synced(&node);
    assert_eq!((deployment(&node), deployments(&node).len()), before);
}

#[test]
fn a_wrong_signature_fetches_nothing() {
    let upstream = Upstream::new();
    let node = follower(&upstream.url()).start();
    node.wait_for("/hello", "one");
    let before = (copied(&node), status(&node)["last_look"].clone());
    upstream.hello("\"two\"");
    for _ in 0..5 {
        assert_eq!((told_by_github(&node, "guess").status, told_by_gitlab(&node, "guess").status), (401, 401));
    }
    assert_eq!((copied(&node), status(&node)["last_look"].clone()), before);
    assert_eq!(node.get("/hello").text(), "one");
}

#[test]
fn a_broken_commit_leaves_the_last_good_one_live_and_says_why() {
    let upstream = Upstream::new();
    let mut node = follower(&upstream.url()).start();
    node.wait_for("/hello", "one");
    let good = copied(&node).unwrap();
    let broken = upstream.hello("let x = ;");
    let output = sync(&node);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("functions/hello.rhai:1:9") || told.contains("hello.rhai:1:9"), "{told}");
    for round in ["running", "restarted"] {
        assert_eq!(node.get("/hello").text(), "one", "{round}");
        let status = status(&node);
        assert_eq!((&status["live"]["revision"], &status["wanted"]), (&good.clone().into(), &broken.clone().into()), "{round}");
        assert_eq!(status["is_in_sync"], false);
        assert_eq!(status["diagnostics"][0]["file"], "hello.rhai");
        let told = picloud(&node, &["status"]);
        assert!(told.contains(&good) && told.contains(&format!("wanted    {broken}")), "{told}");
        assert!(told.contains("The wanted commit has mistakes; what is live stays live.") && told.contains("hello.rhai:1:9"), "{told}");
        assert_eq!(node.ready()["status"], "degraded");
        node.restart();
    }
    let rejected = deployments(&node).into_iter().filter(|deployment| deployment.status == DeploymentStatus::Rejected);
    assert_eq!(rejected.map(|rejected| (rejected.revision.0, rejected.cause)).collect::<Vec<_>>(), [(broken, Cause::Pull)]);
    let mended = upstream.hello("\"two\"");
    synced(&node);
    assert_eq!((node.get("/hello").text().as_str(), status(&node)["live"]["revision"].as_str()), ("two", Some(&*mended)));
    assert_eq!(node.ready()["status"], "ready");
}

#[test]
fn rewritten_history_goes_live_and_is_noted() {
    let upstream = Upstream::new();
    let mut node = follower(&upstream.url()).start();
    node.wait_for("/hello", "one");
    let before = copied(&node).unwrap();
    let rewritten = upstream.rewrite("\"again\"");
    synced(&node);
    assert_eq!(node.get("/hello").text(), "again");
    let live = deployments(&node).remove(0);
    assert_eq!((live.revision.0, live.note), (rewritten, Some(format!("forced: does not contain {before}"))));
    // The same while the node was away.
    node.stop();
    let before = copied(&node).unwrap();
    upstream.hello("\"other\"");
    upstream.rewrite("\"anew\"");
    node.start();
    node.wait_for("/hello", "anew");
    assert_eq!(deployments(&node).remove(0).note, Some(format!("forced: does not contain {before}")));
}

#[test]
fn a_branch_that_is_deleted_stays_live() {
    let upstream = Upstream::new();
    let mut node = follower(&upstream.url()).start();
    node.wait_for("/hello", "one");
    let before = deployment(&node);
    upstream.delete("main");
    let output = sync(&node);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("branch_deleted", said(&output).replace(&upstream.url(), "URL"));
    for _ in 0..2 {
        assert_eq!((node.get("/hello").text().as_str(), deployment(&node)), ("one", before.clone()));
        let told = picloud(&node, &["status"]);
        wait_until("the status says so", PATIENCE, || picloud(&node, &["status"]).contains("problem   the remote has no branch `main`"));
        assert!(!told.contains("wanted"), "{told}");
        node.restart();
    }
    upstream.push("main");
    synced(&node);
    assert_eq!(status(&node)["problem"], Value::Null);
}

#[test]
fn a_remote_that_is_away_is_told_and_what_was_live_is_served_after_a_restart() {
    let upstream = Upstream::new();
    let mut node = follower_with(&upstream.url(), "timeout = \"5s\"\n").start();
    node.wait_for("/hello", "one");
    let before = deployment(&node);
    upstream.leave();
    assert_eq!(sync(&node).status.code(), Some(2));
    for _ in 0..2 {
        assert_eq!((node.get("/hello").text().as_str(), deployment(&node)), ("one", before.clone()));
        wait_until("the status says so", PATIENCE, || {
            let told = status(&node)["problem"].as_str().unwrap_or_default().to_owned();
            told.starts_with("there is no repository at `file://") && told.contains("hint: ")
        });
        assert_eq!(node.ready()["status"], "degraded");
        node.restart();
    }
    upstream.come_back();
    upstream.hello("\"two\"");
    synced(&node);
    assert_eq!((node.get("/hello").text().as_str(), &status(&node)["problem"]), ("two", &Value::Null));
    assert_eq!(node.ready()["status"], "ready");
}

#[test]
fn a_remote_that_hangs_keeps_nobody_waiting_but_those_who_ask_it() {
    let upstream = Upstream::new();
    let mut node = follower_with(&upstream.url(), "timeout = \"1s\"\n").start();
    node.wait_for("/hello", "one");
    node.stop();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let config = node.folder().join("picloud.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&upstream.url(), &format!("http://{address}/f.git"))).unwrap();
    node.start();
    node.wait_for("/hello", "one");
    let output = sync(&node);
    assert_eq!(
        (output.status.code(), said(&output).contains("took longer than 1 s and was stopped")),
        (Some(2), true),
        "{}",
        said(&output)
    );
    let told = status(&node)["problem"].as_str().unwrap().to_owned();
    assert!(told.contains("took longer than 1 s and was stopped") && told.contains("`timeout`"), "{told}");
    // With more patience it still keeps no order waiting, and the end takes nobody's time.
    node.stop();
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("\"1s\"", "\"1h\"")).unwrap();
    node.start();
    wait_until("git asks", PATIENCE, || !processes_with(&address).is_empty());
    assert_eq!(told_by_gitlab(&node, "open").status, 202);
    let began = monotonic();
    picloud(&node, &["source", "suspend"]);
    assert!(began.elapsed() < PATIENCE);
    assert_eq!(node.get("/hello").text(), "one");
    node.stop();
    wait_until("no process is left", PATIENCE, || processes_with(&address).is_empty());
}

#[test]
fn git_ends_with_a_node_that_is_stopped_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut node = follower_with(&format!("http://{address}/f.git"), "timeout = \"1h\"\n").start();
    wait_until("git asks", PATIENCE, || !processes_with(&address).is_empty());
    // A client that is still sending keeps the stop waiting. It was let in before the next one.
    let mut client = node.client();
    client.write(b"GET /hello HTTP/1.1\r\nhost: t\r\n").unwrap();
    assert_eq!(node.get("/_picloud/health").status, 200);
    node.terminate();
    node.wait_for_line(&["stopping"]);
    // Signals that come close to each other are one.
    wait_until("the second signal is another", PATIENCE, || {
        let is_over = node.has_ended();
        if !is_over {
            node.terminate();
        }
        is_over
    });
    node.ended();
    // Git itself would give up after half a minute.
    wait_until("no process is left", PATIENCE / 3, || processes_with(&address).is_empty());
}

#[test]
fn a_first_start_without_the_remote_is_not_ready_and_says_why() {
    let upstream = Upstream::new();
    upstream.leave();
    let node = follower(&upstream.url()).start();
    let mut answer = node.get("/_picloud/ready");
    wait_until("it says why", PATIENCE, || {
        answer = node.get("/_picloud/ready");
        answer.text().contains("there is no repository at")
    });
    assert_eq!((answer.status, answer.json()["status"].as_str()), (503, Some("starting")));
    assert_eq!(node.get("/hello").status, 503);
    let told = picloud(&node, &["status"]);
    assert!(told.contains("problem   nothing was fetched yet: there is no repository at"), "{told}");
    assert!(told.contains("\n            hint: check `repository` in the section `[source]`\n"), "{told}");
    assert_eq!(sync(&node).status.code(), Some(2));
    upstream.come_back();
    assert_eq!(told_by_gitlab(&node, "open").status, 202);
    node.wait_for("/hello", "one");
    assert_eq!(node.ready()["status"], "ready");
}

#[test]
fn other_branches_of_a_remote_are_shown() {
    let upstream = Upstream::new();
    let node = follower_with(&upstream.url(), "[previews]\nbranches = 1\n").start();
    node.wait_for("/hello", "one");
    let see = |branch: &str| {
        let answer = node.send("GET", &format!("/_picloud/preview/{branch}/hello"), &[("x-picloud-token", &admin(&node))], b"");
        (answer.status, answer.header("x-picloud-preview").map(str::to_owned))
    };
    let commit = upstream.push("fix/typo");
    synced(&node);
    // Who asks to sync does not wait for what other branches show.
    wait_until("the branch is shown", PATIENCE, || see("fix/typo") == (200, Some(commit.clone())));
    // They go on although the branch that deploys is gone.
    upstream.delete("main");
    let commit = upstream.push("fix/typo");
    assert_eq!(told_by_gitlab(&node, "open").status, 202);
    wait_until("the branch is shown", PATIENCE, || see("fix/typo") == (200, Some(commit.clone())));
    upstream.delete("fix/typo");
    assert_eq!(sync(&node).status.code(), Some(2));
    wait_until("it is no longer shown", PATIENCE, || see("fix/typo").0 == 404);
    assert_eq!(node.get("/hello").text(), "one");
}
